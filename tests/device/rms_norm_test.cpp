// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "support/awkward.h"
#include "support/reference_pointwise.h"
#include "support/reference_rows.h"

namespace tern {
namespace {

using reference::Row;
using reference::row_of;
using testing::Floats;
using testing::normal_floats;
using testing::run_kernel;
using testing::same_everywhere;

constexpr float kEps = 1e-5f;
constexpr double kUnit = 0x1p-24;

struct Shape {
  int64_t rows, cols;
  size_t count() const { return static_cast<size_t>(rows * cols); }
};

std::vector<Shape> shapes() {
  std::vector<Shape> list = {{0, 16}, {1, 2560}, {5, 6912}, {331, 127}};
  for (const int64_t cols : {1, 2, 7, 15, 16, 17, 63, 64, 65, 127, 1009}) list.push_back({3, cols});
  return list;
}

struct Problem {
  explicit Problem(const Shape& s)
      : shape(s),
        x(normal_floats(s.rows * s.cols, 1, 3.0f)),
        weight(normal_floats(s.cols, 2)),
        dy(normal_floats(s.rows * s.cols, 3)) {}

  // y, then 1/rms of each row.
  Floats forward(const Device& device) const {
    Floats out(shape.count() + static_cast<size_t>(shape.rows));
    run_kernel(device, &Kernels::rms_norm,
               {shape.rows, shape.cols, x.data(), weight.data(), kEps, out.data(), out.data() + shape.count()});
    return out;
  }

  // dx, then d_weight.
  Floats backward(const Device& device) const {
    const Floats inv = forward(device);
    Floats out(shape.count() + weight.size());
    run_kernel(device, &Kernels::rms_norm_backward,
               {shape.rows, shape.cols, x.data(), weight.data(), inv.data() + shape.count(), dy.data(), out.data(),
                out.data() + shape.count()});
    return out;
  }

  Shape shape;
  Floats x, weight, dy;
};

// Rounding of a sum of n squares is below n/16 + 4 units, a half of which survives the root; the rest are single
// operations.
double relative_bound(int64_t cols) { return (static_cast<double>(cols) / 32 + 8) * kUnit; }

TEST(RmsNorm, AgreesWithDouble) {
  for (const Shape& s : shapes()) {
    const Problem problem(s);
    const Floats y = same_everywhere([&](const Device& device) { return problem.forward(device); });
    const auto cols = static_cast<size_t>(s.cols);
    for (size_t r = 0; r < static_cast<size_t>(s.rows); ++r) {
      const double inv = reference::rms_inverse(row_of(problem.x, r, cols), double{kEps});
      ASSERT_NEAR(y[s.count() + r], inv, inv * relative_bound(s.cols));
      for (size_t j = 0; j < cols; ++j) {
        const double expected = double{problem.x[r * cols + j]} * inv * double{problem.weight[j]};
        ASSERT_NEAR(y[r * cols + j], expected, std::fabs(expected) * relative_bound(s.cols))
            << s.rows << " x " << s.cols;
      }
    }
  }
}

TEST(RmsNorm, SumsSquaresInLanesOrder) {
  const Problem problem({1, 1009});
  const Floats y = same_everywhere([&](const Device& device) { return problem.forward(device); });
  const auto at = [&](size_t i) { return problem.x[i]; };
  const float mean = reference::lanes_dot(1009, at, at) / 1009.0f;
  EXPECT_EQ(y.back(), 1.0f / std::sqrt(mean + kEps));
}

TEST(RmsNorm, TakesZerosAndPassesNansOn) {
  for (const Device& device : testing::cpus()) {
    const Floats x = {0, 0, NAN, 1, HUGE_VALF, 1}, weight = {2, 3};
    Floats y(6);
    run_kernel(device, &Kernels::rms_norm, {3, 2, x.data(), weight.data(), kEps, y.data(), nullptr});
    EXPECT_TRUE(testing::same_bits(y, {0, 0, NAN, NAN, NAN, 0})) << device.description();
  }
}

TEST(RmsNormBackward, AgreesWithDouble) {
  for (const Shape& s : shapes()) {
    const Problem problem(s);
    const Floats grads = same_everywhere([&](const Device& device) { return problem.backward(device); });
    const auto cols = static_cast<size_t>(s.cols), rows = static_cast<size_t>(s.rows);
    const Row weight(problem.weight.begin(), problem.weight.end());
    Row d_weight(cols), d_weight_size(cols);
    for (size_t r = 0; r < rows; ++r) {
      const Row x = row_of(problem.x, r, cols), dy = row_of(problem.dy, r, cols);
      const Row dx = reference::rms_norm_dx(x, weight, dy, double{kEps});
      const double inv = reference::rms_inverse(x, double{kEps});
      double size = 0, total = 0;  // of the terms whose differences dx is made of
      for (size_t j = 0; j < cols; ++j) total += std::fabs(dy[j] * weight[j] * x[j]);
      for (size_t j = 0; j < cols; ++j) {
        size = inv * (std::fabs(dy[j] * weight[j]) + std::fabs(x[j]) * total * inv * inv / static_cast<double>(cols));
        ASSERT_NEAR(grads[r * cols + j], dx[j], size * 3 * relative_bound(s.cols)) << s.rows << " x " << s.cols;
        d_weight[j] += dy[j] * x[j] * inv;
        d_weight_size[j] += std::fabs(dy[j] * x[j] * inv);
      }
    }
    for (size_t j = 0; j < cols; ++j) {
      const double bound = d_weight_size[j] * (relative_bound(s.cols) + static_cast<double>(s.rows) * kUnit);
      ASSERT_NEAR(grads[s.count() + j], d_weight[j], bound) << s.rows << " x " << s.cols;
    }
  }
}

}  // namespace
}  // namespace tern
