// SPDX-License-Identifier: Apache-2.0
// A product of many numbers whose parts may leave the range of their type: a mantissa in double and an exponent of its
// own.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <type_traits>

#include "linalg/lapack.h"

namespace tern::linalg {

template <class T>
class ScaledProduct {
 public:
  void multiply(const T& factor) {
    mantissa_ *= taken_from(Wide(factor));
    mantissa_ = taken_from(mantissa_);
  }

  void negate() { mantissa_ = -mantissa_; }

  // Rounded to T at last; 0 or infinite only where the product is beyond T's range.
  T value() const {
    if constexpr (is_complex_type<T>) {
      return T(part(mantissa_.real()), part(mantissa_.imag()));
    } else {
      return part(mantissa_);
    }
  }

  // The product over its modulus, 0 for 0.
  T sign() const {
    const double modulus = std::abs(mantissa_);
    return modulus == 0 ? T(0) : T(mantissa_ / modulus);
  }

  // The logarithm of the modulus, -inf for 0.
  Real<T> log_modulus() const {
    constexpr double kLog2 = 0.693147180559945309417232121458;
    return static_cast<Real<T>>(std::log(std::abs(mantissa_)) + static_cast<double>(exponent_) * kLog2);
  }

 private:
  using Wide = std::conditional_t<is_complex_type<T>, std::complex<double>, double>;

  // x with its largest part in [½, 1); the exponent keeps what is taken.
  Wide taken_from(const Wide& x) {
    int shift = 0;
    Wide out;
    if constexpr (is_complex_type<T>) {
      std::frexp(std::max(std::abs(x.real()), std::abs(x.imag())), &shift);
      out = {std::ldexp(x.real(), -shift), std::ldexp(x.imag(), -shift)};
    } else {
      out = std::frexp(x, &shift);
    }
    exponent_ += shift;
    return out;
  }

  Real<T> part(double mantissa) const {
    constexpr int64_t kBeyond = 5000;  // any double times 2^±5000 is 0 or infinite
    return static_cast<Real<T>>(std::ldexp(mantissa, static_cast<int>(std::clamp(exponent_, -kBeyond, kBeyond))));
  }

  Wide mantissa_ = 1;
  int64_t exponent_ = 0;
};

}  // namespace tern::linalg
