// SPDX-License-Identifier: Apache-2.0
// The ternary ops against the formulas of b1.58, in integers and doubles.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "ops/pack_rows.h"
#include "support/fails_with.h"
#include "support/test_device.h"
#include "tern/autograd.h"
#include "tern/ops.h"

namespace tern {
namespace {

using testing::fails_with;

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

// Values in [-2, 2], the same on every machine; every 5th is small.
std::vector<float> numbers(int64_t count, uint32_t seed) {
  std::vector<float> out;
  uint32_t state = seed * 2654435761u + 12345u;
  for (int64_t i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    const float value = static_cast<float>(state >> 8) * 0x1p-22f - 2.0f;
    out.push_back(i % 5 == 0 ? value * 0.01f : value);
  }
  return out;
}

std::vector<int8_t> some_codes(int64_t count, uint32_t seed) {
  std::vector<int8_t> out;
  for (const float value : numbers(count, seed)) out.push_back(value > 0.6f ? 1 : value < -0.6f ? -1 : 0);
  return out;
}

Tensor matrix(const std::vector<float>& values, int64_t rows, int64_t cols) {
  return Tensor::from(values, {rows, cols}, cpu());
}

TEST(QuantizeRows, IsAbsmaxRoundedHalfToEven) {
  for (const int64_t cols : {1, 7, 63, 64, 65, 257}) {
    const int64_t rows = 3;
    const std::vector<float> x = numbers(rows * cols, 1);
    const QuantizedRows out = quantize_rows(matrix(x, rows, cols));
    const int64_t stride = out.q.size(1);
    ASSERT_EQ(stride % 64, 0);
    ASSERT_GE(stride, cols);
    const std::vector<int8_t> q = out.q.to_vector<int8_t>();
    const std::vector<float> scale = out.scale.to_vector<float>();
    const std::vector<int32_t> sums = out.sums.to_vector<int32_t>();
    for (int64_t r = 0; r < rows; ++r) {
      float top = 1e-5f;
      for (int64_t c = 0; c < cols; ++c) top = std::max(top, std::abs(x[static_cast<size_t>(r * cols + c)]));
      ASSERT_EQ(scale[static_cast<size_t>(r)], 1.0f / top * 127.0f);  // as PyTorch rounds 127 / top
      int32_t sum = 0;
      for (int64_t c = 0; c < stride; ++c) {
        const float value = c < cols ? x[static_cast<size_t>(r * cols + c)] : 0.0f;
        const auto expected = static_cast<int32_t>(std::nearbyint(value * scale[static_cast<size_t>(r)]));
        ASSERT_EQ(q[static_cast<size_t>(r * stride + c)], expected) << r << " " << c;
        sum += expected;
      }
      ASSERT_EQ(sums[static_cast<size_t>(r)], sum);
    }
  }
}

TEST(QuantizeRows, OfZerosHalvesAndWhatIsNoNumber) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const QuantizedRows halves = quantize_rows(matrix({127.0f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f}, 1, 6));
  const std::vector<int8_t> q = halves.q.to_vector<int8_t>();
  EXPECT_EQ(std::vector<int8_t>(q.begin(), q.begin() + 6), (std::vector<int8_t>{127, 0, 2, 2, 0, -2}));
  const QuantizedRows zeros = quantize_rows(Tensor::zeros({2, 5}, DType::f32, cpu()));
  EXPECT_EQ(zeros.scale.to_vector<float>(), std::vector<float>(2, 1.0f / 1e-5f * 127.0f));
  EXPECT_EQ(zeros.q.to_vector<int8_t>(), std::vector<int8_t>(128, 0));
  const QuantizedRows infinite = quantize_rows(matrix({1.0f, inf, -2.0f}, 1, 3));
  EXPECT_EQ(infinite.scale.item(), 0.0);
  EXPECT_EQ(infinite.q.to_vector<int8_t>(), std::vector<int8_t>(64, 0));
  const std::vector<int8_t> beside_nan = quantize_rows(matrix({1.0f, nan, -1.0f}, 1, 3)).q.to_vector<int8_t>();
  EXPECT_EQ(beside_nan[1], 0);
}

TEST(TernaryCodes, AreRoundedAndClamped) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor w = matrix({0.0f, 0.5f, -0.5f, 0.75f, -0.75f, 1.0f, 9.0f, -9.0f, 0.25f, 1.5f, nan, -0.0f}, 3, 4);
  EXPECT_EQ(ternary_codes(w, 0.5f).to_vector<int8_t>(), (std::vector<int8_t>{0, 1, -1, 1, -1, 1, 1, -1, 0, 1, 0, 0}));
  EXPECT_TRUE(fails_with("scale above 0, got 0", [&] { ternary_codes(w, 0.0f); }));
  EXPECT_TRUE(fails_with("[ternary_codes]", [&] { ternary_codes(w, nan); }));
}

TEST(MeanAbs, IsTheMeanInDouble) {
  for (const int64_t cols : {1, 15, 16, 17, 300}) {
    const std::vector<float> w = numbers(7 * cols, 3);
    double total = 0;
    for (const float value : w) total += std::abs(static_cast<double>(value));
    const double expected = total / static_cast<double>(w.size());
    EXPECT_NEAR(static_cast<double>(mean_abs(matrix(w, 7, cols))), expected, expected * 0x1p-23);
    EXPECT_EQ(mean_abs(transpose(contiguous(transpose(matrix(w, 7, cols))))), mean_abs(matrix(w, 7, cols)));
  }
  EXPECT_TRUE(fails_with("at least one element", [] { mean_abs(Tensor::zeros({0, 3}, DType::f32, cpu())); }));
}

TEST(PackTernary, RoundTripsEveryShape) {
  for (const int64_t rows : {0, 1, 3, 15, 16, 17, 33}) {
    for (const int64_t cols : {0, 1, 7, 63, 64, 65, 127}) {
      const std::vector<int8_t> codes = some_codes(rows * cols, 5);
      const PackedTernary packed = pack_ternary(Tensor::from(codes, {rows, cols}, cpu()), 0.5f);
      EXPECT_EQ(unpack_ternary(packed).to_vector<int8_t>(), codes) << rows << " x " << cols;
    }
  }
}

TEST(QuantizeTernary, GivesWhatCodesAndPackingGive) {
  std::vector<Tensor> matrices;
  std::vector<float> scales;
  for (const int64_t rows : {0, 1, 15, 16, 17, 47}) {
    for (const int64_t cols : {0, 1, 16, 66, 127, 128, 132, 272}) {
      matrices.push_back(matrix(numbers(rows * cols, 11), rows, cols));
      scales.push_back(0.3f + 0.01f * static_cast<float>(matrices.size()));
    }
  }
  matrices.push_back(transpose(matrix(numbers(5 * 300, 12), 5, 300)));
  scales.push_back(0.4f);
  const std::vector<QuantizedTernary> quantized = quantize_ternary(matrices, scales);
  ASSERT_EQ(quantized.size(), matrices.size());
  for (size_t i = 0; i < matrices.size(); ++i) {
    SCOPED_TRACE(to_string(matrices[i].shape()));
    const Tensor codes = ternary_codes(matrices[i], scales[i]);
    const PackedTernary packed = pack_checked_codes(codes, scales[i]);
    EXPECT_EQ(quantized[i].codes.to_vector<int8_t>(), codes.to_vector<int8_t>());
    EXPECT_EQ(quantized[i].packed.bytes.to_vector<uint8_t>(), packed.bytes.to_vector<uint8_t>());
    EXPECT_EQ(quantized[i].packed.scale, scales[i]);
  }
  EXPECT_TRUE(quantize_ternary({}, {}).empty());
  const float zero = 0.0f;
  EXPECT_TRUE(fails_with("scale above 0, got 0", [&] { quantize_ternary({&matrices.back(), 1}, {&zero, 1}); }));
}

TEST(PackTernary, NamesACodeThatIsNone) {
  std::vector<int8_t> codes(5 * 70000, 1);
  codes[4 * 70000 + 69999] = 2;
  EXPECT_TRUE(fails_with("got 2 at [4, 69999]", [&] { pack_ternary(Tensor::from(codes, {5, 70000}, cpu()), 1.0f); }));
  codes[70001] = -128;
  EXPECT_TRUE(fails_with("got -128 at [1, 1]", [&] { pack_ternary(Tensor::from(codes, {5, 70000}, cpu()), 1.0f); }));
}

std::vector<uint8_t> bytes_of(const PackedTernary& w) { return w.bytes.to_vector<uint8_t>(); }

TEST(PackTernaryRows, GivesTheBytesOfTheWholeMatrix) {
  for (const int setting : {0, 1, 2, 3}) {
    const TernaryLayout layout = setting % 2 == 0 ? TernaryLayout::two_bit : TernaryLayout::base3;
    const Device device = Device::open("cpu", {.threads = 1 + setting, .ternary_layout = layout});
    for (const auto& [rows, cols] : std::vector<std::pair<int64_t, int64_t>>{
             {0, 3}, {3, 0}, {1, 1}, {15, 17}, {17, 65}, {1031, 1009}, {33, 8209}, {3, 131073}}) {
      const std::vector<int8_t> codes = some_codes(rows * cols, 9);
      std::vector<std::atomic<int>> asked(static_cast<size_t>(rows));
      const PackedTernary packed = pack_ternary_rows(
          rows, cols, 0.25f, device, [&, width = cols](int64_t row, int64_t count, std::span<int8_t> out) {
            ASSERT_EQ(out.size(), static_cast<size_t>(count * width));
            std::copy_n(codes.begin() + row * width, count * width, out.begin());
            for (int64_t r = row; r < row + count; ++r) ++asked[static_cast<size_t>(r)];
          });
      EXPECT_EQ(bytes_of(packed), bytes_of(pack_ternary(Tensor::from(codes, {rows, cols}, device), 0.25f)))
          << rows << " x " << cols;
      EXPECT_EQ(packed.scale, 0.25f);
      EXPECT_TRUE(std::all_of(asked.begin(), asked.end(), [](const auto& count) { return count == 1; }));
    }
  }
}

TEST(PackTernaryRows, ThrowsWhatTheLowestRowsThrew) {
  for (const int threads : {1, 4}) {
    const Device device = Device::open("cpu", {.threads = threads});
    EXPECT_TRUE(fails_with("row 400 of", [&] {
      pack_ternary_rows(2000, 10007, 1.0f, device, [](int64_t row, int64_t count, std::span<int8_t> out) {
        std::fill(out.begin(), out.end(), int8_t{0});
        for (const int64_t bad : {400, 401, 700, 1999}) {
          if (row <= bad && bad < row + count) throw Error("[test] row " + std::to_string(bad) + " of the source");
        }
      });
    }));
  }
}

TEST(CountZeros, CountsThem) {
  for (const TernaryLayout layout : {TernaryLayout::two_bit, TernaryLayout::base3}) {
    const Device device = Device::open("cpu", {.threads = 3, .ternary_layout = layout});
    for (const auto& [rows, cols] :
         std::vector<std::pair<int64_t, int64_t>>{{0, 3}, {3, 0}, {1, 1}, {17, 65}, {1031, 1009}}) {
      const std::vector<int8_t> codes = some_codes(rows * cols, 11);
      EXPECT_EQ(count_zeros(pack_ternary(Tensor::from(codes, {rows, cols}, device), 1.0f)),
                std::count(codes.begin(), codes.end(), int8_t{0}));
    }
  }
}

TEST(PackTernary, NamesTheFirstOfManyCodesThatAreNone) {
  for (const int threads : {1, 4}) {
    std::vector<int8_t> codes(2000 * 1000, -1);
    for (const size_t at : {777001, 777002, 1000000, 1999999}) codes[at] = 3;
    const Tensor matrix = Tensor::from(codes, {2000, 1000}, Device::open("cpu", {.threads = threads}));
    EXPECT_TRUE(fails_with("got 3 at [777, 1]", [&] { pack_ternary(matrix, 1.0f); }));
  }
  for (int value = -128; value < 128; ++value) {
    for (const int64_t at : {0, 7, 8, 16}) {
      std::vector<int8_t> codes(17, 1);
      codes[static_cast<size_t>(at)] = static_cast<int8_t>(value);
      const Tensor row = Tensor::from(codes, {1, 17}, cpu());
      if (value >= -1 && value <= 1) {
        EXPECT_EQ(unpack_ternary(pack_ternary(row, 1.0f)).to_vector<int8_t>(), codes);
      } else {
        EXPECT_TRUE(fails_with("got " + std::to_string(value) + " at [0, " + std::to_string(at) + "]",
                               [&] { pack_ternary(row, 1.0f); }));
      }
    }
  }
}

struct Problem {
  int64_t rows, n, k;
  std::vector<float> x;
  std::vector<int8_t> codes;
  QuantizedRows q;
  PackedTernary w;
};

Problem problem(int64_t rows, int64_t n, int64_t k) {
  Problem p{rows, n, k, numbers(rows * k, 7), some_codes(n * k, 11), {}, {}};
  p.q = quantize_rows(matrix(p.x, rows, k));
  p.w = pack_ternary(Tensor::from(p.codes, {n, k}, cpu()), 0.37f);
  return p;
}

int64_t naive_sum(const Problem& p, const std::vector<int8_t>& q, int64_t row, int64_t column) {
  int64_t sum = 0;
  for (int64_t i = 0; i < p.k; ++i) {
    sum += int64_t{q[static_cast<size_t>(row * p.q.q.size(1) + i)]} * p.codes[static_cast<size_t>(column * p.k + i)];
  }
  return sum;
}

TEST(TernaryLinear, IsExactOnEveryShape) {
  for (const int64_t rows : {0, 1, 2, 5, 17}) {
    for (const int64_t n : {1, 7, 16, 33}) {
      for (const int64_t k : {1, 7, 63, 64, 65, 127, 300}) {
        const Problem p = problem(rows, n, k);
        const std::vector<int8_t> q = p.q.q.to_vector<int8_t>();
        const std::vector<float> scale = p.q.scale.to_vector<float>();
        const std::vector<int32_t> sums = ternary_linear_sums(p.q, p.w).to_vector<int32_t>();
        const std::vector<float> y = ternary_linear(p.q, p.w).to_vector<float>();
        for (int64_t i = 0; i < rows * n; ++i) {
          const auto at = static_cast<size_t>(i);
          ASSERT_EQ(sums[at], naive_sum(p, q, i / n, i % n)) << rows << " " << n << " " << k << " " << i;
          ASSERT_EQ(y[at], static_cast<float>(sums[at]) * (p.w.scale / scale[static_cast<size_t>(i / n)]));
        }
      }
    }
  }
}

TEST(TernaryLinear, KeepsTheLeadingShapeAndChecksTheLast) {
  const PackedTernary w = pack_ternary(Tensor::zeros({3, 5}, DType::i8, cpu()), 1.0f);
  EXPECT_EQ(ternary_linear(quantize_rows(Tensor::zeros({2, 7, 5}, DType::f32, cpu())), w).shape(), (Shape{2, 7, 3}));
  EXPECT_EQ(ternary_linear(quantize_rows(Tensor::zeros({5}, DType::f32, cpu())), w).shape(), (Shape{3}));
  const QuantizedRows wrong = quantize_rows(Tensor::zeros({2, 6}, DType::f32, cpu()));
  EXPECT_TRUE(fails_with("expected x [..., 5], got [2, 6]", [&] { ternary_linear(wrong, w); }));
}

// dx = dy·ŵ and d_master = dyᵀ·x̂ with x̂ = q/scale, ŵ = scale·codes, in double.
void expect_straight_through(const Problem& p, const std::vector<float>& dy, const Tensor& dx, const Tensor& d_master) {
  const std::vector<int8_t> q = p.q.q.to_vector<int8_t>();
  const std::vector<float> scale = p.q.scale.to_vector<float>();
  const std::vector<float> got_x = dx.to_vector<float>(), got_w = d_master.to_vector<float>();
  const auto at = [](int64_t i) { return static_cast<size_t>(i); };
  for (int64_t r = 0; r < p.rows; ++r) {
    for (int64_t c = 0; c < p.k; ++c) {
      double expected = 0, size = 0;
      for (int64_t j = 0; j < p.n; ++j) {
        const double term =
            static_cast<double>(dy[at(r * p.n + j)]) * p.codes[at(j * p.k + c)] * static_cast<double>(p.w.scale);
        expected += term;
        size += std::abs(term);
      }
      ASSERT_NEAR(static_cast<double>(got_x[at(r * p.k + c)]), expected, 0x1p-23 * size * static_cast<double>(p.n + 2));
    }
  }
  for (int64_t j = 0; j < p.n; ++j) {
    for (int64_t c = 0; c < p.k; ++c) {
      double expected = 0, size = 0;
      for (int64_t r = 0; r < p.rows; ++r) {
        const double term =
            static_cast<double>(dy[at(r * p.n + j)]) * q[at(r * p.q.q.size(1) + c)] / static_cast<double>(scale[at(r)]);
        expected += term;
        size += std::abs(term);
      }
      ASSERT_NEAR(static_cast<double>(got_w[at(j * p.k + c)]), expected,
                  0x1p-23 * size * static_cast<double>(p.rows + 2));
    }
  }
}

TEST(TernaryLinearSte, PassesTheGradientStraightThrough) {
  for (const auto& [rows, n, k] :
       std::vector<std::array<int64_t, 3>>{{1, 1, 1}, {3, 5, 7}, {17, 33, 65}, {2, 65, 130}}) {
    const Problem p = problem(rows, n, k);
    const Tensor x = matrix(p.x, rows, k).set_requires_grad();
    const Tensor master = matrix(numbers(n * k, 13), n, k).set_requires_grad();
    const Tensor codes = Tensor::from(p.codes, {n, k}, cpu());
    const Tensor y = ternary_linear_ste(x, p.q, master, codes, p.w);
    EXPECT_EQ(y.to_vector<float>(), ternary_linear(p.q, p.w).to_vector<float>());
    const std::vector<float> dy = numbers(rows * n, 17);
    backward(y, matrix(dy, rows, n));
    expect_straight_through(p, dy, x.grad(), master.grad());
  }
}

TEST(TernaryLinearSte, TakesAnyLeadingShapeAndStridedGradients) {
  const Problem p = problem(6, 5, 7);
  const Tensor x = reshape(matrix(p.x, 6, 7), {2, 3, 7}).detach().set_requires_grad();
  const Tensor master = matrix(numbers(35, 13), 5, 7).set_requires_grad();
  const Tensor y = ternary_linear_ste(x, quantize_rows(x.detach()), master, Tensor::from(p.codes, {5, 7}, cpu()), p.w);
  ASSERT_EQ(y.shape(), (Shape{2, 3, 5}));
  const std::vector<float> dy = numbers(30, 17);
  const Tensor turned = contiguous(transpose(Tensor::from(dy, {2, 3, 5}, cpu())));
  backward(y, transpose(turned));
  ASSERT_EQ(x.grad().shape(), x.shape());
  expect_straight_through(p, dy, x.grad(), master.grad());
}

TEST(TernaryLinearSte, SkipsWhatNeedsNoGradient) {
  const Problem p = problem(3, 5, 7);
  const Tensor codes = Tensor::from(p.codes, {5, 7}, cpu());
  for (const bool of_x : {true, false}) {
    const Tensor x = matrix(p.x, 3, 7).set_requires_grad(of_x);
    const Tensor master = matrix(numbers(35, 13), 5, 7).set_requires_grad(!of_x);
    backward(sum(ternary_linear_ste(x, p.q, master, codes, p.w)));
    EXPECT_EQ(x.grad().defined(), of_x);
    EXPECT_EQ(master.grad().defined(), !of_x);
  }
}

}  // namespace
}  // namespace tern
