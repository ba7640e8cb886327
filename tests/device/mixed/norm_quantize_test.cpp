// SPDX-License-Identifier: Apache-2.0
// Normalization of bf16 rows, and their quantization: the root mean square within a bound of the exact one, and what
// follows from the one that the device gave, to the bit.
#include <gtest/gtest.h>

#include <limits>

#include "device/mixed/mixed_device.h"

namespace tern {
namespace {

using testing::expect_near;
using testing::Floats;
using testing::Halves;
using testing::kF32Rounding;
using testing::normal_floats;
using testing::normal_halves;
using testing::OnDevice;
using testing::Random;
using testing::same_bytes;

constexpr float kEps = 1e-5f;

struct Rows {
  int64_t rows, cols;
};

struct Result {
  std::vector<int8_t> q;
  Floats scale;
  std::vector<int32_t> sums;
  Floats inv_rms;
};

// (r·r)·x where there is a gate.
Floats normalized_operand(const Halves& x, const Halves& gate) {
  Floats h;
  for (size_t i = 0; i < x.size(); ++i) {
    const auto v = static_cast<float>(x[i]);
    if (gate.empty()) {
      h.push_back(v);
      continue;
    }
    const auto g = static_cast<float>(gate[i]);
    const float r = g < 0 ? 0 : g;
    h.push_back(r * r * v);
  }
  return h;
}

// Of one row, whose `inv` is given. `q` is q_stride long.
void quantize(const float* h, const Floats& weight, float inv, int8_t* q, float& scale, int32_t& sum) {
  float greatest = 1e-5f;
  Floats y;
  for (size_t j = 0; j < weight.size(); ++j) {
    y.push_back(h[j] * inv * weight[j]);
    if (std::fabs(y[j]) > greatest) greatest = std::fabs(y[j]);
  }
  scale = 1.0f / greatest * 127.0f;
  sum = 0;
  for (size_t j = 0; j < y.size(); ++j) {
    const float scaled = y[j] * scale;
    q[j] =
        static_cast<int8_t>(std::isnan(scaled) ? 0.0f : std::nearbyint(std::fmin(std::fmax(scaled, -128.0f), 127.0f)));
    sum += q[j];
  }
}

// A sum of squares goes through at most as many roundings in a row as a thread of 4096 columns' worth has terms, and a
// tree over the threads.
double inverse_tolerance(int64_t cols) { return (static_cast<double>(cols) / 4096 + 32) * kF32Rounding; }

class MixedNormQuantize : public testing::MixedTest {
 protected:
  static Result device_result(const Rows& n, const Halves& x, const Halves& gate, const Floats& weight) {
    const int64_t stride = quantized_stride(n.cols);
    const OnDevice<bf16> xs(x), gates(gate);
    const OnDevice<float> weights(weight), scale(n.rows), inv_rms(n.rows);
    const OnDevice<int8_t> q(n.rows * stride);
    const OnDevice<int32_t> sums(n.rows);
    run(&MixedKernels::norm_quantize, {n.rows, n.cols, stride, xs.data(), gate.empty() ? nullptr : gates.data(),
                                       weights.data(), kEps, q.data(), scale.data(), sums.data(), inv_rms.data()});
    return {q.values(), scale.values(), sums.values(), inv_rms.values()};
  }

  static void expect_case(const Rows& n, const Halves& x, const Halves& gate, const Floats& weight) {
    SCOPED_TRACE(::testing::Message() << n.rows << " x " << n.cols << (gate.empty() ? "" : ", gated"));
    const Result got = device_result(n, x, gate, weight);
    const Floats h = normalized_operand(x, gate);
    const int64_t stride = quantized_stride(n.cols);
    Result expected;
    expected.q.assign(static_cast<size_t>(n.rows * stride), 0);
    expected.scale.resize(static_cast<size_t>(n.rows));
    expected.sums.resize(static_cast<size_t>(n.rows));
    std::vector<double> inv_rms;
    for (int64_t row = 0; row < n.rows; ++row) {
      const auto r = static_cast<size_t>(row);
      const float* const of_row = h.data() + row * n.cols;
      double squares = 0;
      for (int64_t j = 0; j < n.cols; ++j) squares += static_cast<double>(of_row[j]) * static_cast<double>(of_row[j]);
      inv_rms.push_back(1 / std::sqrt(squares / static_cast<double>(n.cols) + static_cast<double>(kEps)));
      quantize(of_row, weight, got.inv_rms[r], expected.q.data() + row * stride, expected.scale[r], expected.sums[r]);
    }
    expect_near(got.inv_rms, inv_rms, [&](size_t i) { return inverse_tolerance(n.cols) * inv_rms[i]; });
    EXPECT_TRUE(same_bytes(got.q, expected.q));
    EXPECT_TRUE(same_bytes(got.scale, expected.scale));
    EXPECT_TRUE(same_bytes(got.sums, expected.sums));
  }
};

constexpr Rows kRows[] = {{0, 64},     {1, 8},     {2, 16},    {37, 120},  {3, 128},   {1, 136},
                          {1000, 384}, {7, 392},   {5, 512},   {6, 520},   {35, 768},  {3, 1024},
                          {2, 1032},   {9, 1536},  {4, 2048},  {2, 2056},  {5, 2560},  {3, 5120},
                          {4, 6912},   {1, 12288}, {2, 16384}, {2, 16392}, {1, 40000}, {5003, 256}};

TEST_F(MixedNormQuantize, FollowsItsDefinition) {
  Random random(1);
  for (const Rows n : kRows) {
    const Floats weight = normal_floats(n.cols, random);
    const int64_t count = n.rows * n.cols;
    expect_case(n, normal_halves(count, random), {}, weight);
    expect_case(n, normal_halves(count, random), normal_halves(count, random), weight);
    expect_case(n, normal_halves(count, random, 1e-20f), {}, weight);
  }
}

// More of them than are under way at one time.
TEST_F(MixedNormQuantize, OfManyRows) {
  Random random(4);
  for (const Rows n :
       {Rows{20011, 128}, Rows{13007, 384}, Rows{7001, 768}, Rows{3001, 2560}, Rows{809, 6912}, Rows{803, 16392}}) {
    const Floats weight = normal_floats(n.cols, random);
    const int64_t count = n.rows * n.cols;
    expect_case(n, normal_halves(count, random), {}, weight);
    expect_case(n, normal_halves(count, random), normal_halves(count, random), weight);
  }
}

TEST_F(MixedNormQuantize, OfWhatIsNotFinite) {
  using Limits = std::numeric_limits<float>;
  Random random(2);
  for (const int64_t cols : {8, 384, 1024, 2560, 40000}) {
    const Rows n = {6, cols};
    const Floats weight = normal_floats(cols, random);
    Halves x = normal_halves(n.rows * cols, random), gate = normal_halves(n.rows * cols, random);
    const auto at = [cols](int64_t row, int64_t j) { return static_cast<size_t>(row * cols + j); };
    x[at(1, cols - 1)] = bf16(Limits::quiet_NaN());
    x[at(2, 3)] = bf16(Limits::infinity());
    x[at(3, 0)] = bf16(-Limits::infinity());
    for (int64_t j = 0; j < cols; ++j) x[at(4, j)] = bf16(0.0f);
    expect_case(n, x, {}, weight);
    gate[at(5, cols / 2)] = bf16(Limits::quiet_NaN());
    expect_case(n, x, gate, weight);
  }
}

class MixedNorm : public testing::MixedTest {
 protected:
  static void expect_case(const Rows& n, const Halves& x, const Floats& weight) {
    SCOPED_TRACE(::testing::Message() << n.rows << " x " << n.cols);
    const OnDevice<bf16> xs(x), y(n.rows * n.cols);
    const OnDevice<float> weights(weight), inv_rms(n.rows);
    run(&MixedKernels::norm, {n.rows, n.cols, xs.data(), weights.data(), kEps, y.data(), inv_rms.data()});
    const Floats inv = inv_rms.values();
    std::vector<double> expected_inv;
    Halves expected;
    for (int64_t row = 0; row < n.rows; ++row) {
      double squares = 0;
      for (int64_t j = 0; j < n.cols; ++j) {
        const auto v = static_cast<float>(x[static_cast<size_t>(row * n.cols + j)]);
        squares += static_cast<double>(v) * static_cast<double>(v);
        expected.push_back(bf16(v * inv[static_cast<size_t>(row)] * weight[static_cast<size_t>(j)]));
      }
      expected_inv.push_back(1 / std::sqrt(squares / static_cast<double>(n.cols) + static_cast<double>(kEps)));
    }
    expect_near(inv, expected_inv, [&](size_t i) { return inverse_tolerance(n.cols) * expected_inv[i]; });
    EXPECT_TRUE(same_bytes(y.values(), expected));
  }
};

TEST_F(MixedNorm, FollowsItsDefinition) {
  Random random(5);
  for (const Rows n : kRows) {
    expect_case(n, normal_halves(n.rows * n.cols, random), normal_floats(n.cols, random));
  }
}

// More of them than are under way at one time.
TEST_F(MixedNorm, OfManyRows) {
  Random random(6);
  for (const Rows n : {Rows{20011, 128}, Rows{13007, 384}, Rows{7001, 768}, Rows{809, 6912}, Rows{803, 16392}}) {
    expect_case(n, normal_halves(n.rows * n.cols, random), normal_floats(n.cols, random));
  }
}

TEST_F(MixedNormQuantize, IsTheSameInEachRun) {
  Random random(3);
  for (const Rows n : {Rows{3001, 384}, Rows{700, 2560}}) {
    const Floats weight = normal_floats(n.cols, random);
    const Halves x = normal_halves(n.rows * n.cols, random);
    const Result a = device_result(n, x, {}, weight), b = device_result(n, x, {}, weight);
    EXPECT_TRUE(same_bytes(a.q, b.q));
    EXPECT_TRUE(same_bytes(a.inv_rms, b.inv_rms));
  }
}

}  // namespace
}  // namespace tern
