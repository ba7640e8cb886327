// SPDX-License-Identifier: Apache-2.0
// matmul beyond f32, and the products made of it, against sums of products of small integers, which are exact.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "support/devices_under_test.h"
#include "support/every_dtype.h"
#include "support/fails_with.h"
#include "support/gradient_check.h"
#include "support/small_integers.h"
#include "support/test_device.h"
#include "tern/creation.h"
#include "tern/einsum.h"
#include "tern/manipulation.h"

namespace tern {
namespace {

using testing::bytes_of;
using testing::elements;
using testing::fails_with;
using testing::Gaussian;
using testing::small_integers;
using testing::tensor_of;
using Axes = std::vector<int>;

const Device& cpu() {
  static const Device device = testing::test_device(2);
  return device;
}

// The same elements, as they lie, transposed or backwards in memory.
Tensor laid(const Tensor& x, int layout) {
  if (layout == 0) return x;
  if (layout == 1) return transpose(clone(transpose(x)));
  return flip(clone(flip(x)));
}

void expect_product(DType dtype, int64_t batch, int64_t m, int64_t n, int64_t k, int a_layout, int b_layout) {
  const auto a = small_integers(batch * m * k, dtype, 0), b = small_integers(k * n, dtype, 5);
  const Tensor x = laid(tensor_of(a, {batch, m, k}, dtype, cpu()), a_layout);
  const Tensor y = laid(tensor_of(b, {k, n}, dtype, cpu()), b_layout);
  const Tensor c = matmul(x, y);
  ASSERT_EQ(c.shape(), (Shape{batch, m, n}));
  ASSERT_EQ(c.dtype(), dtype);
  const auto got = elements(c);
  for (int64_t i = 0; i < batch * m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      Gaussian sum;
      for (int64_t p = 0; p < k; ++p) sum += a[static_cast<size_t>(i * k + p)] * b[static_cast<size_t>(p * n + j)];
      ASSERT_EQ(got[static_cast<size_t>(i * n + j)], bytes_of(sum, dtype))
          << name_of(dtype) << " " << batch << " x " << m << " x " << n << " x " << k << " at " << i << ", " << j;
    }
  }
}

TEST(ArrayMatmul, IsExactInEveryDType) {
  for (const DType dtype : testing::kEveryDType) {
    for (const auto& [m, n, k] : std::vector<std::array<int64_t, 3>>{
             {1, 1, 1}, {0, 3, 2}, {3, 0, 2}, {2, 3, 0}, {3, 5, 7}, {4, 8, 16}, {5, 9, 17}, {1, 129, 3}, {67, 2, 5}}) {
      expect_product(dtype, 1, m, n, k, 0, 0);
      expect_product(dtype, 3, m, n, k, 1, 2);
      expect_product(dtype, 2, m, n, k, 2, 1);
    }
  }
}

TEST(ArrayMatmul, IsExactAtTheEdgesOfBlocks) {
  for (const DType dtype : {DType::f64, DType::c64, DType::c128, DType::i8, DType::u16, DType::i32, DType::u64}) {
    expect_product(dtype, 1, 65, 257, 257, 0, 0);
    expect_product(dtype, 2, 63, 255, 256, 1, 1);
    expect_product(dtype, 1, 3, 2049, 2, 0, 0);
  }
}

// Every order of sums is the promised one: the same bits on every device, and those of the plain loop.
TEST(ArrayMatmul, HasTheBitsOfThePlainLoop) {
  constexpr int64_t kM = 37, kN = 301, kK = 531;
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  std::vector<double> a(kM * kK), b(kK * kN), expected(kM * kN);
  for (double& x : a) x = normal(random);
  for (double& x : b) x = normal(random);
  for (int64_t i = 0; i < kM; ++i) {
    for (int64_t j = 0; j < kN; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < kK; ++k) {
        const double product = a[static_cast<size_t>(i * kK + k)] * b[static_cast<size_t>(k * kN + j)];
        sum = sum + product;
      }
      expected[static_cast<size_t>(i * kN + j)] = sum;
    }
  }
  for (const Device& device : testing::devices_under_test()) {
    const Tensor c = matmul(Tensor::from(a, {kM, kK}, device), Tensor::from(b, {kK, kN}, device));
    EXPECT_EQ(c.to_vector<double>(), expected) << device.description();
  }
}

TEST(ArrayMatmul, BroadcastsBatches) {
  for (const DType dtype : {DType::f64, DType::i16, DType::f32}) {
    const auto a = small_integers(2 * 3 * 4, dtype, 0), b = small_integers(5 * 4 * 2, dtype, 9);
    const Tensor c = matmul(tensor_of(a, {2, 1, 3, 4}, dtype, cpu()), tensor_of(b, {5, 4, 2}, dtype, cpu()));
    ASSERT_EQ(c.shape(), (Shape{2, 5, 3, 2}));
    const auto got = elements(c);
    for (int64_t at = 0; at < c.numel(); ++at) {
      const int64_t j = at % 2, i = at / 2 % 3, y = at / 6 % 5, x = at / 30;
      Gaussian sum;
      for (int64_t k = 0; k < 4; ++k) {
        sum += a[static_cast<size_t>((x * 3 + i) * 4 + k)] * b[static_cast<size_t>((y * 4 + k) * 2 + j)];
      }
      ASSERT_EQ(got[static_cast<size_t>(at)], bytes_of(sum, dtype));
    }
  }
}

TEST(Matmul, TakesVectorsAndPromotes) {
  const Tensor matrix = reshape(arange(0, 6, 1, DType::i32, cpu()), {2, 3}),
               vector = arange(1, 4, 1, DType::i64, cpu());
  EXPECT_EQ(matmul(matrix, vector).to_vector<int64_t>(), (std::vector<int64_t>{8, 26}));
  EXPECT_EQ(matmul(vector, transpose(matrix)).to_vector<int64_t>(), (std::vector<int64_t>{8, 26}));
  EXPECT_EQ(matmul(vector, vector).shape(), Shape());
  EXPECT_EQ(matmul(vector, vector).to_vector<int64_t>()[0], 14);
  EXPECT_EQ(matmul(expand(matrix, {4, 2, 3}), vector).shape(), (Shape{4, 2}));
  EXPECT_EQ(matmul(vector, expand(transpose(matrix), {4, 3, 2})).shape(), (Shape{4, 2}));
  EXPECT_EQ(matmul(cast(matrix, DType::f32), ones({3}, DType::f64, cpu())).dtype(), DType::f64);
  EXPECT_EQ(matmul(cast(matrix, DType::f32), vector).dtype(), DType::f32);
  EXPECT_TRUE(fails_with("[matmul] expected as many elements to sum over in a as in b, got [2, 3] and [2]",
                         [&] { matmul(matrix, arange(0, 2, 1, DType::i32, cpu())); }));
  EXPECT_TRUE(
      fails_with("[matmul] expected b with at least 1 axes", [&] { matmul(matrix, ones({}, DType::i32, cpu())); }));
}

TEST(Vecdot, ConjugatesItsFirst) {
  using C = std::complex<double>;
  const std::vector<C> a = {{1, 2}, {3, -1}}, b = {{0, 1}, {2, 2}};
  const Tensor y = vecdot(Tensor::from(a, {2}, cpu()), Tensor::from(b, {2}, cpu()));
  EXPECT_EQ(y.to_vector<C>()[0], std::conj(a[0]) * b[0] + std::conj(a[1]) * b[1]);
  const Tensor x = reshape(arange(0, 24, 1, DType::i64, cpu()), {2, 3, 4});
  const Tensor along = vecdot(x, reshape(arange(0, 12, 1, DType::i64, cpu()), {3, 4}), -2);
  ASSERT_EQ(along.shape(), (Shape{2, 4}));
  EXPECT_EQ(along.to_vector<int64_t>()[5], 13 * 1 + 17 * 5 + 21 * 9);
  EXPECT_EQ(vecdot(x, x, 0).shape(), (Shape{3, 4}));
  EXPECT_TRUE(fails_with("[vecdot] expected equal extents", [&] { vecdot(x, arange(0, 3, 1, DType::i64, cpu())); }));
}

TEST(Tensordot, SumsOverPairsOfAxes) {
  for (const DType dtype : {DType::f64, DType::u8, DType::c64, DType::f32}) {
    const auto a = small_integers(2 * 3 * 4, dtype, 0), b = small_integers(4 * 5 * 2, dtype, 3);
    const Tensor c = tensordot(tensor_of(a, {2, 3, 4}, dtype, cpu()), tensor_of(b, {4, 5, 2}, dtype, cpu()),
                               Axes{0, -1}, Axes{2, 0});
    ASSERT_EQ(c.shape(), (Shape{3, 5}));
    const auto got = elements(c);
    for (int64_t i = 0; i < 3; ++i) {
      for (int64_t j = 0; j < 5; ++j) {
        Gaussian sum;
        for (int64_t p = 0; p < 2; ++p) {
          for (int64_t q = 0; q < 4; ++q) {
            sum += a[static_cast<size_t>((p * 3 + i) * 4 + q)] * b[static_cast<size_t>((q * 5 + j) * 2 + p)];
          }
        }
        ASSERT_EQ(got[static_cast<size_t>(i * 5 + j)], bytes_of(sum, dtype)) << name_of(dtype);
      }
    }
  }
  const Tensor x = reshape(arange(0, 6, 1, DType::i64, cpu()), {2, 3});
  EXPECT_EQ(tensordot(x, x).to_vector<int64_t>(), (std::vector<int64_t>{55}));
  EXPECT_EQ(tensordot(x, x, 0).shape(), (Shape{2, 3, 2, 3}));
  EXPECT_EQ(tensordot(x, transpose(x), 1).to_vector<int64_t>(), (std::vector<int64_t>{5, 14, 14, 50}));
  EXPECT_TRUE(
      fails_with("[tensordot] expected equal extents of axis 1 of a and axis 0 of b", [&] { tensordot(x, x, 1); }));
  EXPECT_TRUE(fails_with("0 to 2 axes, got 3", [&] { tensordot(x, x, 3); }));
}

TEST(Kron, MultipliesEveryPair) {
  const Tensor a = reshape(arange(1, 5, 1, DType::i16, cpu()), {2, 2}), b = arange(0, 3, 1, DType::i16, cpu());
  EXPECT_EQ(kron(a, b).to_vector<int16_t>(), (std::vector<int16_t>{0, 1, 2, 0, 2, 4, 0, 3, 6, 0, 4, 8}));
  EXPECT_EQ(kron(b, a).shape(), (Shape{2, 6}));
  EXPECT_EQ(kron(b, a).to_vector<int16_t>(), (std::vector<int16_t>{0, 0, 1, 2, 2, 4, 0, 0, 3, 4, 6, 8}));
  // The one with fewer axes has leading ones of 1.
  const Tensor c = reshape(arange(0, 4, 1, DType::i16, cpu()), {2, 1, 2});
  EXPECT_EQ(kron(c, a).shape(), (Shape{2, 2, 4}));
  EXPECT_EQ(kron(c, a).to_vector<int16_t>(), (std::vector<int16_t>{0, 0, 1, 2, 0, 0, 3, 4, 2, 4, 3, 6, 6, 8, 9, 12}));
  EXPECT_EQ(outer(b, b).to_vector<int16_t>(), (std::vector<int16_t>{0, 0, 0, 0, 1, 2, 0, 2, 4}));
  EXPECT_EQ(outer(b, ones({0}, DType::i16, cpu())).shape(), (Shape{3, 0}));
}

TEST(ProductGradients, AgreeWithDifferences) {
  using Inputs = std::vector<Tensor>;
  using testing::gradients_agree;
  const Tensor a = reshape(linspace(-1, 1, 24, DType::f32, cpu()), {2, 3, 4}),
               v = linspace(-1, 0.5, 4, DType::f32, cpu());
  const Tensor b = reshape(linspace(-1, 2, 12, DType::f32, cpu()), {4, 3});
  EXPECT_TRUE(gradients_agree([](const Inputs& x) { return matmul(x[0], x[1]); }, {a, v}));
  EXPECT_TRUE(gradients_agree([](const Inputs& x) { return matmul(x[0], x[1]); }, {v, b}));
  EXPECT_TRUE(gradients_agree([](const Inputs& x) { return vecdot(x[0], x[1]); }, {a, v}));
  EXPECT_TRUE(gradients_agree([](const Inputs& x) { return tensordot(x[0], x[1], Axes{1, 2}, Axes{1, 0}); }, {a, b}));
  EXPECT_TRUE(gradients_agree([](const Inputs& x) { return outer(x[0], x[0]); }, {v}));
  EXPECT_TRUE(gradients_agree([](const Inputs& x) { return kron(x[0], x[1]); }, {b, v}));
}

}  // namespace
}  // namespace tern
