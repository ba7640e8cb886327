// SPDX-License-Identifier: Apache-2.0
// The tokens that a state allows, remembered where that pays.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "grammar/state_table.h"
#include "grammar/token_mask.h"
#include "grammar/token_trie.h"

namespace tern {

// Most of what a state allows does not depend on its stacks: only tokens that end a rule and go on behind it do. So the
// vocabulary is walked once for each set of nodes that share a stack, above an unknown one; what is met there is kept
// for all stacks, and only the tokens that go on are looked at again above the real one.
class TokenMasks {
 public:
  explicit TokenMasks(std::shared_ptr<const TokenTrie> trie);

  // Sets mask to the tokens that lead from the state to one that is not dead, and end-of-text ids if it can end.
  void allowed(StateTable& states, uint32_t state, TokenMask& mask);
  // To be called when another table takes the place of the one that states came from.
  void forget_states() { of_states_.clear(); }

 private:
  struct LocalMask {
    TokenMask tokens;               // allowed whatever the stack is
    std::vector<uint32_t> returns;  // trie nodes with children at which a rule of the unknown caller may end
    uint16_t depth = 0;             // of the deepest stack above the unknown one
  };

  void compute(StateTable& states, uint32_t state, TokenMask& mask);
  // Adds what a group of nodes above one stack allows; false if only a walk with the real stack can tell.
  bool add_group(StateTable& states, std::span<const Frame> group, TokenMask& mask);
  const LocalMask& local_mask(StateTable& states, std::span<const Frame> group);
  // Adds the tokens below a trie node that lead from a state to one that is not dead.
  void walk(StateTable& states, uint32_t below, uint32_t state, TokenMask& mask);
  // Calls visit(node, state) for those of the trie nodes [begin, end) whose text leads to a state that is not dead, from
  // the state that path_ holds for the node above them.
  template <class Visit>
  void descend(StateTable& states, uint32_t begin, uint32_t end, const Visit& visit);

  std::shared_ptr<const TokenTrie> trie_;
  std::map<std::vector<uint32_t>, LocalMask> of_nodes_;
  std::unordered_map<uint32_t, TokenMask> of_states_;
  std::vector<uint32_t> path_;  // by depth: the state there
};

}  // namespace tern
