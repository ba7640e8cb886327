// SPDX-License-Identifier: Apache-2.0
// softmax and cross_entropy, and their gradients.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "support/awkward.h"
#include "support/reference_rows.h"

namespace tern {
namespace {

using reference::Row;
using reference::row_of;
using testing::Floats;
using testing::normal_floats;
using testing::run_kernel;
using testing::same_everywhere;

constexpr double kUnit = 0x1p-24;

struct Shape {
  int64_t rows, cols;
  size_t count() const { return static_cast<size_t>(rows * cols); }
};

std::vector<Shape> shapes() {
  std::vector<Shape> list = {{0, 16}, {2, 128256}, {331, 127}};
  for (const int64_t cols : {1, 2, 7, 15, 16, 17, 63, 64, 65, 127, 1009}) list.push_back({3, cols});
  return list;
}

// x - max is rounded by half a unit of a number below 2^6, which exp turns into a relative error of 2^5 units; then
// exp, the sum of n terms in 16 lanes and the quotient.
double relative_bound(int64_t cols) { return (40 + static_cast<double>(cols) / 16) * kUnit; }

Floats softmax(const Device& device, const Shape& s, const Floats& x) {
  Floats y(s.count());
  run_kernel(device, &Kernels::softmax, {s.rows, s.cols, x.data(), y.data()});
  return y;
}

TEST(Softmax, AgreesWithDouble) {
  for (const Shape& s : shapes()) {
    const Floats x = normal_floats(s.rows * s.cols, 1, 5.0f);
    const Floats y = same_everywhere([&](const Device& device) { return softmax(device, s, x); });
    const auto cols = static_cast<size_t>(s.cols);
    for (size_t r = 0; r < static_cast<size_t>(s.rows); ++r) {
      const Row expected = reference::softmax(row_of(x, r, cols));
      for (size_t j = 0; j < cols; ++j) {
        ASSERT_NEAR(y[r * cols + j], expected[j], expected[j] * relative_bound(s.cols) + 0x1p-149);
      }
      EXPECT_NEAR(reference::sum(row_of(y, r, cols)), 1.0, relative_bound(s.cols));
    }
  }
}

TEST(Softmax, TakesInfinities) {
  const Floats x = {-HUGE_VALF, 0,         -HUGE_VALF, -HUGE_VALF, -HUGE_VALF, -HUGE_VALF, NAN,  1,
                    2,          HUGE_VALF, 1,          2,          3e38f,      -3e38f,     3e38f};
  const Floats y = same_everywhere([&](const Device& device) { return softmax(device, {5, 3}, x); });
  EXPECT_TRUE(testing::same_bits(y, {0, 1, 0, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, 0.5f, 0, 0.5f}));
}

TEST(SoftmaxBackward, AgreesWithDouble) {
  for (const Shape& s : shapes()) {
    const Floats x = normal_floats(s.rows * s.cols, 1), dy = normal_floats(s.rows * s.cols, 2);
    const Floats y = softmax(testing::cpus().front(), s, x);
    const Floats dx = same_everywhere([&](const Device& device) {
      Floats out(s.count());
      run_kernel(device, &Kernels::softmax_backward, {s.rows, s.cols, y.data(), dy.data(), out.data()});
      return out;
    });
    const auto cols = static_cast<size_t>(s.cols);
    for (size_t r = 0; r < static_cast<size_t>(s.rows); ++r) {
      double along = 0, size = 0;
      for (size_t i = r * cols; i < (r + 1) * cols; ++i) {
        along += double{y[i]} * double{dy[i]};
        size += std::fabs(double{y[i]} * double{dy[i]});
      }
      for (size_t i = r * cols; i < (r + 1) * cols; ++i) {
        const double bound = double{y[i]} * (std::fabs(double{dy[i]}) + size) * relative_bound(s.cols);
        ASSERT_NEAR(dx[i], double{y[i]} * (double{dy[i]} - along), bound);
      }
    }
  }
}

std::vector<int64_t> targets_of(const Shape& s) {
  std::vector<int64_t> targets;
  for (int64_t r = 0; r < s.rows; ++r) targets.push_back(r % 5 == 1 ? -100 : r * 7919 % s.cols);
  return targets;
}

// Losses, then log Σ exp.
Floats cross_entropy(const Device& device, const Shape& s, const Floats& x, const std::vector<int64_t>& targets) {
  Floats out(2 * targets.size());
  run_kernel(device, &Kernels::cross_entropy,
             {s.rows, s.cols, x.data(), targets.data(), out.data(), out.data() + s.rows});
  return out;
}

TEST(CrossEntropy, AgreesWithDouble) {
  for (const Shape& s : shapes()) {
    const Floats x = normal_floats(s.rows * s.cols, 3, 5.0f);
    const std::vector<int64_t> targets = targets_of(s);
    const Floats y = same_everywhere([&](const Device& device) { return cross_entropy(device, s, x, targets); });
    for (size_t r = 0; r < targets.size(); ++r) {
      const Row row = row_of(x, r, static_cast<size_t>(s.cols));
      const double lse = reference::log_sum_exp(row);
      // An error of the sum relative to it, and roundings of numbers below 64.
      const double bound = relative_bound(s.cols) + 64 * kUnit;
      ASSERT_NEAR(y[targets.size() + r], lse, bound);
      ASSERT_NEAR(y[r], targets[r] < 0 ? 0.0 : lse - row[static_cast<size_t>(targets[r])], bound);
    }
  }
}

TEST(CrossEntropy, KeepsSmallLosses) {
  // log(1 + 2·exp(-12)) far from zero logits: subtracting two large numbers would lose it.
  const Floats x = {1012, 1000, 1000};
  const Floats y = same_everywhere([&](const Device& device) { return cross_entropy(device, {1, 3}, x, {0}); });
  EXPECT_NEAR(y[0], std::log1p(2 * std::exp(-12.0)), 2 * kUnit);
}

TEST(CrossEntropyBackward, AgreesWithDouble) {
  constexpr float kScale = 0.125f;
  for (const Shape& s : shapes()) {
    const Floats x = normal_floats(s.rows * s.cols, 4, 3.0f);
    const std::vector<int64_t> targets = targets_of(s);
    const Floats forward = cross_entropy(testing::cpus().front(), s, x, targets);
    const Floats dx = same_everywhere([&](const Device& device) {
      Floats out = x;  // in place
      run_kernel(device, &Kernels::cross_entropy_backward,
                 {s.rows, s.cols, out.data(), targets.data(), forward.data() + s.rows, kScale, out.data()});
      return out;
    });
    const auto cols = static_cast<size_t>(s.cols);
    for (size_t r = 0; r < targets.size(); ++r) {
      const Row p = reference::softmax(row_of(x, r, cols));
      for (size_t j = 0; j < cols; ++j) {
        const bool is_target = static_cast<int64_t>(j) == targets[r];
        const double expected = targets[r] < 0 ? 0.0 : double{kScale} * (p[j] - (is_target ? 1 : 0));
        ASSERT_NEAR(dx[r * cols + j], expected,
                    double{kScale} * (p[j] * relative_bound(s.cols) + is_target * kUnit) + 0x1p-149);
      }
    }
  }
}

}  // namespace
}  // namespace tern
