// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "grammar/network.h"
#include "grammar/utf8_ranges.h"

namespace tern {
namespace {

// A rule of at most about this many nodes is copied into its callers: a call for each character of a string would make
// each character a visit to the stack.
constexpr uint64_t kSmallRule = 48;
// A repetition that would become larger than this calls the rules in it. Also stands for any larger weight.
constexpr uint64_t kLarge = kMostNodes / 4;
constexpr int kDeepestCopy = 32;
constexpr uint64_t kMostSteps = uint64_t{4} * kMostNodes;

class Builder {
 public:
  explicit Builder(const GrammarTree& tree) : tree_(tree), weights_(tree.rule_count()), sizes_(tree.expr_count()) {}

  Network build() {
    network_.root = tree_.root();
    for (RuleId rule = 0; rule < tree_.rule_count(); ++rule) {
      const uint32_t start = network_.add_node();
      network_.starts.push_back(start);
      const uint32_t end = add(tree_.body(rule), start);
      network_.nodes[end].accepts = true;
    }
    return std::move(network_);
  }

 private:
  // About how many nodes an expression needs, up to kLarge; kLarge if it calls a rule that is not small.
  uint64_t weight(ExprId id, int depth) {
    const Expr& e = tree_.expr(id);
    uint64_t sum = 1;
    switch (e.kind) {
      case Expr::kBytes:
        sum += e.bytes.size();
        break;
      case Expr::kChars:
        sum = weight_of_chars(e);
        break;
      case Expr::kRule:
        sum += weight_of_rule(e.rule, depth);
        break;
      case Expr::kSequence:
      case Expr::kChoice:
        for (const ExprId part : e.parts) sum = std::min(sum + weight(part, depth), kLarge);
        break;
      case Expr::kRepeat:
        sum += e.max == kUnbounded ? kLarge : e.max * weight(e.parts[0], depth);
        break;
    }
    return std::min(sum, kLarge);
  }

  uint64_t weight_of_rule(RuleId rule, int depth) {
    if (!weights_[rule]) {
      weights_[rule] = kLarge;  // until it is known: a circle
      if (depth < kDeepestCopy) {
        const uint64_t known = weight(tree_.body(rule), depth + 1);
        if (known <= kSmallRule) weights_[rule] = known;
      }
    }
    return *weights_[rule];
  }

  void link(uint32_t from, uint32_t to) { network_.nodes[from].edges.push_back({NetworkEdge::kEmpty, 0, 0, to, 0}); }

  void link(uint32_t from, ByteRange bytes, uint32_t to) {
    network_.nodes[from].edges.push_back({NetworkEdge::kByte, bytes.first, bytes.last, to, 0});
  }

  // Lets the expression's texts lead from node `from` to the node returned; no new edge leads to `from`.
  uint32_t add(ExprId id, uint32_t from) {
    check(++steps_ <= kMostSteps, "grammar", "expected a grammar of at most {} states, got more", kMostNodes);
    const Expr& e = tree_.expr(id);
    switch (e.kind) {
      case Expr::kBytes:
        return add_text(e.bytes, from);
      case Expr::kChars:
        return add_chars(e.chars, from);
      case Expr::kSequence:
        for (const ExprId part : e.parts) from = add(part, from);
        return from;
      case Expr::kChoice:
        return add_choice(e.parts, from);
      case Expr::kRepeat:
        return add_repeat(e, from);
      case Expr::kRule:
        return add_call(e.rule, from);
    }
    return from;
  }

  uint32_t add_text(const std::string& bytes, uint32_t from) {
    for (const char c : bytes) {
      const uint32_t next = network_.add_node();
      link(from, {static_cast<uint8_t>(c), static_cast<uint8_t>(c)}, next);
      from = next;
    }
    return from;
  }

  // Sequences share their common ends.
  uint32_t add_chars(const std::vector<CharRange>& ranges, uint32_t from) {
    std::vector<Utf8Sequence> sequences;
    for (const CharRange& range : ranges) append_utf8_sequences(range, sequences);
    const uint32_t end = network_.add_node();
    std::map<std::tuple<uint8_t, uint8_t, uint32_t>, uint32_t> tails;
    for (const Utf8Sequence& sequence : sequences) {
      uint32_t next = end;
      for (uint32_t i = sequence.length - 1; i > 0; --i) {
        const ByteRange bytes = sequence.bytes[i];
        const auto [found, is_new] = tails.try_emplace({bytes.first, bytes.last, next});
        if (is_new) {
          found->second = network_.add_node();
          link(found->second, bytes, next);
        }
        next = found->second;
      }
      link(from, sequence.bytes[0], next);
    }
    return end;
  }

  uint32_t add_choice(const std::vector<ExprId>& parts, uint32_t from) {
    const uint32_t end = network_.add_node();
    for (const ExprId part : parts) link(add(part, from), end);
    return end;
  }

  uint32_t add_repeat(const Expr& e, uint32_t from) {
    const bool was_copying = copying_;
    if (times(e) > 1 && times(e) * size(e.parts[0]) > kLarge) copying_ = false;
    for (uint32_t i = 0; i < e.min; ++i) from = add(e.parts[0], from);
    const uint32_t end = network_.add_node();
    if (e.max == kUnbounded) {
      const uint32_t loop = network_.add_node();
      link(from, loop);
      link(add(e.parts[0], loop), loop);
      link(loop, end);
    } else {
      for (uint32_t i = e.min; i < e.max; ++i) {
        link(from, end);
        from = add(e.parts[0], from);
      }
      link(from, end);
    }
    copying_ = was_copying;
    return end;
  }

  // About how many nodes add makes of an expression, up to kLarge.
  uint64_t size(ExprId id) {
    if (sizes_[id] == 0) sizes_[id] = std::min(count_size(tree_.expr(id)), kLarge);
    return sizes_[id];
  }

  uint64_t count_size(const Expr& e) {
    if (e.kind == Expr::kBytes) return 1 + e.bytes.size();
    if (e.kind == Expr::kChars) return weight_of_chars(e);
    if (e.kind == Expr::kRule) return is_copied(e.rule) ? weight_of_rule(e.rule, 0) : 1;
    uint64_t sum = 1;
    for (const ExprId part : e.parts) sum = std::min(sum + size(part), kLarge);
    return e.kind == Expr::kRepeat ? sum * times(e) : sum;
  }

  // How often a repetition holds its part.
  static uint64_t times(const Expr& e) { return e.max == kUnbounded ? e.min + uint64_t{1} : e.max; }
  static uint64_t weight_of_chars(const Expr& e) { return !e.chars.empty() && e.chars.back().last >= 0x80 ? 11 : 2; }
  bool is_copied(RuleId rule) { return weight_of_rule(rule, 0) < kLarge; }

  uint32_t add_call(RuleId rule, uint32_t from) {
    if (copying_ && is_copied(rule)) return add(tree_.body(rule), from);
    const uint32_t next = network_.add_node();
    network_.nodes[from].edges.push_back({NetworkEdge::kCall, 0, 0, next, rule});
    return next;
  }

  const GrammarTree& tree_;
  Network network_;
  std::vector<std::optional<uint64_t>> weights_;  // kLarge for rules that are called, not copied
  std::vector<uint64_t> sizes_;                   // of expressions; 0 until known
  uint64_t steps_ = 0;
  bool copying_ = true;
};

}  // namespace

uint32_t Network::add_node() {
  check(nodes.size() < kMostNodes, "grammar", "expected a grammar of at most {} states, got more", kMostNodes);
  nodes.emplace_back();
  return static_cast<uint32_t>(nodes.size() - 1);
}

Network build_network(const GrammarTree& tree) { return Builder(tree).build(); }

}  // namespace tern
