// SPDX-License-Identifier: Apache-2.0
#include "jinja/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "jinja/print.h"
#include "jinja/text.h"

namespace tern::jinja {
namespace {

constexpr size_t kMaxWidth = 4096;

// One conversion of a format: %-08.3f
struct Conversion {
  bool left = false, zeros = false, plus = false, space = false, alternate = false;
  size_t width = 0;
  int precision = -1;
  char letter = 0;
};

size_t read_number(std::string_view format, size_t& at) {
  size_t number = 0;
  for (; at < format.size() && is_digit(format[at]); ++at) {
    number = number * 10 + static_cast<size_t>(format[at] - '0');
    if (number > kMaxWidth) throw Fault("expected a width of at most " + std::to_string(kMaxWidth) + " in a format");
  }
  return number;
}

// From behind the % to behind the letter.
Conversion read_conversion(std::string_view format, size_t& at) {
  Conversion result;
  for (; at < format.size(); ++at) {
    const char c = format[at];
    if (c == '-') {
      result.left = true;
    } else if (c == '0') {
      result.zeros = true;
    } else if (c == '+') {
      result.plus = true;
    } else if (c == ' ') {
      result.space = true;
    } else if (c == '#') {
      result.alternate = true;
    } else {
      break;
    }
  }
  result.width = read_number(format, at);
  if (at < format.size() && format[at] == '.') {
    ++at;
    result.precision = static_cast<int>(read_number(format, at));
  }
  if (at == format.size()) throw Fault("expected a conversion after % in a format, got its end");
  result.letter = format[at++];
  return result;
}

std::string digits_of(const Conversion& conversion, const Value& value) {
  const char letter = conversion.letter;
  if (!value.is_number()) {
    value.require_defined();
    throw Fault(std::string("expected a number for %") + letter + ", got a " + value.kind());
  }
  if (std::string_view("fFeEgG").find(letter) != std::string_view::npos) {
    const double number = std::abs(value.real());
    const int precision = conversion.precision < 0 ? 6 : conversion.precision;
    return fmt::format(fmt::runtime(fmt::format("{{:.{}{}}}", precision, letter)), number);
  }
  if (value.is_real() && !(std::abs(value.real()) < 9e18)) throw Fault("expected an integer of 64 bits in a format");
  if (value.is_real() && (letter == 'x' || letter == 'X' || letter == 'o')) {
    throw Fault(std::string("expected an integer for %") + letter + ", got a float");
  }
  const int64_t number = value.is_real() ? static_cast<int64_t>(value.real()) : value.integer();
  const uint64_t size = number < 0 ? 0 - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
  const char base = letter == 'i' || letter == 'u' ? 'd' : letter;
  std::string digits = fmt::format(fmt::runtime(fmt::format("{{:{}}}", base)), size);
  if (conversion.precision > 0 && digits.size() < static_cast<size_t>(conversion.precision)) {
    digits.insert(0, static_cast<size_t>(conversion.precision) - digits.size(), '0');
  }
  if (conversion.alternate && base != 'd') digits.insert(0, std::string("0") + base);
  return digits;
}

std::string pad(const Conversion& conversion, std::string text) {
  const size_t length = count_code_points(text);
  if (length >= conversion.width) return text;
  const std::string blanks(conversion.width - length, ' ');
  return conversion.left ? text + blanks : blanks + text;
}

std::string convert_number(const Conversion& conversion, const Value& value) {
  std::string digits = digits_of(conversion, value);
  const bool negative = value.is_real() ? std::signbit(value.real()) : value.integer() < 0;
  const std::string sign = negative ? "-" : conversion.plus ? "+" : conversion.space ? " " : "";
  const size_t length = sign.size() + digits.size();
  if (conversion.zeros && !conversion.left && length < conversion.width) {
    digits.insert(0, conversion.width - length, '0');
  }
  return pad(conversion, sign + digits);
}

std::string convert(Budget& budget, const Conversion& conversion, const Value& value) {
  std::string text;
  switch (conversion.letter) {
    case 's':
      text = to_text(budget, value);
      break;
    case 'r':
      text = to_repr(budget, value);
      break;
    case 'd':
    case 'i':
    case 'u':
    case 'x':
    case 'X':
    case 'o':
    case 'f':
    case 'F':
    case 'e':
    case 'E':
    case 'g':
    case 'G':
      return convert_number(conversion, value);
    case 'c':
      if (value.is_string() && count_code_points(value.string()) == 1) {
        text = value.string();
      } else {
        throw Fault("expected one character for %c");
      }
      break;
    default:
      throw Fault(std::string("expected a known conversion in a format, got %") + conversion.letter);
  }
  if (conversion.precision >= 0) {
    const std::vector<size_t> offsets = code_point_offsets(text);
    if (static_cast<size_t>(conversion.precision) < offsets.size())
      text.resize(offsets[static_cast<size_t>(conversion.precision)]);
  }
  return pad(conversion, std::move(text));
}

constexpr std::string_view kDays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::string_view kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                        "July",    "August",   "September", "October", "November", "December"};

std::string time_directive(char letter, bool padded, const std::tm& time) {
  const auto number = [&](int value, int width) {
    return padded ? fmt::format("{:0{}}", value, width) : fmt::to_string(value);
  };
  const std::string_view day = kDays[static_cast<size_t>(time.tm_wday) % 7];
  const std::string_view month = kMonths[static_cast<size_t>(time.tm_mon) % 12];
  switch (letter) {
    case 'a':
      return std::string(day.substr(0, 3));
    case 'A':
      return std::string(day);
    case 'b':
    case 'h':
      return std::string(month.substr(0, 3));
    case 'B':
      return std::string(month);
    case 'c':
      return format_time("%a %b %e %H:%M:%S %Y", time);
    case 'd':
      return number(time.tm_mday, 2);
    case 'e':
      return padded ? fmt::format("{:2}", time.tm_mday) : fmt::to_string(time.tm_mday);
    case 'H':
      return number(time.tm_hour, 2);
    case 'I':
      return number((time.tm_hour + 11) % 12 + 1, 2);
    case 'j':
      return number(time.tm_yday + 1, 3);
    case 'm':
      return number(time.tm_mon + 1, 2);
    case 'M':
      return number(time.tm_min, 2);
    case 'p':
      return time.tm_hour < 12 ? "AM" : "PM";
    case 'S':
      return number(time.tm_sec, 2);
    case 'y':
      return number((time.tm_year % 100 + 100) % 100, 2);
    case 'Y':
      return fmt::to_string(time.tm_year + 1900);
    case 'D':
      return format_time("%m/%d/%y", time);
    case 'F':
      return format_time("%Y-%m-%d", time);
    case 'T':
      return format_time("%H:%M:%S", time);
    case 'R':
      return format_time("%H:%M", time);
    case '%':
      return "%";
    default:
      throw Fault(std::string("expected a known directive in a time's format, got %") + letter);
  }
}

}  // namespace

std::string format_percent(Budget& budget, std::string_view format, const Values& values) {
  std::string text;
  size_t used = 0;
  bool mapped = false;
  for (size_t at = 0; at < format.size();) {
    if (format[at] != '%') {
      text += format[at++];
      continue;
    }
    ++at;
    const Value* value = nullptr;
    if (at < format.size() && format[at] == '(') {
      const size_t end = format.find(')', at);
      if (end == format.npos) throw Fault("expected ) after %( in a format");
      if (values.size() != 1 || !values[0].dict()) throw Fault("expected a dict for a format with names");
      value = values[0].dict()->find(format.substr(at + 1, end - at - 1));
      if (!value) throw Fault("expected a value for each name of a format");
      mapped = true;
      at = end + 1;
    }
    const Conversion conversion = read_conversion(format, at);
    if (conversion.letter == '%') {
      text += '%';
      continue;
    }
    if (!value) {
      if (used == values.size())
        throw Fault("expected a value for each conversion of a format, got " + std::to_string(used));
      value = &values[used++];
    }
    std::string part = convert(budget, conversion, *value);
    budget.make(part.size());
    text += part;
  }
  const bool all_used = mapped || used == values.size() || (values.size() == 1 && values[0].dict());
  if (!all_used) throw Fault("expected a conversion for each value, got " + std::to_string(used));
  return text;
}

std::string format_braces(Budget& budget, std::string_view format, const Arguments& arguments) {
  std::string text;
  size_t automatic = 0;
  for (size_t at = 0; at < format.size(); ++at) {
    const char c = format[at];
    const bool doubled = at + 1 < format.size() && format[at + 1] == c;
    if ((c != '{' && c != '}') || doubled) {
      text += c;
      at += c == '{' || c == '}';
      continue;
    }
    const size_t end = format.find('}', at);
    if (c == '}' || end == format.npos) throw Fault("expected balanced braces in a format");
    const std::string_view field = format.substr(at + 1, end - at - 1);
    const Value* value = nullptr;
    size_t index = 0;
    const auto number = std::from_chars(field.data(), field.data() + field.size(), index);
    if (field.empty()) index = automatic++;
    if (field.empty() || (number.ec == std::errc() && number.ptr == field.data() + field.size())) {
      if (index < arguments.positional.size()) value = &arguments.positional[index];
    } else {
      for (const auto& [name, given] : arguments.keyword) value = name == field ? &given : value;
    }
    if (!value)
      throw Fault("expected an argument for {" + std::string(field.substr(0, 60)) + "} of a format, got none");
    text += to_text(budget, *value);
    at = end;
  }
  return text;
}

std::string format_time(std::string_view format, const std::tm& time) {
  std::string text;
  for (size_t at = 0; at < format.size(); ++at) {
    if (format[at] != '%') {
      text += format[at];
      continue;
    }
    const bool padded = at + 1 == format.size() || format[at + 1] != '-';
    at += padded ? 1 : 2;
    if (at >= format.size()) throw Fault("expected a directive after % in a time's format, got its end");
    text += time_directive(format[at], padded, time);
  }
  return text;
}

}  // namespace tern::jinja
