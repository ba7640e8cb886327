// SPDX-License-Identifier: Apache-2.0
// quantize_rows and ternary_codes: exact against the definition, rounding edges included.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "support/awkward.h"

namespace tern {
namespace {

using testing::awkward_floats;
using testing::Floats;
using testing::normal_floats;
using testing::run_kernel;

struct Quantized {
  std::vector<int8_t> q;
  Floats scale;
  std::vector<int32_t> sums;
};

int64_t stride_of(int64_t cols) { return quantized_stride(cols); }

Quantized quantize(const Device& device, int64_t rows, int64_t cols, const Floats& x) {
  Quantized out = {std::vector<int8_t>(static_cast<size_t>(rows * stride_of(cols)), 99),
                   Floats(static_cast<size_t>(rows)), std::vector<int32_t>(static_cast<size_t>(rows))};
  run_kernel(device, &Kernels::quantize_rows,
             {rows, cols, stride_of(cols), x.data(), out.q.data(), out.scale.data(), out.sums.data()});
  return out;
}

int64_t clamped(double x, double low, double high) {
  if (std::isnan(x)) return 0;
  return static_cast<int64_t>(std::nearbyint(x < low ? low : x > high ? high : x));
}

// PyTorch's 127 / x is the reciprocal, rounded, times 127.
float scale_of(const float* x, int64_t cols) {
  float greatest = 1e-5f;
  for (int64_t j = 0; j < cols; ++j) greatest = std::fabs(x[j]) > greatest ? std::fabs(x[j]) : greatest;
  const float reciprocal = 1.0f / greatest;
  return reciprocal * 127.0f;
}

void expect_rows(int64_t rows, int64_t cols, const Floats& x) {
  for (const Device& device : testing::cpus()) {
    const Quantized result = quantize(device, rows, cols, x);
    for (int64_t r = 0; r < rows; ++r) {
      const float* row = x.data() + r * cols;
      const float scale = scale_of(row, cols);
      ASSERT_EQ(result.scale[static_cast<size_t>(r)], scale);
      int64_t sum = 0;
      for (int64_t j = 0; j < stride_of(cols); ++j) {
        const int64_t expected = j < cols ? clamped(static_cast<double>(row[j] * scale), -128, 127) : 0;
        ASSERT_EQ(result.q[static_cast<size_t>(r * stride_of(cols) + j)], expected)
            << row[j] << " · " << scale << " on " << device.description();
        sum += expected;
      }
      ASSERT_EQ(result.sums[static_cast<size_t>(r)], sum);
    }
  }
}

TEST(QuantizeRows, AgreesWithTheDefinition) {
  for (const int64_t cols : {1, 2, 7, 15, 16, 17, 63, 64, 65, 127, 2560, 6912}) {
    expect_rows(5, cols, normal_floats(5 * cols, 1, 10.0f));
    expect_rows(5, cols, awkward_floats(5 * cols, 2));
    expect_rows(5, cols, normal_floats(5 * cols, 3, 1e-7f));
    expect_rows(0, cols, {});
  }
  expect_rows(173, 1009, normal_floats(173 * 1009, 4));
}

TEST(QuantizeRows, RoundsHalvesToEven) {
  // The greatest is 127, so the scale is 127·(1/127) rounded: 1 or its neighbour, and the halves stay put or move
  // together.
  Floats x = {127};
  for (int i = -126; i < 126; ++i) x.push_back(static_cast<float>(i) + 0.5f);
  expect_rows(1, static_cast<int64_t>(x.size()), x);
  // Greatest 2^-k · 127 gives an exact scale more often; look for one that is a power of two.
  for (float& v : x) v *= 0x1p-3f;
  expect_rows(1, static_cast<int64_t>(x.size()), x);
}

TEST(QuantizeRows, TakesZerosNansAndInfinities) {
  for (const Device& device : testing::cpus()) {
    const Quantized result = quantize(device, 3, 3, {0, -0.0f, 0, NAN, 2, -4, HUGE_VALF, 1, NAN});
    EXPECT_EQ(result.scale[0], 1.0f / 1e-5f * 127.0f);
    EXPECT_EQ(std::vector<int8_t>(result.q.begin() + 64, result.q.begin() + 67), (std::vector<int8_t>{0, 64, -127}));
    EXPECT_EQ(result.scale[2], 0.0f);
    EXPECT_EQ(std::vector<int8_t>(result.q.begin() + 128, result.q.begin() + 131), (std::vector<int8_t>{0, 0, 0}));
    EXPECT_EQ(result.sums, (std::vector<int32_t>{0, -63, 0}));
  }
}

TEST(TernaryCodes, AgreesWithTheDefinition) {
  for (const int64_t count : testing::awkward_sizes()) {
    Floats w = awkward_floats(count, 5);
    for (size_t i = 0; i < w.size(); i += 3) w[i] = static_cast<float>(i % 9) * 0.25f - 1.0f;  // ties
    for (const float inverse : {1.0f, 2.0f, 37.25f, 0.0f}) {
      for (const Device& device : testing::cpus()) {
        std::vector<int8_t> codes(w.size() + 1, 99);
        run_kernel(device, &Kernels::ternary_codes, {count, w.data(), inverse, codes.data()});
        for (size_t i = 0; i < w.size(); ++i) {
          ASSERT_EQ(codes[i], clamped(static_cast<double>(w[i] * inverse), -1, 1))
              << w[i] << " on " << device.description();
        }
        ASSERT_EQ(codes.back(), 99);
      }
    }
  }
}

}  // namespace
}  // namespace tern
