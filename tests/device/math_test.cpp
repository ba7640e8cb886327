// SPDX-License-Identifier: Apache-2.0
// exp, log, tanh and sigmoid against double, over a sample of all bit patterns.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "support/awkward.h"
#include "support/reference_pointwise.h"

namespace tern {
namespace {

using testing::Floats;
using testing::run_kernel;
using testing::same_everywhere;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Floats apply(UnaryOp op, const Floats& x) {
  return same_everywhere([&](const Device& device) {
    Floats y(x.size());
    run_kernel(device, &Kernels::unary, {op, DType::f32, static_cast<int64_t>(x.size()), x.data(), y.data()});
    return y;
  });
}

// Every 10007th bit pattern (a prime), which meets all exponents, both signs, NaNs and subnormals.
Floats sample() {
  Floats x;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 10007) {
    x.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  }
  return x;
}

// 200,000 numbers evenly in [low, high], where the function is neither flat nor saturated.
Floats grid(double low, double high) {
  Floats x(200000);
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>(low + (high - low) * static_cast<double>(i) / static_cast<double>(x.size() - 1));
  }
  return x;
}

template <class Oracle>
double greatest_error(UnaryOp op, const Floats& x, const Oracle& oracle) {
  const Floats y = apply(op, x);
  double greatest = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double error = reference::ulps(y[i], oracle(static_cast<double>(x[i])));
    EXPECT_LT(error, 10) << "at " << x[i] << ": " << y[i];
    greatest = std::max(greatest, error);
  }
  return greatest;
}

double exp_of(double x) { return std::exp(x); }
double log_of(double x) { return std::log(x); }
double tanh_of(double x) { return std::tanh(x); }

TEST(Math, ExpIsWithinOneUlp) {
  EXPECT_LE(greatest_error(UnaryOp::exp, sample(), exp_of), 1.0);
  EXPECT_LE(greatest_error(UnaryOp::exp, grid(-104, 89), exp_of), 1.0);
  EXPECT_LE(greatest_error(UnaryOp::exp, grid(-1, 1), exp_of), 1.0);
}

TEST(Math, LogIsWithinOneUlp) {
  EXPECT_LE(greatest_error(UnaryOp::log, sample(), log_of), 1.0);
  EXPECT_LE(greatest_error(UnaryOp::log, grid(0.5, 2), log_of), 1.0);
}

TEST(Math, TanhIsWithinTwoUlps) {
  EXPECT_LE(greatest_error(UnaryOp::tanh, sample(), tanh_of), 2.0);
  EXPECT_LE(greatest_error(UnaryOp::tanh, grid(-10, 10), tanh_of), 2.0);
}

TEST(Math, SigmoidIsWithinTwoAndAHalfUlps) {
  EXPECT_LE(greatest_error(UnaryOp::sigmoid, sample(), reference::sigmoid), 2.5);
  EXPECT_LE(greatest_error(UnaryOp::sigmoid, grid(-104, 20), reference::sigmoid), 2.5);
}

TEST(Math, EdgesAreExact) {
  EXPECT_TRUE(
      testing::same_bits(apply(UnaryOp::exp, {0.0f, -0.0f, kInfinity, -kInfinity, kNan, 89.0f, -104.0f, 1e30f, -1e30f}),
                         {1.0f, 1.0f, kInfinity, 0.0f, kNan, kInfinity, 0.0f, kInfinity, 0.0f}));
  EXPECT_TRUE(testing::same_bits(apply(UnaryOp::log, {1.0f, 0.0f, -0.0f, -1.0f, kInfinity, -kInfinity, kNan}),
                                 {0.0f, -kInfinity, -kInfinity, kNan, kInfinity, kNan, kNan}));
  EXPECT_TRUE(testing::same_bits(apply(UnaryOp::tanh, {0.0f, -0.0f, kInfinity, -kInfinity, kNan, 0x1p-149f}),
                                 {0.0f, -0.0f, 1.0f, -1.0f, kNan, 0x1p-149f}));
  EXPECT_TRUE(testing::same_bits(apply(UnaryOp::sigmoid, {0.0f, kInfinity, -kInfinity, kNan, 100.0f}),
                                 {0.5f, 1.0f, 0.0f, kNan, 1.0f}));
}

}  // namespace
}  // namespace tern
