// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "support/awkward.h"

namespace tern {
namespace {

using testing::Floats;
using testing::normal_floats;
using testing::run_kernel;
using testing::same_everywhere;

struct Problem {
  int64_t tokens, heads, dim;
  std::vector<int32_t> positions;
  Floats x, cos, sin;

  Problem(int64_t t, int64_t h, int64_t d) : tokens(t), heads(h), dim(d), x(normal_floats(t * h * d, 1)) {
    for (int64_t i = 0; i < t; ++i) positions.push_back(static_cast<int32_t>(i * 7 % 13));
    for (int position = 0; position < 13; ++position) {
      for (int64_t i = 0; i < d / 2; ++i) {
        const double angle = position * std::pow(500000.0, -2.0 * static_cast<double>(i) / static_cast<double>(d));
        cos.push_back(static_cast<float>(std::cos(angle)));
        sin.push_back(static_cast<float>(std::sin(angle)));
      }
    }
  }

  Floats rotate(const Device& device, Floats values, bool inverse) const {
    run_kernel(device, &Kernels::rope,
               {tokens, heads, dim, values.data(), positions.data(), cos.data(), sin.data(), inverse, values.data()});
    return values;
  }
};

std::vector<Problem> problems() {
  std::vector<Problem> list = {{0, 2, 8}, {1, 1, 2}, {97, 5, 128}};
  for (const int64_t dim : {2, 14, 30, 32, 34, 64, 126, 128}) list.push_back({3, 2, dim});
  return list;
}

TEST(Rope, RoundsEachProductThenTheSum) {
  for (const Problem& p : problems()) {
    const Floats y = same_everywhere([&](const Device& device) { return p.rotate(device, p.x, false); });
    const int64_t half = p.dim / 2;
    for (int64_t row = 0; row < p.tokens * p.heads; ++row) {
      for (int64_t i = 0; i < half; ++i) {
        const auto at = static_cast<size_t>(row * p.dim + i), other = at + static_cast<size_t>(half);
        const auto angle = static_cast<size_t>(p.positions[static_cast<size_t>(row / p.heads)] * half + i);
        const float low_cos = p.x[at] * p.cos[angle], high_sin = p.x[other] * p.sin[angle];
        const float high_cos = p.x[other] * p.cos[angle], low_sin = p.x[at] * p.sin[angle];
        ASSERT_EQ(y[at], low_cos - high_sin);
        ASSERT_EQ(y[other], high_cos + low_sin);
      }
    }
  }
}

TEST(Rope, InverseTurnsBack) {
  for (const Problem& p : problems()) {
    const Floats back =
        same_everywhere([&](const Device& device) { return p.rotate(device, p.rotate(device, p.x, false), true); });
    // Eight roundings and the rounded sine and cosine, each half a unit of a number below |x| · 2.
    for (size_t i = 0; i < back.size(); ++i) ASSERT_NEAR(back[i], p.x[i], 5 * 0x1p-20);
  }
}

TEST(Rope, WritesElsewhere) {
  const Problem p(3, 2, 34);
  const Floats in_place = p.rotate(testing::cpus().front(), p.x, false);
  const Floats apart = same_everywhere([&](const Device& device) {
    Floats y(p.x.size());
    run_kernel(device, &Kernels::rope,
               {p.tokens, p.heads, p.dim, p.x.data(), p.positions.data(), p.cos.data(), p.sin.data(), false, y.data()});
    return y;
  });
  EXPECT_TRUE(testing::same_bits(in_place, apart));
}

}  // namespace
}  // namespace tern
