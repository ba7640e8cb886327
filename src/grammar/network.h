// SPDX-License-Identifier: Apache-2.0
// A grammar on its way to an automaton: one nondeterministic automaton over bytes per rule, which may call each other.
#pragma once

#include <cstdint>
#include <vector>

#include "grammar/tree.h"

namespace tern {

struct NetworkEdge {
  enum Kind : uint8_t { kByte, kCall, kEmpty };
  Kind kind;
  uint8_t first, last;  // kByte: the bytes that lead to target
  uint32_t target;
  RuleId rule;  // kCall: the rule whose texts lead to target

  friend auto operator<=>(const NetworkEdge&, const NetworkEdge&) = default;
};

struct NetworkNode {
  std::vector<NetworkEdge> edges;
  bool accepts = false;  // the rule that the node belongs to may end here
};

// A text belongs to a rule if it leads from its start to a node that accepts. No edge leads to a start.
struct Network {
  std::vector<NetworkNode> nodes;
  std::vector<uint32_t> starts;  // of each rule
  RuleId root = 0;
  bool root_accepts_empty = false;

  // Throws Error when there are too many.
  uint32_t add_node();
};

inline constexpr uint32_t kMostNodes = 1u << 18;
inline constexpr size_t kMostEdges = size_t{1} << 21;

// Thompson's construction; small rules that call nothing in a circle are put where they are called.
Network build_network(const GrammarTree& tree);

// Removes kEmpty edges. Rules lose the empty text: calls of those that had it may be skipped, and root_accepts_empty
// says so of the root.
void remove_empty_edges(Network& network);

// Expects no kEmpty edges and no rule with the empty text. Rewrites rules that may begin with a call of themselves,
// also by way of others, so that none does. May add kEmpty edges.
void remove_left_recursion(Network& network);

// Removes edges from which no rule's end can be reached. True if any text belongs to the root.
bool prune(Network& network);

}  // namespace tern
