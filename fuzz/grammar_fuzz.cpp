// SPDX-License-Identifier: Apache-2.0
// Any bytes as a grammar ('g' first) or a schema, up to the first NUL, and as a text: an Error, or masks that agree
// with what is accepted.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/matcher.h"
#include "tern/grammar.h"

namespace {

constexpr size_t kLongestText = 64;

std::shared_ptr<const tern::TokenTrie> bytes_and_pairs() {
  std::vector<std::string> tokens(256);
  for (size_t byte = 0; byte < 256; ++byte) tokens[byte] = std::string(1, static_cast<char>(byte));
  for (const char* token : {"</s>", "\",\"", "\": ", "true", "aa", "\xC3\xA9", "}}", "\"}"}) tokens.emplace_back(token);
  const std::vector<int32_t> eos = {256};
  return std::make_shared<const tern::TokenTrie>(std::move(tokens), eos);
}

bool masks_agree(tern::GrammarMatcher matcher, std::string_view text) {
  tern::TokenMask mask;
  for (const char c : text.substr(0, kLongestText)) {
    matcher.allowed(mask);
    if (mask.test(256) != matcher.can_end()) return false;
    for (int32_t id = 257; id < mask.size(); ++id) {
      if (matcher.accept(id) != mask.test(id)) return false;
      if (mask.test(id)) matcher.rollback(1);
    }
    const auto id = static_cast<int32_t>(static_cast<uint8_t>(c));
    if (matcher.accept(id) != mask.test(id)) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::shared_ptr<const tern::TokenTrie> trie = bytes_and_pairs();
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(input.find('\0'), size);
  const std::string_view text = end < size ? input.substr(end + 1) : "{\"a\":[1,true]}aab";
  try {
    const bool is_gbnf = input.starts_with('g');
    const tern::Grammar grammar = is_gbnf ? tern::Grammar::parse(input.substr(1, end - 1))
                                          : tern::Grammar::from_json_schema(input.substr(0, end));
    if (!masks_agree(tern::GrammarMatcher(grammar, trie), text)) __builtin_trap();
  } catch (const tern::Error&) {
  }
  return 0;
}
