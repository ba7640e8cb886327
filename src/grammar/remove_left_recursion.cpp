// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "grammar/network.h"

namespace tern {
namespace {

constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

bool is_call(const NetworkEdge& edge) { return edge.kind == NetworkEdge::kCall; }

// The rules of each circle of rules that begin with a call of one another (Tarjan 1972, with a stack of its own).
class LeftCircles {
 public:
  explicit LeftCircles(const Network& network)
      : network_(network),
        order_(network.starts.size(), kNone),
        low_(network.starts.size()),
        is_open_(network.starts.size()) {}

  std::vector<std::vector<RuleId>> find() {
    for (RuleId rule = 0; rule < network_.starts.size(); ++rule) {
      if (order_[rule] == kNone) visit(rule);
    }
    return std::move(circles_);
  }

 private:
  struct Visit {
    RuleId rule;
    size_t edge;
  };

  const std::vector<NetworkEdge>& first_edges(RuleId rule) const { return network_.nodes[network_.starts[rule]].edges; }

  void enter(RuleId rule) {
    order_[rule] = low_[rule] = count_++;
    is_open_[rule] = true;
    open_.push_back(rule);
    visits_.push_back({rule, 0});
  }

  void visit(RuleId root) {
    enter(root);
    while (!visits_.empty()) {
      Visit& current = visits_.back();
      const RuleId rule = current.rule;
      if (current.edge == first_edges(rule).size()) {
        visits_.pop_back();
        if (!visits_.empty()) low_[visits_.back().rule] = std::min(low_[visits_.back().rule], low_[rule]);
        if (low_[rule] == order_[rule]) close(rule);
        continue;
      }
      const NetworkEdge& edge = first_edges(rule)[current.edge++];
      if (!is_call(edge)) continue;
      if (order_[edge.rule] == kNone) {
        enter(edge.rule);
      } else if (is_open_[edge.rule]) {
        low_[rule] = std::min(low_[rule], order_[edge.rule]);
      }
    }
  }

  void close(RuleId rule) {
    std::vector<RuleId> component;
    do {
      component.push_back(open_.back());
      is_open_[open_.back()] = false;
      open_.pop_back();
    } while (component.back() != rule);
    const auto calls_itself = [&](const NetworkEdge& edge) { return is_call(edge) && edge.rule == rule; };
    const std::vector<NetworkEdge>& edges = first_edges(rule);
    if (component.size() > 1 || std::any_of(edges.begin(), edges.end(), calls_itself))
      circles_.push_back(std::move(component));
  }

  const Network& network_;
  std::vector<uint32_t> order_, low_;
  std::vector<bool> is_open_;
  std::vector<RuleId> open_;
  std::vector<Visit> visits_;
  std::vector<std::vector<RuleId>> circles_;
  uint32_t count_ = 0;
};

// Rewrites the rules of a circle. A text of rule A begins with one of some rule B of the circle that begins with no
// call into it; a call by which a rule C begins with B then turns that into the beginning of a C, and so on until an A
// is complete. So A becomes: copies of all rules of the circle; its start has their first edges other than those calls;
// and where the copy of B accepts, empty edges lead to behind those calls of B.
class CircleRewriter {
 public:
  CircleRewriter(Network& network, const std::vector<RuleId>& circle)
      : network_(network), circle_(circle), in_circle_(circle.begin(), circle.end()) {
    for (const RuleId rule : circle) {
      for (const NetworkEdge& edge : network.nodes[network.starts[rule]].edges) {
        if (is_left_call(edge)) behind_[edge.rule].push_back({edge.target, rule});
      }
    }
  }

  void rewrite() {
    std::vector<uint32_t> starts;
    for (const RuleId rule : circle_) starts.push_back(rewritten(rule));
    for (size_t i = 0; i < circle_.size(); ++i) network_.starts[circle_[i]] = starts[i];
  }

 private:
  bool is_left_call(const NetworkEdge& edge) const { return is_call(edge) && in_circle_.contains(edge.rule); }

  // The new start of rule A.
  uint32_t rewritten(RuleId a) {
    copies_.clear();
    const uint32_t start = network_.add_node();
    for (const RuleId b : circle_) {
      const std::vector<NetworkEdge> first_edges = network_.nodes[network_.starts[b]].edges;
      for (NetworkEdge edge : first_edges) {
        const bool is_left = is_left_call(edge);
        edge.target = copy(edge.target, b, a);
        if (!is_left) network_.nodes[start].edges.push_back(edge);
      }
      copy_pending(a);
    }
    return start;
  }

  // The copy of a node of rule B in the new rule A.
  uint32_t copy(uint32_t node, RuleId b, RuleId a) {
    const auto [found, is_new] = copies_.try_emplace(node, kNone);
    if (is_new) {
      found->second = network_.add_node();
      network_.nodes[found->second].accepts = network_.nodes[node].accepts && a == b;
      pending_.push_back({node, b});
    }
    return found->second;
  }

  void copy_pending(RuleId a) {
    while (!pending_.empty()) {
      const auto [node, b] = pending_.back();
      pending_.pop_back();
      std::vector<NetworkEdge> edges = network_.nodes[node].edges;
      for (NetworkEdge& edge : edges) edge.target = copy(edge.target, b, a);
      if (network_.nodes[node].accepts) {
        for (const auto& [target, caller] : behind_[b])
          edges.push_back({NetworkEdge::kEmpty, 0, 0, copy(target, caller, a), 0});
      }
      network_.nodes[copies_.at(node)].edges = std::move(edges);
    }
  }

  struct Behind {
    uint32_t target;
    RuleId caller;
  };
  struct Pending {
    uint32_t node;
    RuleId rule;
  };

  Network& network_;
  const std::vector<RuleId>& circle_;
  std::set<RuleId> in_circle_;
  std::map<RuleId, std::vector<Behind>> behind_;  // by rule: where the left calls of it lead
  std::unordered_map<uint32_t, uint32_t> copies_;
  std::vector<Pending> pending_;
};

}  // namespace

void remove_left_recursion(Network& network) {
  for (const std::vector<RuleId>& circle : LeftCircles(network).find()) CircleRewriter(network, circle).rewrite();
}

}  // namespace tern
