// SPDX-License-Identifier: Apache-2.0
// Added tokens: strings that are found in a text before it is split and merged.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/regex.h"

namespace tern {

// One entry of added_tokens in tokenizer.json.
struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false;      // left out by decode(skip_special), found only by encode(parse_special)
  bool normalized = false;   // looked for only in what the tokens without this flag leave
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // takes the white space after it along
  bool single_word = false;  // found only where neither neighbour is a word character
};

class AddedTokens {
 public:
  using OnText = std::function<void(std::string_view)>;
  using OnToken = std::function<void(int32_t)>;

  // Expects contents that are distinct and not empty.
  explicit AddedTokens(std::vector<AddedToken> tokens);

  // Calls on_text and on_token for the parts of the text, in order. At each place the longest token wins. Tokens that
  // may not be found (special without parse_special, not a single word) hide what they overlap, as Hugging Face's do.
  void split(std::string_view text, bool parse_special, const OnText& on_text, const OnToken& on_token) const;

  const std::vector<AddedToken>& tokens() const { return tokens_; }

 private:
  // A tree of all contents, by byte.
  struct Node {
    std::vector<std::pair<uint8_t, uint32_t>> children;
    std::optional<uint32_t> token;
  };
  struct Found {
    Range range;
    uint32_t token;
  };
  using Trie = std::vector<Node>;

  void insert(uint32_t token, Trie& trie);
  static const uint32_t* child(const Trie& trie, uint32_t node, char byte);
  static std::optional<Found> find(const Trie& trie, std::string_view text, size_t from);
  void pass(const Trie& trie, std::string_view text, bool parse_special, const OnText& on_text,
            const OnToken& on_token) const;
  bool is_single_word(std::string_view text, Range range) const;

  std::vector<AddedToken> tokens_;
  Trie plain_, normalized_;
  Regex word_;
};

}  // namespace tern
