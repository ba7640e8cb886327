// SPDX-License-Identifier: Apache-2.0
#include "nn/rope_table.h"
#include "support/test_device.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tern {
namespace {

TEST(RopeTable, EqualsTheFormula) {
  const Device device = testing::test_device();
  for (const double theta : {10000.0, 500000.0}) {
    for (const int64_t dim : {2, 6, 64, 128}) {
      const RopeTable table = make_rope_table(97, dim, theta, device);
      ASSERT_EQ(table.cos.shape(), (Shape{97, dim / 2}));
      const std::vector<float> cos = table.cos.to_vector<float>(), sin = table.sin.to_vector<float>();
      for (int64_t p = 0; p < 97; ++p) {
        for (int64_t i = 0; i < dim / 2; ++i) {
          const double angle =
              static_cast<double>(p) * std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(dim));
          // The angle is rounded to f32 three times on the way (frequency twice, product once), then the value once.
          const double bound = 4 * 6e-8 * angle + 6e-8;
          EXPECT_NEAR(cos[size_t(p * dim / 2 + i)], std::cos(angle), bound);
          EXPECT_NEAR(sin[size_t(p * dim / 2 + i)], std::sin(angle), bound);
        }
      }
    }
  }
}

TEST(RopeTable, NoPositionsGiveAnEmptyTable) {
  EXPECT_EQ(make_rope_table(0, 4, 10000.0, testing::test_device()).cos.shape(), (Shape{0, 2}));
}

}  // namespace
}  // namespace tern
