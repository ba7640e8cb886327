// SPDX-License-Identifier: Apache-2.0
// Dense products in bf16 beside those in f32, which other tests judge: within a proven bound of them, the same in each
// run, exact where bf16 holds the operands, and on a CPU the same bits.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "ops/call.h"
#include "ops/matmul.h"
#include "support/fails_with.h"
#include "support/test_device.h"
#include "tern/autograd.h"
#include "tern/ops.h"

namespace tern::conformance {
namespace {

using Floats = std::vector<float>;

const Device& in_f32() {
  static const Device device = testing::test_device();
  return device;
}
const Device& in_bf16() {
  static const Device device = testing::test_device(DeviceOptions{.matmul_precision = MatmulPrecision::bf16});
  return device;
}
bool rounds() { return in_bf16().matmul_precision() == MatmulPrecision::bf16; }

// Odd extents of a product; where nothing is rounded a small one tells as much.
struct Extents {
  int64_t m, n, k;
};
Extents some_extents() { return rounds() ? Extents{515, 389, 523} : Extents{35, 29, 43}; }

Floats random_floats(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Floats x(static_cast<size_t>(count));
  for (float& value : x) value = normal(random);
  return x;
}

template <class T>
std::vector<T> random_integers(int64_t count, int lowest, int greatest, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<T> x(static_cast<size_t>(count));
  for (T& value : x) {
    value = static_cast<T>(lowest + static_cast<int>(random() % static_cast<uint32_t>(greatest - lowest + 1)));
  }
  return x;
}

Tensor magnitudes(const Tensor& x) { return abs(cast(x, DType::f32)); }

// How far a product in bf16 may be from one in f32, as a share of Σ|a||b|. A rounding to bf16 changes an operand by at
// most 2^-8 of it. Tensor cores cut off what is below a sum's last place, a part of 2^-23 of it or less, in each
// addition and in lining up the numbers that are added; f32 rounds to 2^-24. 2^-21 a term covers all of it twice.
double tolerance(int rounded_operands, int64_t k) {
  return std::pow(1.0 + 0x1p-8, rounded_operands) - 1.0 + static_cast<double>(k + 32) * 0x1p-21;
}

// `magnitude` is Σ|a||b| of each element. Where nothing is rounded, of the same bits.
void expect_close(const Tensor& bf16, const Tensor& f32, const Tensor& magnitude, double tolerance) {
  const Floats got = bf16.to_vector<float>(), expected = f32.to_vector<float>();
  if (!rounds()) {
    EXPECT_EQ(got, expected);
    return;
  }
  const Floats bound = magnitude.to_vector<float>();
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_LE(std::fabs(static_cast<double>(got[i]) - static_cast<double>(expected[i])),
              tolerance * static_cast<double>(bound[i]))
        << "element " << i << ": " << got[i] << " and " << expected[i];
  }
}

// A matrix in the memory of a device, seen as [rows, cols].
enum class View : uint8_t { contiguous, transposed, sliced, reversed };
constexpr View kViews[] = {View::contiguous, View::transposed, View::sliced, View::reversed};

template <class T>
Tensor matrix(const std::vector<T>& values, int64_t rows, int64_t cols, View view, const Device& device) {
  switch (view) {
    case View::contiguous:
      return Tensor::from(values, {rows, cols}, device);
    case View::transposed:
      return transpose(Tensor::from(values, {cols, rows}, device));
    case View::sliced: {
      std::vector<T> wide = values;
      wide.resize(static_cast<size_t>(rows * (cols + 3)));
      return slice(Tensor::from(wide, {rows, cols + 3}, device), 1, 1, cols + 1);
    }
    case View::reversed:
      return slice(Tensor::from(values, {rows, cols}, device), 1, cols - 1, -cols - 1, -1);
  }
  return {};
}

TEST(Precision, Names) {
  for (const MatmulPrecision precision : {MatmulPrecision::f32, MatmulPrecision::bf16}) {
    EXPECT_EQ(matmul_precision_from_name(name_of(precision)), precision);
  }
  EXPECT_EQ(name_of(MatmulPrecision::bf16), "bf16");
  EXPECT_TRUE(testing::fails_with("[precision] expected one of f32, bf16, got 'tf32'",
                                  [] { matmul_precision_from_name("tf32"); }));
}

TEST(Precision, IsF32UnlessAskedForAndOnACpu) {
  EXPECT_EQ(in_f32().matmul_precision(), MatmulPrecision::f32);
  const Device cpu = Device::open("cpu", {.matmul_precision = MatmulPrecision::bf16});
  EXPECT_EQ(cpu.matmul_precision(), MatmulPrecision::f32);
  EXPECT_EQ(rounds(), in_bf16().name() != "cpu");
}

TEST(Precision, ProductsOfAnyViewAreWithinTheBound) {
  const auto [m, n, k] = some_extents();
  const Floats a = random_floats(m * k, 1), b = random_floats(k * n, 2);
  for (const View a_view : kViews) {
    for (const View b_view : kViews) {
      SCOPED_TRACE(std::to_string(static_cast<int>(a_view)) + ", " + std::to_string(static_cast<int>(b_view)));
      const auto multiply = [&, m = m, n = n, k = k](const Device& device) {
        return product(matrix(a, m, k, a_view, device), matrix(b, k, n, b_view, device));
      };
      const Tensor got = multiply(in_bf16()), expected = multiply(in_f32());
      const Tensor magnitude =
          product(magnitudes(matrix(a, m, k, a_view, in_f32())), magnitudes(matrix(b, k, n, b_view, in_f32())));
      expect_close(got, expected, magnitude, tolerance(2, k));
      EXPECT_EQ(got.to_vector<float>(), multiply(in_bf16()).to_vector<float>()) << "in a second run";
      EXPECT_EQ(got.to_vector<float>() != expected.to_vector<float>(), rounds());
    }
  }
}

TEST(Precision, CodesAreNotRounded) {
  const auto [m, n, k] = some_extents();
  const Floats a = random_floats(m * k, 3);
  const std::vector<int8_t> codes = random_integers<int8_t>(k * n, -128, 127, 4);
  for (const View view : kViews) {
    SCOPED_TRACE(static_cast<int>(view));
    const auto multiply = [&, m = m, n = n, k = k](const Device& device) {
      return product(matrix(a, m, k, View::contiguous, device), matrix(codes, k, n, view, device));
    };
    const Tensor magnitude = product(magnitudes(matrix(a, m, k, View::contiguous, in_f32())),
                                     magnitudes(matrix(codes, k, n, view, in_f32())));
    expect_close(multiply(in_bf16()), multiply(in_f32()), magnitude, tolerance(1, k));
  }
}

// Integers of up to 8 bits lose nothing, and their sums are below 2^24.
TEST(Precision, SmallIntegersAreExact) {
  const auto [m, n, k] = some_extents();
  const Floats a = random_integers<float>(m * k, -16, 16, 5);
  const std::vector<int8_t> b = random_integers<int8_t>(k * n, -128, 127, 6);
  for (const View view : kViews) {
    SCOPED_TRACE(static_cast<int>(view));
    const auto multiply = [&, m = m, n = n, k = k](const Device& device) {
      return product(matrix(a, m, k, view, device), matrix(b, k, n, view, device)).to_vector<float>();
    };
    EXPECT_EQ(multiply(in_bf16()), multiply(in_f32()));
  }
}

TEST(Precision, SpecialValuesStayInTheirRow) {
  const auto [m, n, k] = some_extents();
  Floats a = random_floats(m * k, 7);
  a[static_cast<size_t>(4 * k + k - 1)] = std::numeric_limits<float>::quiet_NaN();
  a[static_cast<size_t>(7 * k)] = std::numeric_limits<float>::infinity();
  const Tensor c = product(Tensor::from(a, {m, k}, in_bf16()),
                           Tensor::from(Floats(static_cast<size_t>(k * n), 1.0f), {k, n}, in_bf16()));
  const Floats values = c.to_vector<float>();
  for (int64_t row = 0; row < m; ++row) {
    for (int64_t column = 0; column < n; ++column) {
      const float value = values[static_cast<size_t>(row * n + column)];
      ASSERT_EQ(std::isnan(value), row == 4) << row << ", " << column;
      ASSERT_EQ(std::isinf(value), row == 7) << row << ", " << column;
    }
  }
}

// One b for the whole batch, codes and all; c in rows with gaps, added to what is there, which stays in the gaps.
TEST(Precision, BatchesAddToWhatIsThere) {
  const auto [m, n, k] = some_extents();
  constexpr int64_t kBatch = 3, kGap = 2, kFirst = 1;
  const Floats a = random_integers<float>(kBatch * m * k, -16, 16, 8);
  const std::vector<int8_t> b = random_integers<int8_t>(kBatch * k * n, -8, 8, 9);
  const int64_t row = n + kGap, size = m * row;
  const Floats before = random_integers<float>(kFirst + kBatch * size, -100, 100, 10);
  for (const bool shared : {false, true}) {
    for (const bool accumulate : {false, true}) {
      SCOPED_TRACE(std::to_string(shared) + ", " + std::to_string(accumulate));
      const auto multiply = [&, m = m, n = n, k = k](const Device& device) {
        const Tensor x = Tensor::from(a, {kBatch, m, k}, device), y = Tensor::from(b, {kBatch, k, n}, device);
        const Tensor c = Tensor::from(before, {kFirst + kBatch * size}, device);
        call(device, &Kernels::matmul,
             {.batch = kBatch,
              .m = m,
              .n = n,
              .k = k,
              .a = {x.raw(), DType::f32, m * k, k, 1},
              .b = {y.raw(), DType::i8, shared ? 0 : k * n, n, 1},
              .c = c.data<float>() + kFirst,
              .c_batch_stride = size,
              .c_row_stride = row,
              .accumulate = accumulate});
        return c.to_vector<float>();
      };
      EXPECT_EQ(multiply(in_bf16()), multiply(in_f32()));
    }
  }
}

TEST(Precision, SmallProductsStayInF32) {
  const Floats a = random_floats(65 * 70, 11), b = random_floats(70 * 63, 12), x = random_floats(3 * 600, 13);
  const auto multiply = [&](const Device& device) {
    Floats all = product(Tensor::from(a, {65, 70}, device), Tensor::from(b, {70, 63}, device)).to_vector<float>();
    // So do few rows.
    const Tensor wide = Tensor::full({400, 600}, 0.3, DType::f32, device);
    const Floats rows = linear(Tensor::from(x, {3, 600}, device), wide).to_vector<float>();
    all.insert(all.end(), rows.begin(), rows.end());
    return all;
  };
  EXPECT_EQ(multiply(in_bf16()), multiply(in_f32()));
}

TEST(Precision, LinearAndItsGradients) {
  const auto [m, n, k] = some_extents();
  const Floats x = random_floats(m * k, 14), w = random_floats(n * k, 15), dy = random_floats(m * n, 16);
  struct Results {
    Tensor y, dx, dw;
  };
  const auto run = [&, m = m, n = n, k = k](const Device& device) {
    Tensor from = Tensor::from(x, {m, k}, device), weight = Tensor::from(w, {n, k}, device);
    from.set_requires_grad();
    weight.set_requires_grad();
    const Tensor y = linear(from, weight);
    backward(y, Tensor::from(dy, {m, n}, device));
    return Results{y.detach(), from.grad(), weight.grad()};
  };
  const Results got = run(in_bf16()), expected = run(in_f32());
  const Tensor x_magnitude = magnitudes(Tensor::from(x, {m, k}, in_f32())),
               w_magnitude = magnitudes(Tensor::from(w, {n, k}, in_f32())),
               dy_magnitude = magnitudes(Tensor::from(dy, {m, n}, in_f32()));
  expect_close(got.y, expected.y, product(x_magnitude, transpose(w_magnitude)), tolerance(2, k));
  expect_close(got.dx, expected.dx, product(dy_magnitude, w_magnitude), tolerance(2, n));
  expect_close(got.dw, expected.dw, product(transpose(dy_magnitude), x_magnitude), tolerance(2, m));
}

// The forward product of a ternary layer is exact in both; in its gradients one operand is codes.
TEST(Precision, GradientsOfTernaryLayers) {
  const auto [m, n, k] = some_extents();
  const Floats x = random_floats(m * k, 17), w = random_floats(n * k, 18), dy = random_floats(m * n, 19);
  constexpr float kScale = 0.8f;
  struct Results {
    Tensor y, dx, dw, codes;
    QuantizedRows q;
  };
  const auto run = [&, m = m, n = n, k = k](const Device& device) {
    Tensor from = Tensor::from(x, {m, k}, device), master = Tensor::from(w, {n, k}, device);
    const Tensor codes = ternary_codes(master, kScale);
    const QuantizedRows q = quantize_rows(from);
    from.set_requires_grad();
    master.set_requires_grad();
    const Tensor y = ternary_linear_ste(from, q, master, codes, pack_ternary(codes, kScale));
    backward(y, Tensor::from(dy, {m, n}, device));
    return Results{y.detach(), from.grad(), master.grad(), codes, q};
  };
  const Results got = run(in_bf16()), expected = run(in_f32());
  EXPECT_EQ(got.y.to_vector<float>(), expected.y.to_vector<float>());
  const Tensor dy_magnitude = magnitudes(Tensor::from(dy, {m, n}, in_f32()));
  expect_close(got.dx, expected.dx, mul(product(dy_magnitude, magnitudes(expected.codes)), static_cast<double>(kScale)),
               tolerance(1, n));
  const Tensor q_magnitude = magnitudes(slice(expected.q.q, 1, 0, k));
  expect_close(got.dw, expected.dw, product(transpose(dy_magnitude / unsqueeze(expected.q.scale, 1)), q_magnitude),
               tolerance(1, m));
}

}  // namespace
}  // namespace tern::conformance
