// SPDX-License-Identifier: Apache-2.0
#include "grammar/decimal_range.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

namespace tern {
namespace {

constexpr size_t kWholeDigits = 20, kFractionDigits = 15;

int compare_magnitudes(const Decimal& a, const Decimal& b) {
  if (a.whole.size() != b.whole.size()) return a.whole.size() < b.whole.size() ? -1 : 1;
  const int whole = a.whole.compare(b.whole);
  return whole != 0 ? whole : a.fraction.compare(b.fraction);
}

// Unsigned numbers whose whole part has so many digits, within bounds that are not negative.
class Digits {
 public:
  Digits(size_t whole, const DecimalRange& range, GrammarTree& tree) : whole_(whole), range_(range), tree_(tree) {
    if (range.low) low_ = digits_of(range.low->value);
    if (range.high) high_ = digits_of(range.high->value);
  }

  ExprId expr() {
    const size_t low_size = range_.low ? range_.low->value.whole.size() : 1;
    const size_t high_size = range_.high ? range_.high->value.whole.size() : whole_ + 1;
    if (whole_ < low_size || whole_ > high_size) return tree_.impossible();
    return digits_from(0, range_.low && whole_ == low_size, range_.high && whole_ == high_size);
  }

 private:
  size_t last() const { return whole_ + (range_.integer ? 0 : kFractionDigits); }

  // All digits of a bound, enough of them to look at each place and one digit more that tells whether others follow.
  std::string digits_of(const Decimal& bound) const {
    std::string digits = bound.whole + bound.fraction;
    digits.resize(std::max(digits.size(), bound.whole.size() + kFractionDigits), '0');
    return digits;
  }

  static bool only_zeros_from(const std::string& digits, size_t place) {
    return digits.find_first_not_of('0', place) == digits.npos;
  }

  // The number may end before this place, if so far it is the beginning of a bound or of none.
  bool may_end(size_t place, bool at_low, bool at_high) const {
    if (place < whole_) return false;
    if (at_low && (!only_zeros_from(low_, place) || range_.low->exclusive)) return false;
    return !at_high || !only_zeros_from(high_, place) || !range_.high->exclusive;
  }

  ExprId digits_from(size_t place, bool at_low, bool at_high) {
    std::vector<ExprId> choices;
    if (may_end(place, at_low, at_high)) choices.push_back(tree_.nothing());
    if (place < last()) {
      const ExprId next = next_digit(place, at_low, at_high);
      choices.push_back(place == whole_ ? tree_.sequence({tree_.text("."), next}) : next);
    }
    return tree_.choice(std::move(choices));
  }

  ExprId next_digit(size_t place, bool at_low, bool at_high) {
    char first = place == 0 && whole_ > 1 ? '1' : '0', end = '9' + 1;
    std::vector<ExprId> choices;
    const auto add = [&](char digit, bool is_low, bool is_high) {
      const ExprId rest = digits_from(place + 1, is_low, is_high);
      choices.push_back(tree_.sequence({tree_.text({&digit, 1}), rest}));
    };
    if (at_low && at_high && low_[place] > high_[place]) return tree_.impossible();
    if (at_low && at_high && low_[place] == high_[place]) {
      add(low_[place], true, true);
      return choices[0];
    }
    if (at_low) {
      first = static_cast<char>(low_[place] + 1);
      add(low_[place], true, false);
    }
    if (at_high) {
      end = high_[place];
      if (end >= (place == 0 && whole_ > 1 ? '1' : '0')) add(end, false, true);
    }
    if (first < end) {
      const auto range = CharRange{static_cast<char32_t>(first), static_cast<char32_t>(end - 1)};
      choices.push_back(tree_.sequence({tree_.chars({range}), free_from(place + 1)}));
    }
    return tree_.choice(std::move(choices));
  }

  // What may follow once no bound matters.
  ExprId free_from(size_t place) {
    const auto digits = [&](size_t min, size_t max) {
      return tree_.repeat(tree_.chars({{'0', '9'}}), static_cast<uint32_t>(min), static_cast<uint32_t>(max));
    };
    if (place > whole_) return digits(0, last() - place);
    const ExprId whole = digits(whole_ - place, whole_ - place);
    if (range_.integer) return whole;
    return tree_.sequence({whole, tree_.optional(tree_.sequence({tree_.text("."), digits(1, kFractionDigits)}))});
  }

  size_t whole_;
  const DecimalRange& range_;
  GrammarTree& tree_;
  std::string low_, high_;
};

ExprId magnitudes_in(const DecimalRange& range, GrammarTree& tree) {
  std::vector<ExprId> choices;
  for (size_t whole = 1; whole <= kWholeDigits; ++whole) choices.push_back(Digits(whole, range, tree).expr());
  return tree.choice(std::move(choices));
}

DecimalBound negated(DecimalBound bound) {
  bound.value.negative = !bound.value.negative && !bound.value.is_zero();
  return bound;
}

}  // namespace

Decimal parse_decimal(std::string_view number) {
  Decimal decimal;
  if (number.starts_with('-')) {
    decimal.negative = true;
    number.remove_prefix(1);
  }
  const size_t e = std::min(number.find_first_of("eE"), number.size());
  const size_t point = std::min(number.find('.'), e);
  std::string digits(number.substr(0, point));
  int places = static_cast<int>(digits.size());  // before the point
  if (point < e) digits += number.substr(point + 1, e - point - 1);
  if (e < number.size()) {
    std::string_view exponent = number.substr(e + 1);
    if (exponent.starts_with('+')) exponent.remove_prefix(1);
    int shift = 0;
    std::from_chars(exponent.data(), exponent.data() + exponent.size(), shift);
    places += shift;
  }
  if (places < 0) digits.insert(0, static_cast<size_t>(-places), '0');
  const auto whole = static_cast<size_t>(std::max(places, 0));
  if (digits.size() < whole) digits.resize(whole, '0');
  decimal.fraction = digits.substr(whole);
  decimal.fraction.resize(decimal.fraction.find_last_not_of('0') + 1);
  digits.resize(whole);
  digits.erase(0, digits.find_first_not_of('0'));
  decimal.whole = digits.empty() ? "0" : digits;
  decimal.negative &= !decimal.is_zero();
  return decimal;
}

bool is_less(const Decimal& a, const Decimal& b) {
  if (a.negative != b.negative) return a.negative;
  return a.negative ? compare_magnitudes(b, a) < 0 : compare_magnitudes(a, b) < 0;
}

ExprId decimals_in(const DecimalRange& range, GrammarTree& tree) {
  const bool low_is_negative = !range.low || range.low->value.negative;
  const bool high_is_negative = range.high && range.high->value.negative;
  std::vector<ExprId> choices;
  if (!high_is_negative) {
    const DecimalRange positive = {low_is_negative ? std::nullopt : range.low, range.high, range.integer};
    choices.push_back(magnitudes_in(positive, tree));
  }
  if (low_is_negative) {
    DecimalRange negative = {DecimalBound{{}, /*exclusive=*/true}, std::nullopt, range.integer};
    if (high_is_negative) negative.low = negated(*range.high);
    if (range.low) negative.high = negated(*range.low);
    choices.push_back(tree.sequence({tree.text("-"), magnitudes_in(negative, tree)}));
  }
  return tree.choice(std::move(choices));
}

}  // namespace tern
