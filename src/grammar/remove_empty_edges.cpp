// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "grammar/network.h"

namespace tern {
namespace {

// A node and the rule that it belongs to.
struct Place {
  uint32_t node;
  RuleId rule;
};

// Which rules have the empty text: those whose end is reached from their start over empty edges and calls of such
// rules.
std::vector<bool> rules_with_empty_text(const Network& network) {
  std::vector<bool> has_empty(network.starts.size()), reached(network.nodes.size());
  std::vector<std::vector<Place>> behind(network.starts.size());  // places behind the reached calls of a rule
  std::vector<Place> pending;
  const auto reach = [&](Place place) {
    if (!reached[place.node]) pending.push_back(place);
    reached[place.node] = true;
  };
  for (RuleId rule = 0; rule < network.starts.size(); ++rule) reach({network.starts[rule], rule});
  while (!pending.empty()) {
    const Place place = pending.back();
    pending.pop_back();
    for (const NetworkEdge& edge : network.nodes[place.node].edges) {
      if (edge.kind == NetworkEdge::kEmpty || (edge.kind == NetworkEdge::kCall && has_empty[edge.rule])) {
        reach({edge.target, place.rule});
      } else if (edge.kind == NetworkEdge::kCall) {
        behind[edge.rule].push_back({edge.target, place.rule});
      }
    }
    if (!network.nodes[place.node].accepts || has_empty[place.rule]) continue;
    has_empty[place.rule] = true;
    for (const Place& next : behind[place.rule]) reach(next);
  }
  return has_empty;
}

// Finds what a node reaches over empty edges and calls that may be skipped.
class Closure {
 public:
  Closure(const Network& network, const std::vector<bool>& has_empty)
      : network_(network), has_empty_(has_empty), seen_(network.nodes.size(), kNobody) {}

  // The edges over bytes and calls of all these nodes, and whether one of them accepts.
  NetworkNode of(uint32_t node) {
    NetworkNode merged;
    pending_.assign(1, node);
    seen_[node] = node;
    while (!pending_.empty()) {
      const NetworkNode& current = network_.nodes[pending_.back()];
      pending_.pop_back();
      merged.accepts |= current.accepts;
      for (const NetworkEdge& edge : current.edges) {
        if (edge.kind != NetworkEdge::kEmpty) merged.edges.push_back(edge);
        const bool skips =
            edge.kind == NetworkEdge::kEmpty || (edge.kind == NetworkEdge::kCall && has_empty_[edge.rule]);
        if (!skips || seen_[edge.target] == node) continue;
        seen_[edge.target] = node;
        pending_.push_back(edge.target);
      }
      check(merged.edges.size() + steps_ <= 8 * kMostEdges, "grammar",
            "expected a grammar of at most {} transitions, got more", kMostEdges);
    }
    steps_ += merged.edges.size();
    std::sort(merged.edges.begin(), merged.edges.end());
    merged.edges.erase(std::unique(merged.edges.begin(), merged.edges.end()), merged.edges.end());
    return merged;
  }

 private:
  static constexpr uint32_t kNobody = UINT32_MAX;
  const Network& network_;
  const std::vector<bool>& has_empty_;
  std::vector<uint32_t> seen_;  // by node: the last one that reached it
  std::vector<uint32_t> pending_;
  size_t steps_ = 0;
};

}  // namespace

void remove_empty_edges(Network& network) {
  const std::vector<bool> has_empty = rules_with_empty_text(network);
  network.root_accepts_empty |= has_empty[network.root];
  std::vector<NetworkNode> nodes(network.nodes.size());
  std::vector<bool> wanted(network.nodes.size());
  std::vector<uint32_t> pending;
  const auto want = [&](uint32_t node) {
    if (!wanted[node]) pending.push_back(node);
    wanted[node] = true;
  };
  for (const uint32_t start : network.starts) want(start);
  Closure closure(network, has_empty);
  size_t edges = 0;
  while (!pending.empty()) {
    const uint32_t node = pending.back();
    pending.pop_back();
    nodes[node] = closure.of(node);
    edges += nodes[node].edges.size();
    check(edges <= kMostEdges, "grammar", "expected a grammar of at most {} transitions, got more", kMostEdges);
    for (const NetworkEdge& edge : nodes[node].edges) want(edge.target);
  }
  for (const uint32_t start : network.starts) nodes[start].accepts = false;
  network.nodes = std::move(nodes);
}

}  // namespace tern
