// SPDX-License-Identifier: Apache-2.0
// Rows times a factor each, and codes as bf16.
#include <gtest/gtest.h>

#include <limits>

#include "device/mixed/mixed_device.h"

namespace tern {
namespace {

using testing::Floats;
using testing::Halves;
using testing::in_bf16;
using testing::normal_halves;
using testing::OnDevice;
using testing::Random;
using testing::same_bytes;

struct Rows {
  int64_t rows, cols;
};
constexpr Rows kRows[] = {{0, 8}, {1, 8}, {1, 0}, {3, 16}, {7, 264}, {131, 384}, {33, 1024}, {5, 16392}, {100003, 8}};

using MixedRows = testing::MixedTest;

TEST_F(MixedRows, AreScaled) {
  Random random(1);
  for (const Rows n : kRows) {
    SCOPED_TRACE(::testing::Message() << n.rows << " x " << n.cols);
    Halves x = normal_halves(n.rows * n.cols, random);
    if (!x.empty()) x.back() = bf16(std::numeric_limits<float>::infinity());
    Floats q_scale(static_cast<size_t>(n.rows));
    for (float& scale : q_scale) scale = 0.5f + static_cast<float>(random() % 1000);
    const float factor = 0.37f;
    const OnDevice<bf16> from(x), to(n.rows * n.cols);
    const OnDevice<float> scales(q_scale);
    run(&MixedKernels::scale_rows, {n.rows, n.cols, from.data(), {scales.data(), factor}, to.data()});
    Halves expected;
    for (int64_t i = 0; i < n.rows * n.cols; ++i) {
      const auto at = static_cast<size_t>(i);
      expected.push_back(bf16(static_cast<float>(x[at]) * (factor / q_scale[static_cast<size_t>(i / n.cols)])));
    }
    EXPECT_TRUE(same_bytes(to.values(), expected));
  }
}

TEST_F(MixedRows, OfCodesAreExact) {
  Random random(2);
  for (const Rows n : kRows) {
    for (const int64_t padding : {0, 8, 64}) {
      SCOPED_TRACE(::testing::Message() << n.rows << " x " << n.cols << " + " << padding);
      const int64_t stride = n.cols + padding;
      std::vector<int8_t> x(static_cast<size_t>(n.rows * stride));
      for (int8_t& code : x) code = static_cast<int8_t>(static_cast<int>(random() % 256) - 128);
      const OnDevice<int8_t> from(x);
      const OnDevice<bf16> to(n.rows * n.cols);
      run(&MixedKernels::codes, {n.rows, n.cols, stride, from.data(), to.data()});
      Halves expected;
      for (int64_t row = 0; row < n.rows; ++row) {
        for (int64_t j = 0; j < n.cols; ++j) {
          expected.push_back(bf16(static_cast<float>(x[static_cast<size_t>(row * stride + j)])));
        }
      }
      EXPECT_TRUE(same_bytes(to.values(), expected));
    }
  }
}

}  // namespace
}  // namespace tern
