// SPDX-License-Identifier: Apache-2.0
// Elements of any dtype as exact numbers, and what each becomes in another dtype, by the definition of rounding: the
// oracle of conversions and of arithmetic. A long double holds every element of every dtype.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <ostream>
#include <vector>

#include "support/reference_pointwise.h"
#include "tern/dtype.h"

namespace tern::testing {

using Real = long double;

struct Number {
  Real re = 0, im = 0;
  friend std::ostream& operator<<(std::ostream& out, const Number& x) { return out << x.re << "+" << x.im << "i"; }
};

inline bool same(Real a, Real b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b && std::signbit(a) == std::signbit(b);
}
inline bool same(const Number& a, const Number& b) { return same(a.re, b.re) && same(a.im, b.im); }

using Bytes = std::vector<uint8_t>;

template <class T>
T stored(const Bytes& bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}
template <class T>
void store(Bytes& bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

inline Number number_at(DType dtype, const Bytes& bytes, size_t i) {
  const size_t at = i * size_of(dtype);
  switch (dtype) {
    case DType::f32:
      return {stored<float>(bytes, at)};
    case DType::bf16:
      return {reference::bf16_value(stored<uint16_t>(bytes, at))};
    case DType::f16:
      return {reference::f16_value(stored<uint16_t>(bytes, at))};
    case DType::i8:
      return {static_cast<Real>(stored<int8_t>(bytes, at))};
    case DType::u8:
      return {static_cast<Real>(stored<uint8_t>(bytes, at))};
    case DType::i32:
      return {static_cast<Real>(stored<int32_t>(bytes, at))};
    case DType::i64:
      return {static_cast<Real>(stored<int64_t>(bytes, at))};
    case DType::boolean:
      return {stored<uint8_t>(bytes, at) != 0 ? 1.0L : 0.0L};
    case DType::i16:
      return {static_cast<Real>(stored<int16_t>(bytes, at))};
    case DType::u16:
      return {static_cast<Real>(stored<uint16_t>(bytes, at))};
    case DType::u32:
      return {static_cast<Real>(stored<uint32_t>(bytes, at))};
    case DType::u64:
      return {static_cast<Real>(stored<uint64_t>(bytes, at))};
    case DType::f64:
      return {stored<double>(bytes, at)};
    case DType::c64:
      return {stored<float>(bytes, at), stored<float>(bytes, at + 4)};
    case DType::c128:
      return {stored<double>(bytes, at), stored<double>(bytes, at + 8)};
  }
  return {};
}

inline int bits_of(DType dtype) { return static_cast<int>(8 * size_of(dtype)); }
inline Real least_of(DType dtype) { return is_unsigned_integer(dtype) ? 0 : -std::ldexp(1.0L, bits_of(dtype) - 1); }
inline Real greatest_of(DType dtype) {
  return std::ldexp(1.0L, is_unsigned_integer(dtype) ? bits_of(dtype) : bits_of(dtype) - 1) - 1;
}

// The integer that x, an integer, wraps to.
inline Real wrapped(DType dtype, Real x) {
  const Real size = std::ldexp(1.0L, bits_of(dtype));
  Real rest = std::fmod(x, size);
  if (rest < 0) rest += size;
  return rest > greatest_of(dtype) ? rest - size : rest + 0.0L;
}

inline Real saturated(DType dtype, Real x) {
  if (std::isnan(x)) return 0;
  const Real whole = std::trunc(x);
  return whole < least_of(dtype) ? least_of(dtype) : whole > greatest_of(dtype) ? greatest_of(dtype) : whole + 0.0L;
}

// To nearest, ties to even, of a format with `mantissa` explicit bits and normal exponents least … greatest.
inline Real rounded(Real x, int mantissa, int least, int greatest) {
  if (x == 0 || !std::isfinite(x)) return x;
  const int exponent = std::ilogb(x) < least ? least : std::ilogb(x);
  const Real y = std::ldexp(std::nearbyint(std::ldexp(x, mantissa - exponent)), exponent - mantissa);
  const Real size = std::fabs(y) >= std::ldexp(1.0L, greatest + 1) ? HUGE_VALL : std::fabs(y);
  return std::copysign(size, x);
}

inline Real rounded_to(DType dtype, Real x) {
  switch (dtype) {
    case DType::bf16:
      return rounded(x, 7, -126, 127);
    case DType::f16:
      return rounded(x, 10, -14, 15);
    case DType::f32:
    case DType::c64:
      return rounded(x, 23, -126, 127);
    default:
      return rounded(x, 52, -1022, 1023);
  }
}

// x, an element of `from`, in dtype `to`: kernels.h, CopyArgs, and array_pointwise.h.
inline Number converted(DType from, const Number& x, DType to) {
  if (to == DType::boolean) return {x.re != 0 || x.im != 0 ? 1.0L : 0.0L};
  if (is_complex(to)) return {rounded_to(to, x.re), rounded_to(to, x.im)};
  if (is_float(to)) return {rounded_to(to, x.re)};
  return {is_float(from) || is_complex(from) ? saturated(to, x.re) : wrapped(to, x.re)};
}

// Puts x, which dtype holds exactly, where element i lies.
inline void put(DType dtype, Bytes& bytes, size_t i, const Number& x) {
  const size_t at = i * size_of(dtype);
  switch (dtype) {
    case DType::f32:
      return store(bytes, at, static_cast<float>(x.re));
    case DType::bf16:
      return store(bytes, at, bf16(static_cast<float>(x.re)).bits);
    case DType::f16:
      return store(bytes, at, f16(static_cast<float>(x.re)).bits);
    case DType::i8:
      return store(bytes, at, static_cast<int8_t>(x.re));
    case DType::u8:
      return store(bytes, at, static_cast<uint8_t>(x.re));
    case DType::i32:
      return store(bytes, at, static_cast<int32_t>(x.re));
    case DType::i64:
      return store(bytes, at, static_cast<int64_t>(x.re));
    case DType::boolean:
      return store(bytes, at, static_cast<uint8_t>(x.re != 0));
    case DType::i16:
      return store(bytes, at, static_cast<int16_t>(x.re));
    case DType::u16:
      return store(bytes, at, static_cast<uint16_t>(x.re));
    case DType::u32:
      return store(bytes, at, static_cast<uint32_t>(x.re));
    case DType::u64:
      return store(bytes, at, static_cast<uint64_t>(x.re));
    case DType::f64:
      return store(bytes, at, static_cast<double>(x.re));
    case DType::c64:
      store(bytes, at, static_cast<float>(x.re));
      return store(bytes, at + 4, static_cast<float>(x.im));
    case DType::c128:
      store(bytes, at, static_cast<double>(x.re));
      return store(bytes, at + 8, static_cast<double>(x.im));
  }
}

inline std::vector<DType> all_dtypes() {
  std::vector<DType> all;
  for (int i = 0; i < kDTypeCount; ++i) all.push_back(static_cast<DType>(i));
  return all;
}

}  // namespace tern::testing
