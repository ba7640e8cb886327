// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/awkward.h"
#include "support/reference_pointwise.h"

namespace tern {
namespace {

using testing::awkward_floats;
using testing::awkward_sizes;
using testing::Floats;
using testing::run_kernel;
using testing::same_everywhere;

Floats apply(UnaryOp op, const Floats& x) {
  return same_everywhere([&](const Device& device) {
    Floats y(x.size());
    run_kernel(device, &Kernels::unary, {op, DType::f32, static_cast<int64_t>(x.size()), x.data(), y.data()});
    return y;
  });
}

double relu(double x) { return x < 0 ? 0.0 : x; }

struct Case {
  UnaryOp op;
  double (*oracle)(double);
  double ulps;  // 0.5 is correctly rounded; each further IEEE operation adds at most 1
};

const Case kCases[] = {
    {UnaryOp::neg, [](double x) { return -x; }, 0},
    {UnaryOp::abs, [](double x) { return std::fabs(x); }, 0},
    {UnaryOp::sqrt, [](double x) { return std::sqrt(x); }, 0.5},
    {UnaryOp::rsqrt, [](double x) { return 1 / std::sqrt(x); }, 1.5},
    {UnaryOp::reciprocal, [](double x) { return 1 / x; }, 0.5},
    {UnaryOp::square, [](double x) { return x * x; }, 0.5},
    {UnaryOp::relu, relu, 0},
    {UnaryOp::relu2, [](double x) { return relu(x) * relu(x); }, 0.5},
    {UnaryOp::silu, [](double x) { return x * reference::sigmoid(x); }, 3.5},
};

TEST(Unary, AgreesWithDouble) {
  for (const Case& c : kCases) {
    for (const int64_t size : awkward_sizes()) {
      const Floats x = awkward_floats(size, 1);
      const Floats y = apply(c.op, x);
      for (size_t i = 0; i < x.size(); ++i) {
        const double expected = c.oracle(static_cast<double>(x[i]));
        // silu multiplies a subnormal sigmoid, which has few bits, by up to 104.
        if (c.op == UnaryOp::silu && std::fabs(expected) < 0x1p-119 && std::fabs(y[i] - expected) < 0x1p-142) continue;
        ASSERT_LE(reference::ulps(y[i], expected), c.ulps)
            << "op " << static_cast<int>(c.op) << " of " << x[i] << " gave " << y[i];
      }
    }
  }
}

TEST(Unary, MayBeInPlace) {
  for (const Case& c : kCases) {
    const Floats x = awkward_floats(1009, 2);
    const Floats apart = apply(c.op, x);
    const Floats in_place = same_everywhere([&](const Device& device) {
      Floats y = x;
      run_kernel(device, &Kernels::unary, {c.op, DType::f32, 1009, y.data(), y.data()});
      return y;
    });
    EXPECT_TRUE(testing::same_bits(apart, in_place));
  }
}

template <class T>
std::vector<T> integers(UnaryOp op, const std::vector<T>& x, const Device& device) {
  std::vector<T> y(x.size());
  run_kernel(device, &Kernels::unary, {op, dtype_of<T>, static_cast<int64_t>(x.size()), x.data(), y.data()});
  return y;
}

TEST(Unary, IntegersWrap) {
  constexpr int32_t kLeast = std::numeric_limits<int32_t>::min();
  constexpr int64_t kLeast64 = std::numeric_limits<int64_t>::min();
  for (const Device& device : testing::cpus()) {
    const std::vector<int32_t> x = {0, 1, -1, 7, kLeast, 65536};
    EXPECT_EQ(integers(UnaryOp::neg, x, device), (std::vector<int32_t>{0, -1, 1, -7, kLeast, -65536}));
    EXPECT_EQ(integers(UnaryOp::abs, x, device), (std::vector<int32_t>{0, 1, 1, 7, kLeast, 65536}));
    EXPECT_EQ(integers(UnaryOp::square, x, device), (std::vector<int32_t>{0, 1, 1, 49, 0, 0}));
    const std::vector<int64_t> z = {0, -5, kLeast64, int64_t{1} << 32};
    EXPECT_EQ(integers(UnaryOp::neg, z, device), (std::vector<int64_t>{0, 5, kLeast64, -(int64_t{1} << 32)}));
    EXPECT_EQ(integers(UnaryOp::abs, z, device), (std::vector<int64_t>{0, 5, kLeast64, int64_t{1} << 32}));
    EXPECT_EQ(integers(UnaryOp::square, z, device), (std::vector<int64_t>{0, 25, 0, 0}));
  }
}

}  // namespace
}  // namespace tern
