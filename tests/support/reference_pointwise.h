// SPDX-License-Identifier: Apache-2.0
// Naive elementwise functions, conversions and sums, in double or in the order that src/device/kernels.h promises.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace reference {

// |got - expected| in units of the last place of expected as an f32; 0 where both are NaN or the same infinity.
inline double ulps(float got, double expected) {
  if (std::isnan(got) || std::isnan(expected)) return std::isnan(got) && std::isnan(expected) ? 0.0 : HUGE_VAL;
  if (std::isinf(got) || std::isinf(static_cast<float>(expected))) {
    return got == static_cast<float>(expected) ? 0.0 : HUGE_VAL;
  }
  const int exponent = expected == 0.0 ? -126 : std::ilogb(expected);
  return std::fabs(static_cast<double>(got) - expected) / std::ldexp(1.0, (exponent < -126 ? -126 : exponent) - 23);
}

inline double sigmoid(double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }

// Rounds to the nearest multiple of a power of two that a format of `mantissa` explicit bits and least normal exponent
// `least` has there, ties to even: the definition, without looking at bits.
inline double rounded_to(double x, int mantissa, int least) {
  if (x == 0 || !std::isfinite(x)) return x;
  const int exponent = std::ilogb(x) < least ? least : std::ilogb(x);
  const double unit = std::ldexp(1.0, exponent - mantissa);
  return std::nearbyint(x / unit) * unit;
}

// The value of an f32 as bf16 and as f16.
inline double as_bf16(float x) {
  const double y = rounded_to(x, 7, -126);
  return std::fabs(y) >= 0x1p128 ? std::copysign(HUGE_VAL, y) : y;
}
inline double as_f16(float x) {
  const double y = rounded_to(x, 10, -14);
  return std::fabs(y) >= 65536.0 ? std::copysign(HUGE_VAL, y) : y;
}

// What the bits of a bf16 and of an f16 stand for.
inline double bf16_value(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float x;
  std::memcpy(&x, &wide, sizeof x);
  return x;
}
inline double f16_value(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const double sign = bits >> 15 ? -1.0 : 1.0;
  if (exponent == 31) return mantissa ? std::numeric_limits<double>::quiet_NaN() : sign * HUGE_VAL;
  return sign * (exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24));
}

// Truncation toward zero that saturates; NaN gives 0.
template <class T>
T saturated(double x) {
  if (std::isnan(x)) return 0;
  if (x <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  if (x >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
  return static_cast<T>(x);
}

// The fold by halves of 16 lanes.
template <class T>
T fold(std::array<T, 16> lanes) {
  for (size_t half = 8; half > 0; half /= 2) {
    for (size_t l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  }
  return lanes[0];
}

// Σ term(i) for i in [begin, end), lanes order of T: lane (i - begin) mod 16 adds it.
template <class T, class Term>
T lanes_sum(size_t begin, size_t end, const Term& term) {
  std::array<T, 16> lanes{};
  for (size_t i = begin; i < end; ++i) lanes[(i - begin) % 16] += term(i);
  return fold(lanes);
}

// Σ a(i)·b(i), lanes order with one rounding per term.
template <class A, class B>
float lanes_dot(size_t count, const A& a, const B& b) {
  std::array<float, 16> lanes{};
  for (size_t i = 0; i < count; ++i) lanes[i % 16] = std::fma(a(i), b(i), lanes[i % 16]);
  return fold(lanes);
}

}  // namespace reference
