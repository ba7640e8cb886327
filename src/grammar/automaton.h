// SPDX-License-Identifier: Apache-2.0
// A grammar ready for use: a nondeterministic automaton over bytes with a stack.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "grammar/tree.h"

namespace tern {

// A node reads a byte, or calls: it goes to the start of a rule and puts on the stack where to go on when that rule has
// read a text, which is never empty. A node that accepts ends its rule and takes a node from the stack. No rule begins
// with a call of itself, whatever others are between, and every node leads to the end of its rule.
struct Automaton {
  struct ByteEdge {
    uint8_t first, last;
    uint32_t target;
  };
  struct Call {
    uint32_t start;
    uint32_t next;  // kTail: the end of the calling rule, for which nothing goes on the stack
  };
  struct Node {
    uint32_t byte_edges, calls;  // where the node's own begin; they end where the next node's begin
    bool accepts;
  };
  static constexpr uint32_t kTail = UINT32_MAX;

  std::span<const ByteEdge> byte_edges_of(uint32_t node) const {
    return std::span(byte_edges).subspan(nodes[node].byte_edges, nodes[node + 1].byte_edges - nodes[node].byte_edges);
  }
  std::span<const Call> calls_of(uint32_t node) const {
    return std::span(calls).subspan(nodes[node].calls, nodes[node + 1].calls - nodes[node].calls);
  }
  uint32_t node_count() const { return static_cast<uint32_t>(nodes.size()) - 1; }

  std::vector<Node> nodes;  // and one behind the last
  std::vector<ByteEdge> byte_edges;
  std::vector<Call> calls;
  uint32_t start = 0;
  bool accepts_empty = false;

  // Bytes between which no edge tells a difference belong to one class.
  std::array<uint8_t, 256> byte_class{};
  uint32_t class_count = 0;
};

// Throws Error when the grammar is too large or describes no text at all.
Automaton compile(const GrammarTree& tree);

}  // namespace tern
