// SPDX-License-Identifier: Apache-2.0
// Scalar: one number of any kind that dtypes hold, exactly.
#pragma once

#include <array>
#include <complex>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "tern/dtype.h"

namespace tern {

// The kinds of numbers, lowest first.
enum class ScalarKind : uint8_t { boolean, integer, real, complex };

// A bool, an integer of 64 bits of either sign, a double or a complex number. What C++ has narrower converts to it.
class Scalar {
 public:
  using Kind = ScalarKind;

  Scalar(bool value) : kind_(Kind::boolean), bits_(value ? 1 : 0) {}
  template <std::integral T>
  Scalar(T value) : kind_(Kind::integer), negative_(value < T{0}), bits_(static_cast<uint64_t>(value)) {}
  template <std::floating_point T>
  Scalar(T value) : kind_(Kind::real), re_(static_cast<double>(value)) {}
  template <std::floating_point T>
  Scalar(std::complex<T> value)
      : kind_(Kind::complex), re_(static_cast<double>(value.real())), im_(static_cast<double>(value.imag())) {}

  Kind kind() const { return kind_; }
  // A bool or an integer.
  bool is_integral() const { return kind_ == Kind::boolean || kind_ == Kind::integer; }

  // The number, rounded to a double where it is an integer beyond 2^53; the real part of a complex one.
  double real() const;
  // 0 but for a complex number.
  double imag() const { return im_; }
  // Whether it is other than 0; NaN is.
  bool truth() const { return is_integral() ? bits_ != 0 : re_ != 0 || im_ != 0; }

  // Whether it is in the range of an integer dtype, once its fraction is cut off. False for complex numbers and NaN.
  bool fits(DType integer) const;
  // The number as T, which it must fit (fits).
  int64_t to_int64() const;
  uint64_t to_uint64() const;

  // The bytes of an element of `dtype` that holds the number, the first size_of(dtype) of them: floats are rounded
  // once, to nearest even; fractions are cut off for integers; a bool is whether it is other than 0. Throws Error in
  // the name of `op` for a number that an integer dtype has no room for, and for a complex one where the dtype is real.
  std::array<std::byte, 16> element(DType dtype, const char* op) const;

  friend std::string to_string(const Scalar& scalar);

 private:
  Kind kind_;
  bool negative_ = false;  // of integers
  uint64_t bits_ = 0;      // of integers, modulo 2^64
  double re_ = 0, im_ = 0;
};

std::string to_string(const Scalar& scalar);

}  // namespace tern
