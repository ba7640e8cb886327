// SPDX-License-Identifier: Apache-2.0
#include "text/added_tokens.h"

#include <algorithm>

#include "base/code_point.h"
#include "text/utf8.h"

namespace tern {
namespace {

// The last character of a text, or its last byte where that is not UTF-8.
std::string_view last_character(std::string_view text) {
  for (size_t length = 1; length <= std::min<size_t>(4, text.size()); ++length) {
    const std::string_view tail = text.substr(text.size() - length);
    const Utf8Step step = utf8_step(tail);
    if (step.kind == Utf8Step::kCharacter && step.length == length) return tail;
  }
  return text.substr(text.size() - 1);
}

std::string_view first_character(std::string_view text) { return text.substr(0, utf8_step(text).length); }

bool is_character(std::string_view bytes) { return utf8_step(bytes).kind == Utf8Step::kCharacter; }

bool is_space_character(std::string_view bytes) { return is_character(bytes) && is_space(code_point(bytes)); }

size_t trailing_space(std::string_view text) {
  size_t space = 0;
  while (space < text.size()) {
    const std::string_view character = last_character(text.substr(0, text.size() - space));
    if (!is_space_character(character)) break;
    space += character.size();
  }
  return space;
}

size_t leading_space(std::string_view text) {
  size_t space = 0;
  while (space < text.size()) {
    const std::string_view character = first_character(text.substr(space));
    if (!is_space_character(character)) break;
    space += character.size();
  }
  return space;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens)
    : tokens_(std::move(tokens)),
      plain_(1),
      normalized_(1),
      word_(R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200C}\x{200D}])", Regex::Syntax::kPattern, "word characters") {
  for (uint32_t i = 0; i < tokens_.size(); ++i) insert(i, tokens_[i].normalized ? normalized_ : plain_);
}

void AddedTokens::insert(uint32_t token, Trie& trie) {
  uint32_t node = 0;
  for (const char byte : tokens_[token].content) {
    if (const uint32_t* next = child(trie, node, byte)) {
      node = *next;
      continue;
    }
    const auto fresh = static_cast<uint32_t>(trie.size());
    trie[node].children.emplace_back(static_cast<uint8_t>(byte), fresh);
    trie.emplace_back();
    node = fresh;
  }
  trie[node].token = token;
}

const uint32_t* AddedTokens::child(const Trie& trie, uint32_t node, char byte) {
  for (const auto& [key, next] : trie[node].children) {
    if (key == static_cast<uint8_t>(byte)) return &next;
  }
  return nullptr;
}

std::optional<AddedTokens::Found> AddedTokens::find(const Trie& trie, std::string_view text, size_t from) {
  if (trie[0].children.empty()) return std::nullopt;
  for (; from < text.size(); ++from) {
    std::optional<Found> longest;
    const uint32_t* node = child(trie, 0, text[from]);
    for (size_t at = from + 1; node; ++at) {
      if (trie[*node].token) longest = Found{{from, at}, *trie[*node].token};
      node = at < text.size() ? child(trie, *node, text[at]) : nullptr;
    }
    if (longest) return longest;
  }
  return std::nullopt;
}

bool AddedTokens::is_single_word(std::string_view text, Range range) const {
  const auto is_word = [&](std::string_view character) {
    return is_character(character) && RegexMatcher(word_, character).next().has_value();
  };
  return (range.begin == 0 || !is_word(last_character(text.substr(0, range.begin)))) &&
         (range.end == text.size() || !is_word(first_character(text.substr(range.end))));
}

void AddedTokens::pass(const Trie& trie, std::string_view text, bool parse_special, const OnText& on_text,
                       const OnToken& on_token) const {
  size_t done = 0;
  size_t from = 0;
  while (const std::optional<Found> found = find(trie, text, from)) {
    from = found->range.end;
    const AddedToken& token = tokens_[found->token];
    if (token.special && !parse_special) continue;
    if (token.single_word && !is_single_word(text, found->range)) continue;
    Range range = found->range;
    if (token.lstrip) range.begin -= trailing_space(text.substr(0, range.begin));
    if (token.rstrip) range.end += leading_space(text.substr(range.end));
    if (range.begin > done) on_text(text.substr(done, range.begin - done));
    on_token(token.id);
    done = std::max(done, range.end);
  }
  if (done < text.size()) on_text(text.substr(done));
}

void AddedTokens::split(std::string_view text, bool parse_special, const OnText& on_text,
                        const OnToken& on_token) const {
  const auto second_pass = [&](std::string_view part) { pass(normalized_, part, parse_special, on_text, on_token); };
  pass(plain_, text, parse_special, second_pass, on_token);
}

}  // namespace tern
