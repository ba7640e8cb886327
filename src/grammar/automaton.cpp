// SPDX-License-Identifier: Apache-2.0
#include "grammar/automaton.h"

#include "base/check.h"
#include "grammar/network.h"

namespace tern {
namespace {

constexpr uint32_t kUnnumbered = UINT32_MAX;

// Numbers the nodes that are reachable from the root's start in the order in which they are found.
class Flattener {
 public:
  explicit Flattener(const Network& network) : network_(network), numbers_(network.nodes.size(), kUnnumbered) {}

  Automaton flatten() {
    automaton_.start = number(network_.starts[network_.root]);
    automaton_.accepts_empty = network_.root_accepts_empty;
    for (size_t i = 0; i < found_.size(); ++i) append(network_.nodes[found_[i]]);
    automaton_.nodes.push_back(begin_node(false));
    number_byte_classes();
    return std::move(automaton_);
  }

 private:
  uint32_t number(uint32_t node) {
    if (numbers_[node] == kUnnumbered) {
      numbers_[node] = static_cast<uint32_t>(found_.size());
      found_.push_back(node);
    }
    return numbers_[node];
  }

  Automaton::Node begin_node(bool accepts) const {
    return {static_cast<uint32_t>(automaton_.byte_edges.size()), static_cast<uint32_t>(automaton_.calls.size()),
            accepts};
  }

  void append(const NetworkNode& node) {
    automaton_.nodes.push_back(begin_node(node.accepts));
    for (const NetworkEdge& edge : node.edges) {
      if (edge.kind == NetworkEdge::kByte) {
        automaton_.byte_edges.push_back({edge.first, edge.last, number(edge.target)});
      } else {
        const NetworkNode& next = network_.nodes[edge.target];
        const bool is_tail = next.accepts && next.edges.empty();
        automaton_.calls.push_back(
            {number(network_.starts[edge.rule]), is_tail ? Automaton::kTail : number(edge.target)});
      }
    }
  }

  void number_byte_classes() {
    std::array<bool, 257> begins{};
    for (const Automaton::ByteEdge& edge : automaton_.byte_edges) begins[edge.first] = begins[edge.last + 1] = true;
    uint8_t current = 0;
    for (unsigned byte = 0; byte < 256; ++byte) {
      if (byte > 0 && begins[byte]) ++current;
      automaton_.byte_class[byte] = current;
    }
    automaton_.class_count = current + 1u;
  }

  const Network& network_;
  std::vector<uint32_t> numbers_;
  std::vector<uint32_t> found_;
  Automaton automaton_;
};

}  // namespace

Automaton compile(const GrammarTree& tree) {
  Network network = build_network(tree);
  remove_empty_edges(network);
  remove_left_recursion(network);
  remove_empty_edges(network);
  check(prune(network), "grammar", "expected a grammar with at least one text, got one that no text can satisfy");
  return Flattener(network).flatten();
}

}  // namespace tern
