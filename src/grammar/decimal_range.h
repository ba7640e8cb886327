// SPDX-License-Identifier: Apache-2.0
// Numbers between bounds, as digits.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "grammar/tree.h"

namespace tern {

// An exact decimal number. The whole part has no zeros before its first digit but one if there is no other, the
// fraction has no zeros at its end; zero is not negative.
struct Decimal {
  bool negative = false;
  std::string whole = "0", fraction;

  bool is_zero() const { return whole == "0" && fraction.empty(); }
};

// Expects a number as JSON writes it, with an exponent between -400 and 400.
Decimal parse_decimal(std::string_view number);
bool is_less(const Decimal& a, const Decimal& b);

struct DecimalBound {
  Decimal value;
  bool exclusive = false;
};

struct DecimalRange {
  std::optional<DecimalBound> low, high;
  bool integer = false;  // nothing after the point
};

// The numbers in the range, without exponent and of at most 20 digits before and 15 after the point.
ExprId decimals_in(const DecimalRange& range, GrammarTree& tree);

}  // namespace tern
