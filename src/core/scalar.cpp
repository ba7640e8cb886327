// SPDX-License-Identifier: Apache-2.0
#include "tern/scalar.h"

#include <cmath>
#include <cstring>

#include "base/check.h"
#include "core/dispatch.h"
#include "core/format_scalar.h"
#include "core/odd_float.h"

namespace tern {
namespace {

// The bits of an integer dtype without its sign.
int magnitude_bits(DType integer) {
  return static_cast<int>(8 * size_of(integer)) - (is_signed_integer(integer) ? 1 : 0);
}

// An integer of 64 bits as a double for rounding to at most 24 bits: what is cut off leaves a mark below.
double marked_double(uint64_t magnitude) {
  constexpr uint64_t kCut = 0xfff;
  return static_cast<double>(magnitude >> 53 == 0 ? magnitude
                                                  : (magnitude & ~kCut) | ((magnitude & kCut) != 0 ? kCut + 1 : 0));
}

template <class T>
constexpr bool kIsHalf = std::is_same_v<T, bf16> || std::is_same_v<T, f16>;

}  // namespace

double Scalar::real() const {
  if (!is_integral()) return re_;
  return negative_ ? static_cast<double>(static_cast<int64_t>(bits_)) : static_cast<double>(bits_);
}

bool Scalar::fits(DType integer) const {
  const int bits = magnitude_bits(integer);
  if (kind_ == Kind::complex) return false;
  if (kind_ == Kind::real) {
    const double cut = std::trunc(re_), limit = std::ldexp(1.0, bits);
    return cut < limit && cut >= (is_signed_integer(integer) ? -limit : 0.0);
  }
  if (negative_) return is_signed_integer(integer) && ~bits_ >> bits == 0;
  return bits == 64 || bits_ >> bits == 0;
}

int64_t Scalar::to_int64() const { return is_integral() ? static_cast<int64_t>(bits_) : static_cast<int64_t>(re_); }

uint64_t Scalar::to_uint64() const { return is_integral() ? bits_ : static_cast<uint64_t>(re_); }

std::array<std::byte, 16> Scalar::element(DType dtype, const char* op) const {
  check(kind_ != Kind::complex || is_complex(dtype) || dtype == DType::boolean, op,
        "expected a real number for {}, got {}", name_of(dtype), *this);
  check(!is_integer(dtype) || fits(dtype), op, "expected a number that fits {}, got {}", name_of(dtype), *this);
  std::array<std::byte, 16> bytes = {};
  const auto store = [&](const auto& value) { std::memcpy(bytes.data(), &value, sizeof value); };
  // Integers in one rounding, whatever their size.
  const auto rounded = [&]<class T>(T) {
    if (!is_integral()) return static_cast<T>(re_);
    return negative_ ? static_cast<T>(static_cast<int64_t>(bits_)) : static_cast<T>(bits_);
  };
  dispatch(dtype, [&]<class T>() {
    if constexpr (std::is_same_v<T, bool>) {
      store(truth());
    } else if constexpr (kIsHalf<T>) {
      const double magnitude = marked_double(negative_ ? ~bits_ + 1 : bits_);
      store(T(odd_float(is_integral() ? (negative_ ? -magnitude : magnitude) : re_)));
    } else if constexpr (std::is_integral_v<T>) {
      store(is_unsigned_integer(dtype) ? static_cast<T>(to_uint64()) : static_cast<T>(to_int64()));
    } else if constexpr (std::is_floating_point_v<T>) {
      store(rounded(T{}));
    } else {
      using Part = typename T::value_type;
      store(T(rounded(Part{}), static_cast<Part>(im_)));
    }
  });
  return bytes;
}

std::string to_string(const Scalar& scalar) {
  switch (scalar.kind_) {
    case Scalar::Kind::boolean:
      return scalar.bits_ != 0 ? "true" : "false";
    case Scalar::Kind::integer:
      return scalar.negative_ ? fmt::to_string(static_cast<int64_t>(scalar.bits_)) : fmt::to_string(scalar.bits_);
    case Scalar::Kind::real:
      return fmt::to_string(scalar.re_);
    case Scalar::Kind::complex:
      break;
  }
  return fmt::format("{}{:+}i", scalar.re_, scalar.im_);
}

}  // namespace tern
