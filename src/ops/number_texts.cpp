// SPDX-License-Identifier: Apache-2.0
// What a number looks like depends on all that are shown with it: NumPy's rules for whether they have exponents, and
// how many digits, applied to the decimals of std::to_chars.
#include "ops/number_texts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "core/dispatch.h"
#include "core/odd_float.h"

namespace tern {
namespace {

constexpr auto kScientific = std::chars_format::scientific;

// The longest is that of the largest double that is not written with an exponent, or of one with all of its digits.
using Buffer = std::array<char, 64>;

template <class... Format>
std::string decimal(double value, std::chars_format format, int digits) {
  Buffer buffer;
  const auto end = std::to_chars(buffer.begin(), buffer.end(), value, format, digits).ptr;
  return {buffer.begin(), end};
}

template <class T>
double wide(T value) {
  if constexpr (std::is_same_v<T, double>) return value;
  return static_cast<double>(static_cast<float>(value));
}

// A decimal with an exponent: how many digits it has behind the first, zeros at the end not counted.
struct Decimal {
  std::string text;
  int digits, exponent;
};

Decimal parsed(std::string text) {
  const size_t e = text.find('e');
  const std::string_view digits = std::string_view(text).substr(0, text.find_last_not_of('0', e - 1) + 1);
  const size_t point = digits.find('.');
  Decimal out = {"", point == digits.npos ? 0 : static_cast<int>(digits.size() - point - 1), 0};
  std::from_chars(text.data() + e + 1 + (text[e + 1] == '+'), text.data() + text.size(), out.exponent);
  out.text = std::move(text);
  return out;
}

double value_of(std::string_view text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The shortest that is read back as the number in its dtype, and of these the nearest.
template <class T>
Decimal shortest(T value) {
  if constexpr (std::is_floating_point_v<T>) {
    Buffer buffer;
    const auto end = std::to_chars(buffer.begin(), buffer.end(), value, kScientific).ptr;
    return parsed({buffer.begin(), end});
  } else {
    // What is read back as a power of two reaches further up than down: from here it does as far.
    constexpr double kMiddle = std::is_same_v<T, f16> ? 1 + 0x1p-14 : 1 + 0x1p-11;
    // Nine digits tell any two floats apart.
    for (int digits = 0;; ++digits) {
      for (const double near : {wide(value), wide(value) * kMiddle}) {
        std::string text = decimal(near, kScientific, digits);
        if (T(odd_float(value_of(text))).bits == value.bits || digits == 9) return parsed(std::move(text));
      }
    }
  }
}

// Whether the numbers are of such different sizes that they are written with exponents. T is their dtype, in which
// NumPy divides.
template <class T>
bool has_exponents(const std::vector<T>& values, bool suppress_small) {
  double least = HUGE_VAL, most = 0;
  for (const T& value : values) {
    const double size = std::abs(wide(value));
    if (!std::isfinite(size) || size == 0) continue;
    least = std::min(least, size);
    most = std::max(most, size);
  }
  if (most == 0) return false;
  if (most >= 1e8) return true;
  const double ratio = wide(T(static_cast<std::conditional_t<std::is_same_v<T, double>, double, float>>(most / least)));
  return !suppress_small && (least < 1e-4 || ratio > 1e3);
}

void pad_left(std::vector<std::string>& texts) {
  size_t width = 0;
  for (const std::string& text : texts) width = std::max(width, text.size());
  for (std::string& text : texts) text.insert(0, width - text.size(), ' ');
}

std::string not_finite(double value, bool plus) {
  if (std::isnan(value)) return plus ? "+nan" : "nan";
  return value < 0 ? "-inf" : plus ? "+inf" : "inf";
}

// With so many digits behind the point: "-1.250e-07".
template <class T>
std::string scientific(T value, int digits) {
  Decimal own = shortest(value);
  std::string text = own.digits == digits ? std::move(own.text) : decimal(wide(value), kScientific, digits);
  if (digits == 0) text.insert(text.find('e'), ".");
  return text;
}

// With as many digits behind the point as it needs, and `most` at most: "-1.25", "3.".
template <class T>
std::string positional(T value, int most) {
  const Decimal own = shortest(value);
  const int needed = own.digits - own.exponent, digits = std::clamp(needed, 0, most);
  const bool cut = digits != needed || digits == 0;
  std::string text = decimal(cut ? wide(value) : value_of(own.text), std::chars_format::fixed, digits);
  if (digits == 0) return text + ".";
  return text.erase(text.find_last_not_of('0') + 1);
}

template <class T>
void write_scientific(const std::vector<T>& values, int precision, std::vector<std::string>& texts) {
  int digits = 0;
  for (const T& value : values) {
    if (!std::isfinite(wide(value))) continue;
    const int own = shortest(value).digits;
    digits = std::max(digits, own <= precision ? own : parsed(decimal(wide(value), kScientific, precision)).digits);
  }
  size_t exponent_digits = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(wide(values[i]))) continue;
    texts[i] = scientific(values[i], digits);
    exponent_digits = std::max(exponent_digits, texts[i].size() - texts[i].find('e'));
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t e = texts[i].find('e');
    if (e != texts[i].npos) texts[i].insert(e + 2, exponent_digits - (texts[i].size() - e), '0');
  }
}

template <class T>
void write_positional(const std::vector<T>& values, int precision, std::vector<std::string>& texts) {
  size_t behind = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(wide(values[i]))) continue;
    texts[i] = positional(values[i], precision);
    behind = std::max(behind, texts[i].size() - texts[i].find('.'));
  }
  for (std::string& text : texts) {
    if (!text.empty()) text.append(behind - (text.size() - text.find('.')), ' ');
  }
}

template <class T>
std::vector<std::string> float_texts(const std::vector<T>& values, const PrintOptions& options, bool plus = false) {
  std::vector<std::string> texts(values.size());
  if (has_exponents(values, options.suppress_small)) {
    write_scientific(values, options.precision, texts);
  } else {
    write_positional(values, options.precision, texts);
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const double value = wide(values[i]);
    if (!std::isfinite(value)) {
      texts[i] = not_finite(value, plus);
    } else if (plus && !std::signbit(value)) {
      texts[i].insert(0, "+");
    }
  }
  pad_left(texts);
  return texts;
}

template <class Part>
std::vector<std::string> complex_texts(const std::vector<std::complex<Part>>& values, const PrintOptions& options) {
  std::vector<Part> real, imaginary;
  for (const auto& value : values) {
    real.push_back(value.real());
    imaginary.push_back(value.imag());
  }
  std::vector<std::string> texts = float_texts(real, options);
  const std::vector<std::string> behind = float_texts(imaginary, options, true);
  for (size_t i = 0; i < texts.size(); ++i) {
    std::string part = behind[i];
    part.insert(part.find_last_not_of(' ') + 1, "j");
    texts[i] += part;
  }
  return texts;
}

template <class T>
std::vector<std::string> integer_texts(const std::vector<T>& values) {
  std::vector<std::string> texts;
  for (const T value : values) texts.push_back(fmt::to_string(value));
  pad_left(texts);
  return texts;
}

std::vector<std::string> truths(const std::vector<bool>& values, bool alone) {
  std::vector<std::string> texts;
  for (const bool value : values) texts.emplace_back(value ? (alone ? "True" : " True") : "False");
  return texts;
}

}  // namespace

std::vector<std::string> number_texts(const Tensor& x, const PrintOptions& options) {
  return dispatch(x.dtype(), [&]<class T>() -> std::vector<std::string> {
    if constexpr (std::is_same_v<T, bool>) {
      std::vector<std::byte> bytes(static_cast<size_t>(x.numel()));
      x.copy_to_host(bytes);
      std::vector<bool> values;
      for (const std::byte byte : bytes) values.push_back(byte != std::byte{0});
      return truths(values, x.rank() == 0);
    } else if constexpr (std::is_integral_v<T>) {
      return integer_texts(x.to_vector<T>());
    } else if constexpr (std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>) {
      return complex_texts(x.to_vector<T>(), options);
    } else {
      return float_texts(x.to_vector<T>(), options);
    }
  });
}

}  // namespace tern
