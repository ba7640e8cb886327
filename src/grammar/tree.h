// SPDX-License-Identifier: Apache-2.0
// A grammar as it is written: rules and expressions over characters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tern {

// Both ends belong to the range.
struct CharRange {
  char32_t first, last;
};

inline constexpr char32_t kLastChar = 0x10FFFF;

// The characters that are in none of the ranges, as ranges that ascend and do not overlap; never a surrogate.
std::vector<CharRange> complement(std::vector<CharRange> ranges);
// The same characters as ranges that ascend and do not overlap, without surrogates.
std::vector<CharRange> normalized(std::vector<CharRange> ranges);

using ExprId = uint32_t;
using RuleId = uint32_t;

inline constexpr uint32_t kUnbounded = UINT32_MAX;

struct Expr {
  enum Kind : uint8_t { kBytes, kChars, kSequence, kChoice, kRepeat, kRule };
  Kind kind;
  std::string bytes = {};             // kBytes
  std::vector<CharRange> chars = {};  // kChars: normalized
  std::vector<ExprId> parts = {};     // kSequence; kChoice, where none is the empty set; kRepeat: one
  uint32_t min = 0, max = 0;          // kRepeat; max may be kUnbounded
  RuleId rule = 0;                    // kRule
  uint32_t depth = 0;                 // of expressions in it
};

// Expressions may be used in several places. Ids are valid in the tree that gave them.
class GrammarTree {
 public:
  ExprId text(std::string_view bytes);
  ExprId chars(std::vector<CharRange> ranges);
  ExprId sequence(std::vector<ExprId> parts);
  ExprId choice(std::vector<ExprId> parts);
  // Expects min <= max.
  ExprId repeat(ExprId part, uint32_t min, uint32_t max);
  ExprId optional(ExprId part) { return repeat(part, 0, 1); }
  ExprId nothing() { return text({}); }       // the empty text
  ExprId impossible() { return choice({}); }  // no text
  ExprId reference(RuleId rule);

  // Adds a rule, to be given its expression by define; until then it describes no text.
  RuleId add_rule();
  void define(RuleId rule, ExprId expr);
  // A reference to a new rule for expr: a rule is compiled once, an expression in each place that uses it.
  ExprId as_rule(ExprId expr);

  void set_root(RuleId rule) { root_ = rule; }
  RuleId root() const { return root_; }
  const Expr& expr(ExprId id) const { return exprs_[id]; }
  ExprId body(RuleId rule) const { return rules_[rule]; }
  uint32_t expr_count() const { return static_cast<uint32_t>(exprs_.size()); }
  uint32_t rule_count() const { return static_cast<uint32_t>(rules_.size()); }

 private:
  ExprId add(Expr expr);

  std::vector<Expr> exprs_;
  std::vector<ExprId> rules_;
  RuleId root_ = 0;
};

}  // namespace tern
