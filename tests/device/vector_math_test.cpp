// SPDX-License-Identifier: Apache-2.0
// The functions that are computed in double for f32, and those of f64 that are no library's, against long double, and
// that all instruction sets agree.
#include <gtest/gtest.h>

#include <string>

#include "support/awkward_elements.h"
#include "support/strided.h"

namespace tern {
namespace {

using testing::dims;
using testing::Real;

// Numbers of all exponents, around 1, and of everyday size; for f32 also beside multiples of π/2, where angles cancel.
template <class T>
std::vector<T> arguments(Real largest) {
  std::mt19937_64 random(3);
  std::vector<T> x = {T(0), T(-0.0), T(1), T(-1), T(2), T(10), T(1000), T(0.5)};
  for (int power = -140; power <= 120; power += 7) x.push_back(static_cast<T>(std::ldexp(1.0, power)));
  for (int k = 1; k < 1000; ++k) x.push_back(static_cast<T>(k * 1.5707963267948966));
  while (x.size() < 40000) {
    const auto uniform = [&] { return static_cast<double>(static_cast<int64_t>(random())) * 0x1p-63; };
    x.push_back(static_cast<T>(std::ldexp(uniform(), static_cast<int>(random() % 250) - 125)));
    x.push_back(static_cast<T>(std::ldexp(uniform(), static_cast<int>(random() % 20) - 8)));
    x.push_back(static_cast<T>(1 + std::ldexp(uniform(), -static_cast<int>(random() % 24))));
  }
  for (T& value : x) {
    if (std::fabs(static_cast<Real>(value)) > largest) value = T(1);
  }
  return x;
}

// |got - expected| in units of the last place of T; 0 for the same special value.
template <class T>
Real ulps(T got, Real expected) {
  if (std::isnan(got) || std::isnan(expected)) return std::isnan(got) && std::isnan(expected) ? 0 : HUGE_VALL;
  if (std::isinf(got) || std::isinf(static_cast<T>(expected))) return got == static_cast<T>(expected) ? 0 : HUGE_VALL;
  if (got == 0 && expected == 0) return std::signbit(got) == std::signbit(expected) ? 0 : HUGE_VALL;
  const int least = std::numeric_limits<T>::min_exponent - 1;
  const int exponent = expected == 0 ? least : std::max(least, std::ilogb(expected));
  return std::fabs(got - expected) / std::ldexp(1.0L, exponent - std::numeric_limits<T>::digits + 1);
}

template <class T>
void run_unary(const Device& device, ArrayUnaryOp op, const std::vector<T>& x, std::vector<T>& y) {
  const DType dtype = dtype_of<T>;
  testing::run_array_kernel(
      device, &ArrayPointwiseKernels::array_unary,
      {op, dtype, dims({static_cast<int64_t>(x.size())}), x.data(), dtype, dims({1}), y.data(), dtype, dims({1})});
}

// The same bits, or a NaN each.
template <class T>
void expect_same(const std::vector<T>& expected, const std::vector<T>& got) {
  for (size_t i = 0; i < expected.size(); ++i) {
    const bool same = std::isnan(expected[i])
                          ? std::isnan(got[i])
                          : got[i] == expected[i] && std::signbit(got[i]) == std::signbit(expected[i]);
    ASSERT_TRUE(same) << "element " << i << ": " << got[i] << ", not " << expected[i];
  }
}

template <class T>
void expect_within(Real limit, ArrayUnaryOp op, Real (*oracle)(Real), Real largest = HUGE_VALL) {
  const std::vector<T> x = arguments<T>(largest);
  std::vector<T> y(x.size());
  run_unary(testing::cpus().back(), op, x, y);
  for (const Device& device : testing::cpus()) {
    SCOPED_TRACE(device.description());
    std::vector<T> other(x.size());
    run_unary(device, op, x, other);
    expect_same(y, other);
  }
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_LE(ulps(y[i], oracle(x[i])), limit)
        << "op " << static_cast<int>(op) << " of " << x[i] << ": " << y[i] << ", not " << oracle(x[i]);
  }
}

TEST(VectorMath, OfF32IsNearlyCorrectlyRounded) {
  // Half an ulp, and what a double's error of a few 2^-53 makes of it.
  constexpr Real kLimit = 0.501L;
  using O = ArrayUnaryOp;
  expect_within<float>(kLimit, O::expm1, [](Real x) { return std::expm1(x); });
  expect_within<float>(kLimit, O::log1p, [](Real x) { return std::log1p(x); });
  expect_within<float>(kLimit, O::log2, [](Real x) { return std::log2(x); });
  expect_within<float>(kLimit, O::log10, [](Real x) { return std::log10(x); });
  expect_within<float>(kLimit, O::sinh, [](Real x) { return std::sinh(x); });
  expect_within<float>(kLimit, O::cosh, [](Real x) { return std::cosh(x); });
  expect_within<float>(kLimit, O::asinh, [](Real x) { return std::asinh(x); });
  expect_within<float>(kLimit, O::acosh, [](Real x) { return std::acosh(x); });
  expect_within<float>(kLimit, O::atanh, [](Real x) { return std::atanh(x); });
  expect_within<float>(kLimit, O::asin, [](Real x) { return std::asin(x); });
  expect_within<float>(kLimit, O::acos, [](Real x) { return std::acos(x); });
  expect_within<float>(kLimit, O::atan, [](Real x) { return std::atan(x); });
  constexpr Real kLargest = 0x1p39L;
  expect_within<float>(
      kLimit, O::sin, [](Real x) { return std::sin(x); }, kLargest);
  expect_within<float>(
      kLimit, O::cos, [](Real x) { return std::cos(x); }, kLargest);
  expect_within<float>(
      kLimit, O::tan, [](Real x) { return std::tan(x); }, kLargest);
}

// The C library's beyond: 1 ulp (glibc's manual), rounded.
TEST(VectorMath, OfLargeAngles) {
  expect_within<float>(1.5L, ArrayUnaryOp::sin, [](Real x) { return std::sin(x); });
  expect_within<float>(1.5L, ArrayUnaryOp::cos, [](Real x) { return std::cos(x); });
  expect_within<float>(1.5L, ArrayUnaryOp::tan, [](Real x) { return std::tan(x); });
}

// Half an ulp of the last rounding, and what the roundings and the polynomial before it add: for tanh the polynomial's
// 2^-55, which small arguments make 2 ulps of.
TEST(VectorMath, OfF64) {
  expect_within<double>(1.2L, ArrayUnaryOp::exp, [](Real x) { return std::exp(x); });
  expect_within<double>(1.2L, ArrayUnaryOp::log, [](Real x) { return std::log(x); });
  expect_within<double>(2.0L, ArrayUnaryOp::sin, [](Real x) { return std::sin(x); });
  expect_within<double>(2.0L, ArrayUnaryOp::cos, [](Real x) { return std::cos(x); });
  expect_within<double>(4.0L, ArrayUnaryOp::tanh, [](Real x) { return std::tanh(x); });
}

// A block in which some numbers take the C library's function, with its results in the place of its arguments.
TEST(VectorMath, InPlace) {
  std::vector<float> x = arguments<float>(HUGE_VALL);
  for (size_t i = 0; i < x.size(); i += 97) x[i] = i % 2 ? HUGE_VALF : -std::nanf("");
  for (const ArrayUnaryOp op : {ArrayUnaryOp::sin, ArrayUnaryOp::log1p, ArrayUnaryOp::expm1}) {
    std::vector<float> y(x.size()), in_place = x;
    run_unary(testing::cpus().back(), op, x, y);
    run_unary(testing::cpus().back(), op, in_place, in_place);
    expect_same(y, in_place);
  }
}

std::vector<float> run_binary(const Device& device, ArrayBinaryOp op, const std::vector<float>& a,
                              const std::vector<float>& b) {
  std::vector<float> y(a.size());
  testing::run_array_kernel(device, &ArrayPointwiseKernels::array_binary,
                            {op, DType::f32, dims({static_cast<int64_t>(a.size())}), a.data(), DType::f32, dims({1}),
                             b.data(), DType::f32, dims({1}), y.data(), DType::f32, dims({1})});
  return y;
}

// The same on all instruction sets.
std::vector<float> binary_everywhere(ArrayBinaryOp op, const std::vector<float>& a, const std::vector<float>& b) {
  const std::vector<float> y = run_binary(testing::cpus().back(), op, a, b);
  for (const Device& device : testing::cpus()) {
    SCOPED_TRACE(device.description());
    expect_same(y, run_binary(device, op, a, b));
  }
  return y;
}

TEST(VectorMath, PowersAndLengthsOfF32) {
  std::mt19937_64 random(4);
  std::vector<float> a, b;
  for (int i = 0; i < 60000; ++i) {
    a.push_back(std::ldexp(static_cast<float>(random() % 1000 + 1), static_cast<int>(random() % 40) - 25));
    b.push_back(static_cast<float>(static_cast<int>(random() % 4001) - 2000) / (random() % 2 ? 64.0f : 37.0f));
  }
  for (int i = 0; i < 40001; ++i) {  // beside 1, where logarithms cancel, and results of all sizes
    a.push_back(0.7f + 0.8f * static_cast<float>(i) / 40001.0f);
    const double largest = std::min(87 / std::fabs(std::log(static_cast<double>(a.back()))), 1e30);
    b.push_back(static_cast<float>(largest * static_cast<double>(static_cast<int64_t>(random())) * 0x1p-63));
  }
  for (size_t i = 0; i < a.size(); i += 97) {  // the C library's
    a[i] = i % 2 ? -a[i] : 0.0f;
    b[i] = std::rint(b[i]);
  }
  const std::vector<float> powers = binary_everywhere(ArrayBinaryOp::pow, a, b);
  for (size_t i = 0; i < a.size(); ++i)
    ASSERT_LE(ulps(powers[i], std::pow(Real{a[i]}, Real{b[i]})), a[i] > 0 ? 0.65L : 1.5L) << a[i] << " " << b[i];
  const std::vector<float> lengths = binary_everywhere(ArrayBinaryOp::hypot, a, b);
  for (size_t i = 0; i < a.size(); ++i)
    ASSERT_LE(ulps(lengths[i], std::hypot(Real{a[i]}, Real{b[i]})), 0.501L) << a[i] << " " << b[i];
}

// What is a float is found: the first powers, and roots of squares.
TEST(VectorMath, ExactPowersOfF32) {
  std::vector<float> a, b, expected;
  for (int i = 1; i < 4000; ++i) {
    const float x = static_cast<float>(i) / 16;
    a.insert(a.end(), {x, x, x * x, 1, x, 2});
    b.insert(b.end(), {1, 2, 0.5f, x, 0, static_cast<float>(i % 200 - 100)});
    expected.insert(expected.end(), {x, x * x, x, 1, 1, std::ldexp(1.0f, i % 200 - 100)});
  }
  expect_same(expected, binary_everywhere(ArrayBinaryOp::pow, a, b));
}

}  // namespace
}  // namespace tern
