// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "grammar/network.h"

namespace tern {
namespace {

// An edge seen from its target: it leads to `node` backwards, over a text of `rule` if it is a call.
struct Backward {
  uint32_t node;
  bool is_call;
  RuleId rule;
};

// Which nodes lead to the end of their rule.
std::vector<bool> live_nodes(const Network& network) {
  std::vector<std::vector<Backward>> backward(network.nodes.size());
  std::vector<std::vector<RuleId>> rules_of_start(network.nodes.size());
  std::vector<std::vector<uint32_t>> waiting(
      network.starts.size());  // nodes whose call of a rule would lead to the end
  std::vector<bool> live(network.nodes.size()), has_text(network.starts.size());
  std::vector<uint32_t> pending;
  const auto revive = [&](uint32_t node) {
    if (!live[node]) pending.push_back(node);
    live[node] = true;
  };
  for (RuleId rule = 0; rule < network.starts.size(); ++rule) rules_of_start[network.starts[rule]].push_back(rule);
  for (uint32_t node = 0; node < network.nodes.size(); ++node) {
    for (const NetworkEdge& edge : network.nodes[node].edges)
      backward[edge.target].push_back({node, edge.kind == NetworkEdge::kCall, edge.rule});
    if (network.nodes[node].accepts) revive(node);
  }
  while (!pending.empty()) {
    const uint32_t node = pending.back();
    pending.pop_back();
    for (const Backward& edge : backward[node]) {
      if (!edge.is_call || has_text[edge.rule]) {
        revive(edge.node);
      } else {
        waiting[edge.rule].push_back(edge.node);
      }
    }
    for (const RuleId rule : rules_of_start[node]) {
      has_text[rule] = true;
      for (const uint32_t caller : std::exchange(waiting[rule], {})) revive(caller);
    }
  }
  return live;
}

}  // namespace

bool prune(Network& network) {
  const std::vector<bool> live = live_nodes(network);
  const auto is_dead = [&](const NetworkEdge& edge) {
    return !live[edge.target] || (edge.kind == NetworkEdge::kCall && !live[network.starts[edge.rule]]);
  };
  for (NetworkNode& node : network.nodes) std::erase_if(node.edges, is_dead);
  return network.root_accepts_empty || live[network.starts[network.root]];
}

}  // namespace tern
