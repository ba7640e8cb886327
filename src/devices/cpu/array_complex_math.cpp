// SPDX-License-Identifier: Apache-2.0
// Functions of complex numbers: those of the C library (Annex G of C), and the few that it lacks.
#include "devices/cpu/array_complex_math.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <numbers>

namespace tern::cpu {
namespace {

template <class T, class Y, class Fn>
void unary_run(const void* from, void* to, int64_t count, int64_t) {
  const T* x = static_cast<const T*>(from);
  Y* y = static_cast<Y*>(to);
  for (int64_t i = 0; i < count; ++i) y[i] = Fn()(x[i]);
}
template <class T, class Y = T, class Fn>
UnaryRun unary_of(Fn) {
  return unary_run<T, Y, Fn>;
}

template <class T, class Fn>
BinaryRun binary_of(Fn) {
  return [](const void* left, const void* right, void* to, int64_t count, int64_t) {
    const T* a = static_cast<const T*>(left);
    const T* b = static_cast<const T*>(right);
    T* y = static_cast<T*>(to);
    for (int64_t i = 0; i < count; ++i) y[i] = Fn()(a[i], b[i]);
  };
}

template <class R>
bool is_finite(std::complex<R> x) {
  return std::isfinite(x.real()) && std::isfinite(x.imag());
}

// exp(x + iy) - 1 without cancellation near 0: its real part is (exp(x) - 1)·cos(y) - 2·sin²(y/2), and +0 of -0, too,
// by the array API standard, which is why 2·sin²(y/2) is taken from 0 first. Of a real number it is real, beyond the
// largest exponential, too.
template <class R>
std::complex<R> exp_minus_one(std::complex<R> x) {
  if (!is_finite(x)) return std::exp(x) - R{1};
  if (x.imag() == 0) return {R{0} + std::expm1(x.real()), x.imag()};
  const R half_sine = std::sin(x.imag() / 2);
  return {(R{0} - 2 * half_sine * half_sine) + std::expm1(x.real()) * std::cos(x.imag()),
          std::exp(x.real()) * std::sin(x.imag())};
}

// By the array API standard an infinite real part leaves 0 of the imaginary one's sign; C's is that of sin(2y).
template <class R>
std::complex<R> hyperbolic_tangent(std::complex<R> x) {
  if (!std::isinf(x.real()) || !std::isfinite(x.imag())) return std::tanh(x);
  return {std::copysign(R{1}, x.real()), std::copysign(R{0}, x.imag())};
}

// log(1 + x + iy) without cancellation near 0: |1 + z|² - 1 = x·(2 + x) + y².
template <class R>
std::complex<R> log_one_plus(std::complex<R> x) {
  const std::complex<R> moved(x.real() + 1, x.imag());
  if (!is_finite(x) || std::abs(x.real()) > R{0.5} || std::abs(x.imag()) > R{0.5}) return std::log(moved);
  return {std::log1p(x.real() * (2 + x.real()) + x.imag() * x.imag()) / 2, std::arg(moved)};
}

template <class R>
std::complex<R> log_base_two(std::complex<R> x) {
  const std::complex<R> natural = std::log(x);
  const R scale = std::numbers::log2e_v<R>;
  return {natural.real() * scale, natural.imag() * scale};
}

// x / |x|, 0 for 0.
template <class R>
std::complex<R> direction(std::complex<R> x) {
  constexpr R kNan = std::numeric_limits<R>::quiet_NaN();
  if (std::isnan(x.real()) || std::isnan(x.imag())) return {kNan, kNan};
  if (x == std::complex<R>()) return {};
  // Scaled, so that |x| neither overflows nor is subnormal.
  const int exponent = -std::ilogb(std::max(std::abs(x.real()), std::abs(x.imag())));
  if (is_finite(x)) x = {std::scalbn(x.real(), exponent), std::scalbn(x.imag(), exponent)};
  const R size = std::abs(x);
  return {x.real() / size, x.imag() / size};
}

// a ** b = exp(b·log(a)); small integer powers by multiplication, which is exact where the result is, and powers of 0.
template <class R>
std::complex<R> power(std::complex<R> a, std::complex<R> b) {
  constexpr R kLargest = 64, kNan = std::numeric_limits<R>::quiet_NaN();
  const R exponent = b.real();
  if (b == std::complex<R>()) return {1, 0};
  if (a == std::complex<R>()) return exponent > 0 && b.imag() == 0 ? std::complex<R>() : std::complex<R>(kNan, kNan);
  const bool is_small = b.imag() == 0 && std::abs(exponent) <= kLargest && exponent == std::trunc(exponent);
  if (!is_small || !is_finite(a)) return std::pow(a, b);
  std::complex<R> base = a, result = 1;
  for (int left = std::abs(static_cast<int>(exponent)); left > 0; left /= 2) {
    if (left % 2 == 1) result *= base;
    base *= base;
  }
  return exponent < 0 ? std::complex<R>(1) / result : result;
}

template <class R>
UnaryRun unary(ArrayUnaryOp op) {
  using C = std::complex<R>;
  switch (op) {
    case ArrayUnaryOp::absolute:
      return unary_of<C, R>([](C x) { return std::abs(x); });
    case ArrayUnaryOp::reciprocal:
      return unary_of<C>([](C x) { return C(1) / x; });
    case ArrayUnaryOp::sqrt:
      return unary_of<C>([](C x) { return std::sqrt(x); });
    case ArrayUnaryOp::sign:
      return unary_of<C>([](C x) { return direction(x); });
    case ArrayUnaryOp::exp:
      return unary_of<C>([](C x) { return std::exp(x); });
    case ArrayUnaryOp::expm1:
      return unary_of<C>([](C x) { return exp_minus_one(x); });
    case ArrayUnaryOp::log:
      return unary_of<C>([](C x) { return std::log(x); });
    case ArrayUnaryOp::log1p:
      return unary_of<C>([](C x) { return log_one_plus(x); });
    case ArrayUnaryOp::log2:
      return unary_of<C>([](C x) { return log_base_two(x); });
    case ArrayUnaryOp::log10:
      return unary_of<C>([](C x) { return std::log10(x); });
    case ArrayUnaryOp::sin:
      return unary_of<C>([](C x) { return std::sin(x); });
    case ArrayUnaryOp::cos:
      return unary_of<C>([](C x) { return std::cos(x); });
    case ArrayUnaryOp::tan:
      return unary_of<C>([](C x) { return std::tan(x); });
    case ArrayUnaryOp::asin:
      return unary_of<C>([](C x) { return std::asin(x); });
    case ArrayUnaryOp::acos:
      return unary_of<C>([](C x) { return std::acos(x); });
    case ArrayUnaryOp::atan:
      return unary_of<C>([](C x) { return std::atan(x); });
    case ArrayUnaryOp::sinh:
      return unary_of<C>([](C x) { return std::sinh(x); });
    case ArrayUnaryOp::cosh:
      return unary_of<C>([](C x) { return std::cosh(x); });
    case ArrayUnaryOp::tanh:
      return unary_of<C>([](C x) { return hyperbolic_tangent(x); });
    case ArrayUnaryOp::asinh:
      return unary_of<C>([](C x) { return std::asinh(x); });
    case ArrayUnaryOp::acosh:
      return unary_of<C>([](C x) { return std::acosh(x); });
    case ArrayUnaryOp::atanh:
      return unary_of<C>([](C x) { return std::atanh(x); });
    default:
      return nullptr;
  }
}

template <class R>
BinaryRun binary(ArrayBinaryOp op) {
  using C = std::complex<R>;
  switch (op) {
    case ArrayBinaryOp::divide:
      return binary_of<C>([](C a, C b) { return a / b; });
    case ArrayBinaryOp::pow:
      return binary_of<C>([](C a, C b) { return power(a, b); });
    default:
      return nullptr;
  }
}

}  // namespace

UnaryRun complex_unary(ArrayUnaryOp op, DType dtype) noexcept {
  return dtype == DType::c64 ? unary<float>(op) : unary<double>(op);
}

BinaryRun complex_binary(ArrayBinaryOp op, DType dtype) noexcept {
  return dtype == DType::c64 ? binary<float>(op) : binary<double>(op);
}

}  // namespace tern::cpu
