// SPDX-License-Identifier: Apache-2.0
// Factorizations and what rests on them, by LAPACK's residuals on every kind of matrix in every precision.
#include <gtest/gtest.h>

#include "linalg/linalg_device.h"
#include "linalg/residuals.h"
#include "support/test_device.h"

namespace tern {
namespace {

using namespace testing;
using linalg::QrMode;

const Device& cpu() {
  static const Device device = linalg_device();
  return device;
}

template <class T>
class Linalg : public ::testing::Test {
 protected:
  static constexpr bool kComplex = is_complex_number<T>;
  static Tensor tensor(const MatrixCase& of) { return to_tensor<T>(of.values, cpu()); }
};
using Numbers = ::testing::Types<float, double, std::complex<float>, std::complex<double>>;
TYPED_TEST_SUITE(Linalg, Numbers);

template <class T>
bool lower_triangular(const Tensor& x, bool unit) {
  const HostMatrix a = host_of<T>(x);
  for (int64_t i = 0; i < a.rows(); ++i) {
    for (int64_t j = i; j < a.columns(); ++j) {
      if (j > i ? a(i, j) != Exact(0) : unit && a(i, j) != Exact(1)) return false;
    }
  }
  return true;
}

TYPED_TEST(Linalg, LuFactorsAnyMatrix) {
  for (const MatrixCase& of : any_matrices(this->kComplex)) {
    const Tensor x = this->tensor(of);
    EXPECT_LT(lu_residual<TypeParam>(x), kEquationsThreshold) << of.name;
    const linalg::Lu f = linalg::lu(x);
    EXPECT_TRUE(lower_triangular<TypeParam>(f.l, true)) << of.name;
    EXPECT_TRUE(lower_triangular<TypeParam>(transpose(f.u), false)) << of.name;
  }
}

TYPED_TEST(Linalg, QrFactorsAnyMatrix) {
  for (const MatrixCase& of : any_matrices(this->kComplex)) {
    const Tensor x = this->tensor(of);
    for (const QrMode mode : {QrMode::reduced, QrMode::complete}) {
      EXPECT_LT(qr_residual<TypeParam>(x, mode), kEquationsThreshold) << of.name;
    }
    const linalg::Qr f = linalg::qr(x), complete = linalg::qr(x, QrMode::complete), only_r = linalg::qr(x, QrMode::r);
    EXPECT_TRUE(lower_triangular<TypeParam>(transpose(f.r), false)) << of.name;
    EXPECT_EQ(f.r.template to_vector<TypeParam>(), only_r.r.template to_vector<TypeParam>()) << of.name;
    EXPECT_FALSE(only_r.q.defined());
    EXPECT_EQ(complete.q.shape(), (Shape{x.size(0), x.size(0)}));
    EXPECT_EQ(complete.r.shape(), x.shape());
  }
}

TYPED_TEST(Linalg, CholeskyFactorsPositiveMatrices) {
  for (const MatrixCase& of : positive_matrices(this->kComplex)) {
    const Tensor x = this->tensor(of);
    for (const bool upper : {false, true}) {
      EXPECT_LT(cholesky_residual<TypeParam>(x, upper), kEquationsThreshold) << of.name << upper;
    }
    EXPECT_TRUE(lower_triangular<TypeParam>(linalg::cholesky(x), false)) << of.name;
    EXPECT_TRUE(lower_triangular<TypeParam>(transpose(linalg::cholesky(x, true)), false)) << of.name;
  }
}

TYPED_TEST(Linalg, SvdFactorsAnyMatrix) {
  using R = RealPart<TypeParam>;
  for (const MatrixCase& of : any_matrices(this->kComplex)) {
    const Tensor x = this->tensor(of);
    for (const bool full : {false, true}) {
      EXPECT_LT(svd_residual<TypeParam>(x, full), kValuesThreshold) << of.name << full;
    }
    const std::vector<R> s = linalg::svd(x).s.template to_vector<R>(),
                         alone = linalg::svdvals(x).template to_vector<R>();
    for (size_t i = 0; i < s.size(); ++i) {
      EXPECT_GE(s[i], i + 1 < s.size() ? s[i + 1] : R{0}) << of.name;
      EXPECT_NEAR(static_cast<double>(s[i]), static_cast<double>(alone[i]),
                  kValuesThreshold * unit_roundoff<TypeParam>() * static_cast<double>(s[0]) * 10)
          << of.name;
    }
  }
}

TYPED_TEST(Linalg, EighDecomposesHermitianMatrices) {
  using R = RealPart<TypeParam>;
  for (const MatrixCase& of : hermitian_matrices(this->kComplex)) {
    const Tensor x = this->tensor(of);
    EXPECT_LT(eigh_residual<TypeParam>(x), kValuesThreshold) << of.name;
    const std::vector<R> w = linalg::eigh(x).values.template to_vector<R>();
    const std::vector<R> alone = linalg::eigvalsh(x).template to_vector<R>();
    for (size_t i = 0; i + 1 < w.size(); ++i) EXPECT_LE(w[i], w[i + 1]) << of.name;
    const double size = std::max(std::abs(static_cast<double>(w.front())), std::abs(static_cast<double>(w.back())));
    for (size_t i = 0; i < w.size(); ++i) {
      EXPECT_NEAR(static_cast<double>(w[i]), static_cast<double>(alone[i]),
                  kValuesThreshold * unit_roundoff<TypeParam>() * size * 10)
          << of.name;
    }
  }
}

TYPED_TEST(Linalg, EigDecomposesSquareMatrices) {
  using C = std::complex<RealPart<TypeParam>>;
  std::vector<MatrixCase> cases = any_matrices(this->kComplex);
  cases.push_back({"grcar 30x30", grcar(30)});
  cases.push_back({"frank 12x12", frank(12)});
  for (const MatrixCase& of : cases) {
    if (of.values.rows() != of.values.columns()) continue;
    const Tensor x = this->tensor(of);
    EXPECT_LT(eig_residual<TypeParam>(x), kValuesThreshold) << of.name;
    const HostMatrix v = host_of<C>(linalg::eig(x).vectors);
    for (int64_t j = 0; j < v.columns(); ++j) {
      long double square = 0, largest = 0;
      for (int64_t i = 0; i < v.rows(); ++i) {
        square += std::norm(v(i, j));
        largest = std::max(largest, std::abs(v(i, j)));
      }
      EXPECT_NEAR(static_cast<double>(square), 1, 100 * unit_roundoff<TypeParam>()) << of.name;
      long double largest_real = 0;
      for (int64_t i = 0; i < v.rows(); ++i) {
        if (v(i, j).imag() == 0) largest_real = std::max(largest_real, v(i, j).real());
      }
      EXPECT_GE(largest_real, largest * (1 - 4 * static_cast<long double>(unit_roundoff<TypeParam>())))
          << of.name << " column " << j;
    }
  }
}

TYPED_TEST(Linalg, SolvesRegularSystems) {
  for (const MatrixCase& of : regular_matrices(this->kComplex)) {
    const Tensor a = this->tensor(of);
    for (const int64_t columns : {1, 5}) {
      const Tensor b = to_tensor<TypeParam>(random_matrix(a.size(0), columns, 21, this->kComplex), cpu());
      EXPECT_LT(solve_residual<TypeParam>(a, b), kEquationsThreshold) << of.name;
      const Tensor again = linalg::lu_solve(linalg::lu_factor(a), b);
      EXPECT_LT(equation_residual<TypeParam>(host_of<TypeParam>(a), host_of<TypeParam>(b), host_of<TypeParam>(again)),
                kEquationsThreshold)
          << of.name;
    }
  }
}

TYPED_TEST(Linalg, SolvesTriangularSystems) {
  for (const MatrixCase& of : positive_matrices(this->kComplex)) {
    const Tensor b = to_tensor<TypeParam>(random_matrix(of.values.rows(), 3, 22, this->kComplex), cpu());
    for (const bool upper : {false, true}) {
      const Tensor a = linalg::cholesky(this->tensor(of), upper);
      const Tensor x = linalg::solve_triangular(a, b, upper);
      EXPECT_LT(equation_residual<TypeParam>(host_of<TypeParam>(a), host_of<TypeParam>(b), host_of<TypeParam>(x)),
                kEquationsThreshold)
          << of.name;
    }
  }
}

TYPED_TEST(Linalg, InvertsRegularMatrices) {
  for (const MatrixCase& of : regular_matrices(this->kComplex)) {
    EXPECT_LT(inv_residual<TypeParam>(this->tensor(of)), kEquationsThreshold) << of.name;
  }
}

TYPED_TEST(Linalg, LeastSquaresOfAnyRank) {
  for (const MatrixCase& of : any_matrices(this->kComplex)) {
    const Tensor a = this->tensor(of);
    const Tensor b = to_tensor<TypeParam>(random_matrix(a.size(0), 4, 23, this->kComplex), cpu());
    EXPECT_LT(lstsq_residual<TypeParam>(a, b), kEquationsThreshold) << of.name;
  }
}

TYPED_TEST(Linalg, PseudoinverseMeetsMooreAndPenrose) {
  for (const MatrixCase& of : any_matrices(this->kComplex)) {
    // Near the tolerance of the rank, a condition that multiplies by 1 / rtol says nothing.
    if (of.name.starts_with("hilbert") || of.name.starts_with("vander") || of.name.starts_with("kahan")) continue;
    EXPECT_LT(pinv_residual<TypeParam>(this->tensor(of)), kEquationsThreshold) << of.name;
  }
}

TYPED_TEST(Linalg, RanksAreThoseOfTheConstruction) {
  const auto rank = [&](const HostMatrix& of) { return linalg::matrix_rank(to_tensor<TypeParam>(of, cpu())).item(); };
  EXPECT_EQ(rank(random_matrix(20, 33, 1, this->kComplex)), 20);
  EXPECT_EQ(rank(of_rank(40, 30, 5, 8, this->kComplex)), 5);
  EXPECT_EQ(rank(HostMatrix(9, 6)), 0);
  EXPECT_EQ(rank(HostMatrix(0, 3)), 0);
  const HostMatrix hermitian = hermitian_part(of_rank(30, 30, 2, 4, this->kComplex));
  EXPECT_EQ(linalg::matrix_rank(to_tensor<TypeParam>(hermitian, cpu()), std::nullopt, true).item(), rank(hermitian));
}

}  // namespace
}  // namespace tern
