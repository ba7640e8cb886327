// SPDX-License-Identifier: Apache-2.0
// The tokens of a vocabulary by their bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tern/text.h"

namespace tern {

// A trie in preorder: a walk goes from node to node, or past a subtree with `next`. Immutable.
class TokenTrie {
 public:
  struct Node {
    uint32_t next;         // the node behind this one's subtree
    uint32_t first_token;  // of tokens(); they end where the next node's begin
    uint32_t depth;        // bytes up to and with this one's; the root, node 0, has none
    uint8_t byte;
  };

  // Leaves out special tokens and those without bytes; ids in `eos` end a text whatever their bytes. Throws Error for
  // an id in eos that is not in the vocabulary.
  TokenTrie(const Tokenizer& tokenizer, std::span<const int32_t> eos);
  // The same of bytes by id.
  TokenTrie(std::vector<std::string> tokens, std::span<const int32_t> eos);

  int32_t vocab_size() const { return static_cast<int32_t>(bytes_.size()); }
  // Empty for an id that may not be used or ends the text.
  std::string_view bytes(int32_t id) const;
  const std::vector<int32_t>& eos() const { return eos_; }
  bool is_eos(int32_t id) const;

  // The nodes, and one behind the last.
  std::span<const Node> nodes() const { return nodes_; }
  // The ids whose bytes end at a node.
  std::span<const int32_t> tokens(uint32_t node) const {
    return std::span(tokens_).subspan(nodes_[node].first_token,
                                      nodes_[node + 1].first_token - nodes_[node].first_token);
  }
  uint32_t longest() const { return longest_; }

 private:
  void build();

  std::vector<std::string> bytes_;
  std::vector<int32_t> eos_;
  std::vector<Node> nodes_;
  std::vector<int32_t> tokens_;
  uint32_t longest_ = 0;
};

}  // namespace tern
