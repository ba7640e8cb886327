// SPDX-License-Identifier: Apache-2.0
// Filters on numbers.
#include <charconv>
#include <cmath>
#include <optional>

#include "jinja/builtins.h"
#include "jinja/operators.h"
#include "jinja/text.h"

namespace tern::jinja {
namespace {

// The digits of a Python literal: without whitespace around, sign and single _ between digits.
std::optional<std::string> plain_digits(std::string_view text, bool& negative) {
  text = strip(text, Ends::both);
  negative = !text.empty() && text[0] == '-';
  if (negative || (!text.empty() && text[0] == '+')) text.remove_prefix(1);
  std::string digits;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool between = i > 0 && i + 1 < text.size() && text[i - 1] != '_' && text[i + 1] != '_';
    if (text[i] == '_' && !between) return std::nullopt;
    if (text[i] != '_') digits += text[i];
  }
  if (digits.empty() || digits[0] == '-' || digits[0] == '+') return std::nullopt;
  return digits;
}

std::optional<int64_t> parse_integer(std::string_view text, int base) {
  bool negative = false;
  std::optional<std::string> digits = plain_digits(text, negative);
  if (!digits) return std::nullopt;
  const std::string prefix = to_lower(digits->substr(0, 2));
  if ((base == 16 && prefix == "0x") || (base == 8 && prefix == "0o") || (base == 2 && prefix == "0b"))
    digits->erase(0, 2);
  if (negative) digits->insert(0, "-");
  int64_t number = 0;
  const char* end = digits->data() + digits->size();
  const auto read = std::from_chars(digits->data(), end, number, base);
  if (read.ptr != end || read.ec == std::errc::invalid_argument) return std::nullopt;
  if (read.ec != std::errc()) throw Fault("expected an integer of 64 bits, got a larger one");
  return number;
}

std::optional<double> parse_real(std::string_view text) {
  bool negative = false;
  const std::optional<std::string> digits = plain_digits(text, negative);
  if (!digits) return std::nullopt;
  const std::string word = to_lower(*digits);
  double number = 0;
  if (word == "inf" || word == "infinity") {
    number = INFINITY;
  } else if (word == "nan") {
    number = NAN;
  } else {
    if (!is_digit(word[0]) && word[0] != '.') return std::nullopt;
    const auto read = std::from_chars(word.data(), word.data() + word.size(), number);
    if (read.ptr != word.data() + word.size() || read.ec == std::errc::invalid_argument) return std::nullopt;
    if (read.ec != std::errc()) {  // too large or too small for a double
      const size_t exponent = word.find('e');
      number = exponent != word.npos && word[exponent + 1] == '-' ? 0.0 : INFINITY;
    }
  }
  return negative ? -number : number;
}

int64_t truncate(double number) {
  if (!(std::abs(number) < 9.2e18)) throw Fault("expected an integer of 64 bits, got a larger one");
  return static_cast<int64_t>(number);
}

Value filter_int(Runtime&, const Value& input, const Arguments& arguments) {
  const Parameters given("int", arguments, {"default", "base"});
  input.require_defined();
  const int64_t base = given.integer(1, 10);
  if (base < 2 || base > 36) throw Fault("expected a base from 2 to 36, got " + std::to_string(base));
  std::optional<double> real;
  if (input.is_integral()) return input.integer();
  if (input.is_real()) real = input.real();
  if (input.is_string()) {
    if (const std::optional<int64_t> number = parse_integer(input.string(), static_cast<int>(base))) return *number;
    real = parse_real(input.string());
  }
  if (real && std::isfinite(*real)) return truncate(*real);
  return given.has(0) ? given[0] : Value(int64_t{0});
}

Value filter_float(Runtime&, const Value& input, const Arguments& arguments) {
  const Parameters given("float", arguments, {"default"});
  input.require_defined();
  if (input.is_number()) return input.real();
  const std::optional<double> number = input.is_string() ? parse_real(input.string()) : std::nullopt;
  if (number) return *number;
  return given.has(0) ? given[0] : Value(0.0);
}

Value filter_abs(Runtime&, const Value& input, const Arguments& arguments) {
  const Parameters none("abs", arguments, {});
  if (input.is_real()) return std::abs(input.real());
  input.require_defined();
  if (!input.is_integral()) throw Fault(std::string("expected a number for abs, got a ") + input.kind());
  return input.integer() < 0 ? negate(input) : Value(input.integer());
}

// Python's round(): exact decimal digits, halves to even.
double round_to(double number, int precision) {
  if (!std::isfinite(number) || precision > 300) return number;
  char digits[1024];
  const auto written = std::to_chars(digits, digits + sizeof digits, number, std::chars_format::fixed, precision);
  double rounded = number;
  if (written.ec == std::errc()) std::from_chars(digits, written.ptr, rounded);
  return rounded;
}

Value filter_round(Runtime&, const Value& input, const Arguments& arguments) {
  const Parameters given("round", arguments, {"precision", "method"});
  const int64_t precision = given.integer(0, 0);
  const std::string_view method = given.text(1, "common");
  input.require_defined();
  if (!input.is_number()) throw Fault(std::string("expected a number for round, got a ") + input.kind());
  if (precision < 0 || precision > 1000)
    throw Fault("expected a precision from 0 to 1000, got " + std::to_string(precision));
  if (method == "common") {
    if (input.is_integral()) return input.integer();
    return round_to(input.real(), static_cast<int>(precision));
  }
  if (method != "ceil" && method != "floor") throw Fault("expected round's method to be common, ceil or floor");
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = input.real() * scale;
  return (method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale;
}

}  // namespace

Filter find_number_filter(std::string_view name) {
  static constexpr std::pair<std::string_view, Filter> kFilters[] = {
      {"abs", filter_abs}, {"float", filter_float}, {"int", filter_int}, {"round", filter_round}};
  for (const auto& [known, filter] : kFilters) {
    if (known == name) return filter;
  }
  return nullptr;
}

}  // namespace tern::jinja
