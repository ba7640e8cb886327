// SPDX-License-Identifier: Apache-2.0
#include "grammar/tree.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace tern {
namespace {

constexpr size_t kMostExprs = size_t{1} << 20;
constexpr size_t kMostRules = size_t{1} << 16;
constexpr uint32_t kDeepestExpr = 1000;  // what follows recurses
constexpr CharRange kSurrogates = {0xD800, 0xDFFF};

}  // namespace

std::vector<CharRange> complement(std::vector<CharRange> ranges) {
  ranges.push_back(kSurrogates);
  std::sort(ranges.begin(), ranges.end(), [](CharRange a, CharRange b) { return a.first < b.first; });
  std::vector<CharRange> others;
  char32_t next = 0;  // the first character of which nothing is known yet
  for (const CharRange& range : ranges) {
    if (range.first > next) others.push_back({next, range.first - 1});
    next = std::max(next, static_cast<char32_t>(range.last + 1));
  }
  if (next <= kLastChar) others.push_back({next, kLastChar});
  return others;
}

std::vector<CharRange> normalized(std::vector<CharRange> ranges) { return complement(complement(std::move(ranges))); }

ExprId GrammarTree::add(Expr expr) {
  check(exprs_.size() < kMostExprs, "grammar", "expected at most {} expressions, got more", kMostExprs);
  for (const ExprId part : expr.parts) expr.depth = std::max(expr.depth, exprs_[part].depth + 1);
  check(expr.depth <= kDeepestExpr, "grammar", "expected expressions nested at most {} deep, got more", kDeepestExpr);
  exprs_.push_back(std::move(expr));
  return static_cast<ExprId>(exprs_.size() - 1);
}

ExprId GrammarTree::text(std::string_view bytes) { return add({.kind = Expr::kBytes, .bytes = std::string(bytes)}); }

ExprId GrammarTree::chars(std::vector<CharRange> ranges) {
  return add({.kind = Expr::kChars, .chars = normalized(std::move(ranges))});
}

ExprId GrammarTree::sequence(std::vector<ExprId> parts) {
  return parts.size() == 1 ? parts[0] : add({.kind = Expr::kSequence, .parts = std::move(parts)});
}

ExprId GrammarTree::choice(std::vector<ExprId> parts) {
  return parts.size() == 1 ? parts[0] : add({.kind = Expr::kChoice, .parts = std::move(parts)});
}

ExprId GrammarTree::repeat(ExprId part, uint32_t min, uint32_t max) {
  return add({.kind = Expr::kRepeat, .parts = {part}, .min = min, .max = max});
}

ExprId GrammarTree::reference(RuleId rule) { return add({.kind = Expr::kRule, .rule = rule}); }

RuleId GrammarTree::add_rule() {
  check(rules_.size() < kMostRules, "grammar", "expected at most {} rules, got more", kMostRules);
  rules_.push_back(impossible());
  return static_cast<RuleId>(rules_.size() - 1);
}

void GrammarTree::define(RuleId rule, ExprId expr) { rules_[rule] = expr; }

ExprId GrammarTree::as_rule(ExprId expr) {
  const RuleId rule = add_rule();
  define(rule, expr);
  return reference(rule);
}

}  // namespace tern
