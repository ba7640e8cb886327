// SPDX-License-Identifier: Apache-2.0
// Rows of a table, numbers times one on the device, codes as bf16, and codes of matrices whose scales are on the
// device.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <list>

#include "device/mixed/mixed_device.h"

namespace tern {
namespace {

using testing::Floats;
using testing::Halves;
using testing::in_bf16;
using testing::normal_floats;
using testing::OnDevice;
using testing::Random;
using testing::same_bytes;

struct Rows {
  int64_t rows, cols;
};
constexpr Rows kRows[] = {{0, 8}, {1, 8}, {1, 0}, {3, 16}, {7, 264}, {131, 384}, {33, 1024}, {5, 16392}, {100003, 8}};

using MixedRows = testing::MixedTest;

TEST_F(MixedRows, OfATableAreGatheredAndAddedBack) {
  Random random(3);
  for (const Rows n : {Rows{0, 8}, Rows{1, 8}, Rows{7, 264}, Rows{513, 384}, Rows{5000, 72}}) {
    for (const int64_t table_rows : {1, 3, 300, 40000}) {
      SCOPED_TRACE(::testing::Message() << n.rows << " x " << n.cols << " of " << table_rows);
      const Floats table = normal_floats(table_rows * n.cols, random);
      std::vector<int64_t> ids;
      for (int64_t i = 0; i < n.rows; ++i) {
        ids.push_back(i % 3 == 0 ? table_rows - 1 : static_cast<int64_t>(random() % static_cast<uint64_t>(table_rows)));
      }
      const OnDevice<float> from(table), sums(table);
      const OnDevice<int64_t> at(ids);
      const OnDevice<bf16> to(n.rows * n.cols);
      run(&MixedKernels::gather_rows, {n.rows, n.cols, from.data(), at.data(), to.data()});
      run(&MixedKernels::scatter_add_rows, {n.rows, n.cols, table_rows, to.data(), at.data(), sums.data()});
      Halves gathered;
      std::vector<double> added(table.begin(), table.end()), terms(table.size());
      for (size_t i = 0; i < table.size(); ++i) terms[i] = std::fabs(added[i]);
      for (const int64_t id : ids) {
        for (int64_t j = 0; j < n.cols; ++j) {
          const auto in_table = static_cast<size_t>(id * n.cols + j);
          gathered.push_back(bf16(table[in_table]));
          added[in_table] += testing::number(gathered.back());
          terms[in_table] += std::fabs(testing::number(gathered.back()));
        }
      }
      EXPECT_TRUE(same_bytes(to.values(), gathered));
      const double tolerance = static_cast<double>(n.rows + 1) * testing::kF32Rounding;
      testing::expect_near(sums.values(), added, [&](size_t i) { return tolerance * terms[i]; });
    }
  }
}

template <class T>
void expect_scaled(const std::vector<T>& x, DType dtype, float factor) {
  const OnDevice<T> y(x);
  const OnDevice<float> on_device(Floats{factor});
  const Backend& backend = testing::mixed_device().backend();
  backend.kernels().mixed->scale(backend.exec(), {std::ssize(x), dtype, y.data(), {on_device.data(), nullptr}});
  std::vector<T> expected;
  for (const T value : x) expected.push_back(T(static_cast<float>(value) * factor));
  EXPECT_TRUE(same_bytes(y.values(), expected)) << x.size() << " times " << factor;
}

TEST_F(MixedRows, AreScaledInPlace) {
  Random random(1);
  for (const int64_t count : {0, 8, 24, 4096, 800024, 20000000}) {
    Floats x = normal_floats(count, random);
    if (!x.empty()) x.back() = std::numeric_limits<float>::infinity();
    for (const float factor : {1.0f, 0.37f, -3.0f}) {
      expect_scaled(x, DType::f32, factor);
      expect_scaled(in_bf16(x), DType::bf16, factor);
    }
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

// The sums are the device's own, which other tests judge, so that codes on the edge are the same.
TEST_F(MixedRows, OfMatricesBecomeCodesByTheirMeans) {
  Random random(4);
  const Backend& backend = testing::mixed_device().backend();
  const Kernels& kernels = backend.kernels();
  constexpr float kLeast = 0.01f;
  const Rows matrices[] = {{16, 128}, {1, 8}, {37, 200}, {64, 1000}, {3, 16}};
  std::list<OnDevice<float>> masters;
  std::list<OnDevice<int8_t>> codes, unpacked;
  std::list<OnDevice<uint8_t>> packed;
  std::vector<AbsSumMatrix> to_sum;
  std::vector<TernaryQuantizeMatrix> to_round;
  std::vector<Floats> values;
  for (const Rows n : matrices) {
    values.push_back(normal_floats(n.rows * n.cols, random, n.rows == 3 ? 1e-4f : 0.3f));
    masters.emplace_back(values.back());
    codes.emplace_back(n.rows * n.cols);
    unpacked.emplace_back(n.rows * n.cols);
    packed.emplace_back(static_cast<int64_t>(kernels.ternary_packed_bytes(TernaryLayout::two_bit, n.rows, n.cols)));
    to_sum.push_back({n.rows, n.cols, masters.back().data()});
    to_round.push_back({n.rows, n.cols, masters.back().data(), 0.0f, codes.back().data(), packed.back().data()});
  }
  const OnDevice<double> sums(std::ssize(matrices));
  kernels.abs_sum(backend.exec(), {std::ssize(matrices), to_sum.data(), sums.data()});
  const OnDevice<float> scales(std::ssize(matrices));
  run(&MixedKernels::quantize,
      {{TernaryLayout::two_bit, std::ssize(matrices), to_round.data()}, sums.data(), kLeast, scales.data()});
  const std::vector<double> sum = sums.values();
  const Floats got_scales = scales.values();
  auto code = codes.begin(), again = unpacked.begin();
  auto bytes = packed.begin();
  for (size_t i = 0; i < values.size(); ++i, ++code, ++again, ++bytes) {
    const Rows n = matrices[i];
    const float scale = std::max(static_cast<float>(sum[i] / static_cast<double>(n.rows * n.cols)), kLeast);
    EXPECT_EQ(got_scales[i], scale) << n.rows << " x " << n.cols;
    std::vector<int8_t> expected;
    for (const float w : values[i]) {
      expected.push_back(static_cast<int8_t>(std::clamp(std::nearbyint(w * (1.0f / scale)), -1.0f, 1.0f)));
    }
    EXPECT_TRUE(same_bytes(code->values(), expected)) << n.rows << " x " << n.cols;
    kernels.ternary_unpack(backend.exec(),
                           {TernaryLayout::two_bit, n.rows, n.cols, 0, n.rows, bytes->data(), again->data()});
    EXPECT_TRUE(same_bytes(again->values(), expected)) << n.rows << " x " << n.cols;
  }
}

}  // namespace
}  // namespace tern
