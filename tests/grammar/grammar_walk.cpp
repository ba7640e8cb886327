// SPDX-License-Identifier: Apache-2.0
// grammar_walk TOKENIZER|bytes < commands: a program for schema_test.py. Each line of input is a JSON object, each line
// of output its answer:
//   {"schema": S, "walks": N, "seed": K}    {"texts": […]}       N texts drawn at random through the masks
//   {"schema": S, "accept": [text, …]}      {"accepted": […]}    whether each goes through, token by token
//   {"schema": S}                           {}                   only reads it
// or {"error": message}. A schema is given as text; null means Grammar::json().
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/random.h"
#include "grammar/matcher.h"
#include "tern/grammar.h"
#include "tern/text.h"

namespace {

using nlohmann::json;

constexpr size_t kLongWalk = 150, kLongestWalk = 20000;  // tokens

struct Vocabulary {
  std::shared_ptr<const tern::TokenTrie> trie;
  std::unique_ptr<tern::Tokenizer> tokenizer;  // none for bytes

  std::vector<int32_t> encode(const std::string& text) const {
    if (tokenizer) return tokenizer->encode(text, /*parse_special=*/false);
    std::vector<int32_t> ids;
    for (const char c : text) ids.push_back(static_cast<uint8_t>(c));
    return ids;
  }
};

// The 256 bytes, an end of text, and a token without bytes.
Vocabulary byte_vocabulary() {
  std::vector<std::string> tokens(258);
  for (size_t byte = 0; byte < 256; ++byte) tokens[byte] = std::string(1, static_cast<char>(byte));
  const std::vector<int32_t> eos = {256};
  return {std::make_shared<const tern::TokenTrie>(std::move(tokens), eos), nullptr};
}

Vocabulary load_vocabulary(const std::string& path) {
  auto tokenizer = std::make_unique<tern::Tokenizer>(tern::Tokenizer::load(path));
  std::vector<int32_t> eos;
  for (int32_t id = 0; id < tokenizer->vocab_size() && eos.empty(); ++id) {
    if (tokenizer->is_special(id)) eos.push_back(id);
  }
  return {std::make_shared<const tern::TokenTrie>(*tokenizer, eos), std::move(tokenizer)};
}

// A token that the mask allows: any of them; in a long walk rather one with a quote, or a bracket that closes.
int32_t draw(const tern::TokenMask& mask, const tern::TokenTrie& trie, tern::Random& random, size_t drawn) {
  std::vector<int32_t> ids, quotes, brackets;
  for (int32_t id = 0; id < mask.size(); ++id) {
    if (!mask.test(id)) continue;
    ids.push_back(id);
    if (trie.is_eos(id) || trie.bytes(id).find('"') != std::string_view::npos) quotes.push_back(id);
    if (trie.bytes(id).find_first_of("]}") != std::string_view::npos) brackets.push_back(id);
  }
  if (ids.empty()) throw tern::Error("[walk] expected a token to go on with, got none");
  if (drawn > kLongWalk && !quotes.empty() && random.below(4) > 0) ids = quotes;
  if (drawn > kLongWalk && quotes.empty() && !brackets.empty() && random.below(2) > 0) ids = brackets;
  return ids[random.below(ids.size())];
}

std::string walk(tern::GrammarMatcher matcher, const tern::TokenTrie& trie, tern::Random& random) {
  std::string text;
  tern::TokenMask mask;
  for (size_t drawn = 0; !matcher.ended(); ++drawn) {
    if (drawn > kLongestWalk) throw tern::Error("[walk] expected an end, got " + text);
    matcher.allowed(mask);
    const int32_t id = draw(mask, trie, random, drawn);
    if (!matcher.accept(id)) throw tern::Error("[walk] expected an allowed token to be accepted after " + text);
    text += trie.bytes(id);
  }
  return text;
}

// Every token must be in the mask, and the end of the text, too.
bool accepts(tern::GrammarMatcher matcher, const Vocabulary& vocabulary, const std::string& text) {
  tern::TokenMask mask;
  for (const int32_t id : vocabulary.encode(text)) {
    matcher.allowed(mask);
    const bool is_allowed = mask.test(id);
    if (matcher.accept(id) != is_allowed) throw tern::Error("[walk] expected accept to agree with allowed in " + text);
    if (!is_allowed) return false;
  }
  return matcher.can_end();
}

json answer(const json& command, const Vocabulary& vocabulary) {
  const tern::Grammar grammar = command.at("schema").is_null()
                                    ? tern::Grammar::json()
                                    : tern::Grammar::from_json_schema(command.at("schema").get<std::string>());
  const tern::GrammarMatcher matcher(grammar, vocabulary.trie);
  json result = json::object();
  tern::Random random(command.value("seed", 0));
  for (int i = 0; i < command.value("walks", 0); ++i)
    result["texts"].push_back(walk(matcher, *vocabulary.trie, random));
  for (const json& text : command.value("accept", json::array())) {
    const bool accepted = accepts(matcher, vocabulary, text);
    if (accepted != grammar.matches(text.get<std::string>())) throw tern::Error("[walk] expected matches to agree");
    result["accepted"].push_back(accepted);
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) throw tern::Error("usage: grammar_walk TOKENIZER|bytes");
  const Vocabulary vocabulary = std::string(argv[1]) == "bytes" ? byte_vocabulary() : load_vocabulary(argv[1]);
  for (std::string line; std::getline(std::cin, line);) {
    json result;
    try {
      result = answer(json::parse(line), vocabulary);
    } catch (const tern::Error& error) {
      result = {{"error", error.what()}};
    }
    std::cout << result.dump() << std::endl;
  }
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
