// SPDX-License-Identifier: Apache-2.0
// Gradients against central differences.
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

#include "linalg/cases.h"
#include "linalg/linalg_device.h"
#include "support/fails_with.h"
#include "tern/linalg.h"
#include "tern/ops.h"

namespace tern {
namespace {

using namespace testing;
using linalg::MatrixNorm;
using Tensors = std::vector<Tensor>;

const Device& cpu() {
  static const Device device = linalg_device();
  return device;
}

// Two matrices m × n in [-1, 1), with `diagonal` added to their diagonals, on which they dominate.
Tensor matrices(int64_t m, int64_t n, float diagonal, uint64_t seed = 1) {
  const Tensor one = unsqueeze(to_tensor<float>(random_matrix(m, n, seed, false), cpu()), 0);
  const Tensor two = unsqueeze(to_tensor<float>(random_matrix(m, n, seed + 1, false), cpu()), 0);
  const Tensor out = concat(Tensors{one, two}, 0);
  const Tensor on = linalg::diagonal(out);
  assign(on, on + Tensor::full({}, static_cast<double>(diagonal), DType::f32, cpu()));
  return out;
}

// Symmetric matrices of x, whose eigenvalues are far from each other.
Tensor spread_symmetric(const Tensor& x) {
  const int64_t n = x.size(-1);
  const Tensor spread = Tensor::zeros({n, n}, DType::f32, cpu());
  const Tensor on = linalg::diagonal(spread);
  assign(on, mul(cast(Tensor::arange(n, DType::i32, cpu()), DType::f32), 4.0));
  return mul(x, 0.5) + mul(transpose(x), 0.5) + spread;
}

TEST(LinalgGradient, OfSolve) {
  const auto solve = [](const Tensors& in) { return linalg::solve(in[0], in[1]); };
  EXPECT_TRUE(gradients_agree(solve, {matrices(4, 4, 4), matrices(4, 2, 0, 3)}));
  EXPECT_TRUE(gradients_agree(solve, {matrices(4, 4, 4), select(select(matrices(4, 4, 0, 3), 0, 0), 0, 1)}));
  // Both broadcast.
  EXPECT_TRUE(gradients_agree(solve, {select(matrices(3, 3, 4), 0, 1), matrices(3, 2, 0, 3)}));
  EXPECT_TRUE(gradients_agree(solve, {matrices(3, 3, 4), select(matrices(3, 2, 0, 3), 0, 1)}));
}

TEST(LinalgGradient, OfSolveTriangular) {
  for (const bool upper : {false, true}) {
    const auto solve = [upper](const Tensors& in) { return linalg::solve_triangular(in[0], in[1], upper); };
    EXPECT_TRUE(gradients_agree(solve, {matrices(4, 4, 4), matrices(4, 2, 0, 3)})) << upper;
  }
}

TEST(LinalgGradient, OfInverseAndPowers) {
  EXPECT_TRUE(gradients_agree([](const Tensors& in) { return linalg::inv(in[0]); }, {matrices(4, 4, 4)}));
  for (const int64_t n : {1, 3, -2}) {
    const auto power = [n](const Tensors& in) { return linalg::matrix_power(in[0], n); };
    EXPECT_TRUE(gradients_agree(power, {matrices(3, 3, 3)})) << n;
  }
  EXPECT_TRUE(gradients_agree([](const Tensors& in) { return linalg::expm(in[0]); }, {matrices(4, 4, 0)}));
}

TEST(LinalgGradient, OfDeterminants) {
  EXPECT_TRUE(gradients_agree([](const Tensors& in) { return linalg::det(in[0]); }, {matrices(4, 4, 1)}));
  EXPECT_TRUE(gradients_agree([](const Tensors& in) { return linalg::slogdet(in[0]).logabsdet; }, {matrices(4, 4, 4)}));
  // At matrices of rank n - 1 the gradient is there, at rank n - 2 it is 0.
  for (const int64_t rank : {2, 1}) {
    const Tensor x = to_tensor<float>(of_rank(3, 3, rank, 5, false), cpu()).set_requires_grad();
    backward(linalg::det(x));
    const HostMatrix a = host_of<float>(x), got = host_of<float>(x.grad());
    for (int64_t i = 0; i < 3; ++i) {
      for (int64_t j = 0; j < 3; ++j) {
        const auto at = [&](int64_t k, int64_t l) { return a((i + k) % 3, (j + l) % 3).real(); };
        EXPECT_NEAR(static_cast<double>(got(i, j).real()),
                    static_cast<double>(at(1, 1) * at(2, 2) - at(1, 2) * at(2, 1)), 1e-5);
      }
    }
  }
}

TEST(LinalgGradient, OfCholesky) {
  for (const bool upper : {false, true}) {
    const auto cholesky = [upper](const Tensors& in) {
      return linalg::cholesky(matmul(in[0], transpose(in[0])), upper);
    };
    EXPECT_TRUE(gradients_agree(cholesky, {matrices(4, 4, 3)})) << upper;
  }
}

TEST(LinalgGradient, OfQr) {
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{4, 4}, {6, 3}, {3, 5}}) {
    const Tensor x = matrices(m, n, 3);
    EXPECT_TRUE(gradients_agree([](const Tensors& in) { return linalg::qr(in[0]).q; }, {x})) << m << " " << n;
    EXPECT_TRUE(gradients_agree([](const Tensors& in) { return linalg::qr(in[0]).r; }, {x})) << m << " " << n;
    const auto both = [](const Tensors& in) {
      const linalg::Qr f = linalg::qr(in[0]);
      return matmul(transpose(f.r), square(transpose(f.q)));
    };
    EXPECT_TRUE(gradients_agree(both, {x})) << m << " " << n;
  }
}

// Functions of vectors that do not depend on their signs.
TEST(LinalgGradient, OfEigh) {
  const Tensor x = matrices(4, 4, 0);
  EXPECT_TRUE(gradients_agree([](const Tensors& in) { return linalg::eigh(spread_symmetric(in[0])).values; }, {x}));
  EXPECT_TRUE(gradients_agree([](const Tensors& in) { return linalg::eigvalsh(spread_symmetric(in[0])); }, {x}));
  EXPECT_TRUE(
      gradients_agree([](const Tensors& in) { return square(linalg::eigh(spread_symmetric(in[0])).vectors); }, {x}));
}

TEST(LinalgGradient, OfSvd) {
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{3, 3}, {5, 3}, {3, 5}}) {
    Tensor x = matrices(m, n, 0);
    const Tensor on = linalg::diagonal(x);
    const std::vector<float> spread = {9, 5, 2};
    assign(on, on + Tensor::from(spread, {3}, cpu()));
    EXPECT_TRUE(gradients_agree([](const Tensors& in) { return linalg::svdvals(in[0]); }, {x})) << m << " " << n;
    EXPECT_TRUE(gradients_agree([](const Tensors& in) { return square(linalg::svd(in[0], false).u); }, {x}))
        << m << " " << n;
    EXPECT_TRUE(gradients_agree([](const Tensors& in) { return square(linalg::svd(in[0], false).vh); }, {x}))
        << m << " " << n;
    // The nearest orthogonal matrix, and one that weighs it by the values.
    const auto together = [](const Tensors& in) {
      const linalg::Svd f = linalg::svd(in[0], false);
      return matmul(mul(f.u, unsqueeze(log(f.s), -2)), f.vh);
    };
    EXPECT_TRUE(gradients_agree(together, {x})) << m << " " << n;
  }
}

TEST(LinalgGradient, OfNorms) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  // Far from 0 and from each other, where moduli and extremes have kinks.
  const Tensor x =
      Tensor::from({0.5f, -1.0f, 1.5f, -2.0f, 2.5f, -3.25f, 4.0f, -0.25f, 0.75f, 5.5f, -1.25f, 2.0f}, {2, 2, 3}, cpu());
  for (const double ord : {1.0, 2.0, 3.0, 0.5, -1.0, -2.0, kInfinity, -kInfinity}) {
    for (const std::vector<int>& axes : {std::vector<int>{}, {1}, {-1, 0}}) {
      const auto norm = [&](const Tensors& in) { return linalg::vector_norm(in[0], ord, axes); };
      EXPECT_TRUE(gradients_agree(norm, {x})) << ord << " " << axes.size();
    }
  }
  for (const MatrixNorm ord : {MatrixNorm::fro, MatrixNorm::nuc, MatrixNorm::one, MatrixNorm::minus_one,
                               MatrixNorm::two, MatrixNorm::minus_two, MatrixNorm::inf, MatrixNorm::minus_inf}) {
    for (const bool keep : {false, true}) {
      const auto norm = [&](const Tensors& in) { return linalg::matrix_norm(in[0], ord, keep); };
      EXPECT_TRUE(gradients_agree(norm, {x})) << static_cast<int>(ord);
    }
  }
  Tensor zero = Tensor::zeros({3}, DType::f32, cpu()).set_requires_grad();
  backward(linalg::vector_norm(zero));
  EXPECT_EQ(zero.grad().to_vector<float>(), (std::vector<float>{0, 0, 0}));
}

TEST(LinalgGradient, OfProductsAndParts) {
  const Tensor a = matrices(3, 3, 0), b = matrices(3, 2, 0, 5);
  EXPECT_TRUE(gradients_agree([](const Tensors& in) { return linalg::kron(in[0], in[1]); }, {a, b}));
  EXPECT_TRUE(
      gradients_agree([](const Tensors& in) { return linalg::cross(in[0], in[1]); }, {a, matrices(3, 3, 0, 7)}));
  for (const int64_t offset : {0, 1, -2, 5}) {
    EXPECT_TRUE(gradients_agree([=](const Tensors& in) { return linalg::diagonal(in[0], offset); }, {a})) << offset;
  }
  EXPECT_TRUE(gradients_agree([](const Tensors& in) { return linalg::trace(in[0], 1); }, {a}));
  const Tensor v = select(select(a, 0, 0), 0, 1), w = select(select(b, 0, 0), 1, 1);
  EXPECT_TRUE(gradients_agree([](const Tensors& in) { return linalg::outer(in[0], in[1]); }, {v, w}));
}

TEST(LinalgGradient, IsRefusedInF64) {
  const Tensor x = cast(matrices(3, 3, 4).set_requires_grad(), DType::f64), plain = x.detach();
  const std::pair<const char*, std::function<Tensor()>> computations[] = {
      {"[inv]", [&] { return linalg::inv(x); }},
      {"[det]", [&] { return linalg::det(x); }},
      {"[eigh]", [&] { return linalg::eigh(x).values; }},
      {"[svd]", [&] { return linalg::svdvals(x); }},
      {"[qr]", [&] { return linalg::qr(x).r; }},
      {"[solve]", [&] { return linalg::solve(x, plain); }},
      {"[matmul]", [&] { return linalg::matmul(x, plain); }},
      {"[expm]", [&] { return linalg::expm(x); }},
      {"[vector_norm]", [&] { return linalg::vector_norm(x); }},
  };
  for (const auto& [name, compute] : computations) {
    EXPECT_TRUE(fails_with(std::string(name) + " expected", compute)) << name;
    EXPECT_TRUE(fails_with("without a gradient", compute)) << name;
  }
  EXPECT_NO_THROW(linalg::inv(plain));
}

// The views among them move elements only.
TEST(LinalgGradient, OfViewsGoesThroughF64) {
  const Tensor x = matrices(3, 3, 0);
  EXPECT_TRUE(gradients_agree(
      [](const Tensors& in) { return square(cast(linalg::trace(cast(in[0], DType::f64), 1), DType::f32)); }, {x}));
}

TEST(LinalgGradient, OfHalfPrecisionGoesThroughCasts) {
  const Tensor x = matrices(3, 3, 4).set_requires_grad();
  backward(sum(linalg::inv(cast(x, DType::f16))));
  EXPECT_TRUE(x.grad().defined());
}

TEST(LinalgGradient, IsNotRecordedOtherwise) {
  const Tensor x = matrices(3, 3, 4).set_requires_grad();
  for (const Tensor& y : {linalg::pinv(x), linalg::eig(x).values, linalg::svd(x, true).u, linalg::lu(x).u,
                          linalg::slogdet(x).sign, linalg::cond(x)}) {
    EXPECT_FALSE(y.requires_grad());
  }
}

}  // namespace
}  // namespace tern
