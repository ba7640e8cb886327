// SPDX-License-Identifier: Apache-2.0
// Products with coded weights on any device: y has the bits that the CPU gives, whose kernels device/coded_test.cpp
// compares with naive doubles; bounds hold for linear of the same device; leaders are found again by looking.
#include "ops/coded.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "device/kernels.h"
#include "support/awkward.h"
#include "support/searching_device.h"
#include "tern/ops.h"

namespace tern {
namespace {

using testing::Floats;
using testing::normal_floats;
using testing::same_bits;

constexpr float kInf = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();

struct CodedCase {
  int64_t rows, n, k;
};

const std::vector<CodedCase> kCases = {{1, 1, 1},     {1, 31, 63},    {2, 33, 65},     {1, 257, 300}, {5, 257, 301},
                                       {8, 1000, 64}, {9, 1000, 127}, {1, 4099, 2560}, {1, 40, 4096}, {1, 67, 8257},
                                       {4, 67, 4097}, {1, 20000, 65}, {3, 20000, 8}};

Floats floats_of(int64_t count, uint32_t seed, int awkward) {
  Floats x = normal_floats(count, seed);
  std::mt19937 random(seed);
  for (int i = 0; i < awkward; ++i) {
    const float values[] = {kNan, kInf, -kInf, 3e38f, 1e-42f, 0.0f};
    x[random() % x.size()] = values[random() % 6];
  }
  return x;
}

// Rows of a tensor that begins one element after an aligned address.
Tensor shifted(const Floats& values, const Shape& shape, const Device& device) {
  Floats padded(1, 7.0f);
  padded.insert(padded.end(), values.begin(), values.end());
  return reshape(slice(Tensor::from(padded, {std::ssize(padded)}, device), 0, 1, std::ssize(padded)), shape);
}

TEST(CodedProducts, HaveTheBitsOfTheCpu) {
  const Device device = testing::searching_device(2), cpu = Device::open("cpu", {.threads = 1});
  for (const auto& [rows, n, k] : kCases) {
    for (const int bits : {4, 6, 8}) {
      for (const int awkward : {0, 3}) {
        const Floats w = floats_of(n * k, 3, 0), x = floats_of(rows * k, static_cast<uint32_t>(bits), awkward);
        const auto product = [&](const Device& on, const Floats& from, int64_t count) {
          const CodedWeight coded = code_weight(Tensor::from(w, {n, k}, on), bits);
          const Floats y = coded_linear(Tensor::from(from, {count, k}, on), coded).to_vector<float>();
          EXPECT_TRUE(same_bits(coded_linear(shifted(from, {count, k}, on), coded).to_vector<float>(), y));
          return y;
        };
        const Floats y = product(device, x, rows);
        ASSERT_TRUE(same_bits(y, product(cpu, x, rows))) << rows << " x " << n << " x " << k << ", " << bits;
        // The last row alone.
        ASSERT_TRUE(same_bits(product(device, Floats(x.end() - k, x.end()), 1), Floats(y.end() - n, y.end())));
      }
    }
  }
}

TEST(CodedBounds, HoldAndAreNearThoseOfTheCpu) {
  const Device device = testing::searching_device(2), cpu = Device::open("cpu", {.threads = 1});
  int64_t known = 0;
  for (const auto& [rows, n, k] : kCases) {
    for (const int awkward : {0, 3}) {
      const Floats w = floats_of(n * k, 5, awkward), x = floats_of(rows * k, 6, rows > 1 ? awkward : 0);
      struct Bounds {
        Floats low, high;
      };
      const auto bounds_on = [&](const Device& on) {
        const LinearBounds bounds =
            linear_bounds(Tensor::from(x, {rows, k}, on), code_weight(Tensor::from(w, {n, k}, on), 6));
        return Bounds{bounds.low.to_vector<float>(), bounds.high.to_vector<float>()};
      };
      const Bounds bounds = bounds_on(device), of_cpu = bounds_on(cpu);
      const Floats exact =
          linear(Tensor::from(x, {rows, k}, device), Tensor::from(w, {n, k}, device)).to_vector<float>();
      for (size_t i = 0; i < exact.size(); ++i) {
        const float low = bounds.low[i], high = bounds.high[i];
        // Devices may code activations in one plane or two, the CPU in one on some.
        const float width = of_cpu.high[i] - of_cpu.low[i];
        if (std::isfinite(width)) {
          ASSERT_LE(high - low, 1.5f * width) << i;
        }
        if (std::isnan(low) || std::isnan(high)) continue;
        ASSERT_TRUE(std::isfinite(exact[i]) || !std::isfinite(low) || !std::isfinite(high)) << exact[i];
        ASSERT_LE(low, exact[i]);
        ASSERT_GE(high, exact[i]);
        known += std::isfinite(low) && std::isfinite(high);
      }
    }
  }
  EXPECT_GT(known, 50000);
}

TEST(CodedBounds, LeadersAreTheGreatest) {
  const Device device = testing::searching_device(2);
  std::vector<CodedCase> cases = kCases;
  cases.insert(cases.end(), {{1, 140001, 8}, {3, 140001, 8}});  // more rows than a GPU takes at once
  for (const auto& [rows, n, k] : cases) {
    for (const int awkward : {0, 5}) {
      const Floats w = floats_of(n * k, 7, awkward), x = floats_of(rows * k, 8, awkward);
      Floats doubled = w;  // ties: each row twice
      for (int64_t j = 1; j < n; j += 2) std::copy_n(w.begin() + (j - 1) * k, k, doubled.begin() + j * k);
      const LinearBounds bounds =
          linear_bounds(Tensor::from(x, {rows, k}, device), code_weight(Tensor::from(doubled, {n, k}, device), 6));
      if (rows > most_bounded_rows(device)) {
        EXPECT_FALSE(bounds.leaders.defined());
        continue;
      }
      const Floats low = bounds.low.to_vector<float>(), high = bounds.high.to_vector<float>();
      const std::vector<uint8_t> bytes = bounds.leaders.to_vector<uint8_t>();
      ASSERT_EQ(bytes.size(), static_cast<size_t>(rows * kLeadingBounds) * sizeof(LeadingBound));
      for (int64_t row = 0; row < rows; ++row) {
        LeadingBound best = {-kInf, -kInf, -1};
        for (int64_t i = 0; i < kLeadingBounds; ++i) {
          LeadingBound leader;
          std::memcpy(&leader, bytes.data() + static_cast<size_t>(row * kLeadingBounds + i) * sizeof leader,
                      sizeof leader);
          if (leader.column < 0) continue;
          ASSERT_LT(leader.column, n);
          const auto at = static_cast<size_t>(row * n + leader.column);
          ASSERT_EQ(leader.low, low[at]);
          ASSERT_TRUE(same_bits({leader.high}, {high[at]}));
          if (leader.low > best.low || (leader.low == best.low && leader.column < best.column)) best = leader;
        }
        int32_t expected = -1;
        for (int64_t j = 0; j < n; ++j) {
          const float value = low[static_cast<size_t>(row * n + j)];
          if (value > (expected < 0 ? -kInf : low[static_cast<size_t>(row * n + expected)])) {
            expected = static_cast<int32_t>(j);
          }
        }
        ASSERT_EQ(best.column, expected) << rows << " x " << n << " x " << k << ", row " << row;
      }
    }
  }
}

}  // namespace
}  // namespace tern
