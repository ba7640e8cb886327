// SPDX-License-Identifier: Apache-2.0
// Determinants, norms, powers, exponentials, products: against naive arithmetic in long double and known values.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "linalg/linalg_device.h"
#include "linalg/residuals.h"
#include "support/fails_with.h"

namespace tern {
namespace {

using namespace testing;
using linalg::MatrixNorm;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

const Device& cpu() {
  static const Device device = linalg_device();
  return device;
}

// Gaussian elimination with complete pivoting: x with a·x = b; `det` as a product.
HostMatrix naive_solve(HostMatrix a, HostMatrix b, Exact* det = nullptr) {
  const int64_t n = a.rows();
  Exact product = 1;
  std::vector<int64_t> column(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) column[static_cast<size_t>(i)] = i;
  for (int64_t k = 0; k < n; ++k) {
    int64_t row = k, col = k;
    for (int64_t i = k; i < n; ++i) {
      for (int64_t j = k; j < n; ++j) {
        if (std::abs(a(i, j)) > std::abs(a(row, col))) std::tie(row, col) = std::pair(i, j);
      }
    }
    for (int64_t j = 0; j < n && row != k; ++j) std::swap(a(k, j), a(row, j));
    for (int64_t j = 0; j < b.columns() && row != k; ++j) std::swap(b(k, j), b(row, j));
    for (int64_t i = 0; i < n && col != k; ++i) std::swap(a(i, k), a(i, col));
    std::swap(column[static_cast<size_t>(k)], column[static_cast<size_t>(col)]);
    product *= a(k, k) * Exact((row != k) != (col != k) ? -1 : 1);
    if (a(k, k) == Exact(0)) break;
    for (int64_t i = k + 1; i < n; ++i) {
      const Exact factor = a(i, k) / a(k, k);
      for (int64_t j = k; j < n; ++j) a(i, j) -= factor * a(k, j);
      for (int64_t j = 0; j < b.columns(); ++j) b(i, j) -= factor * b(k, j);
    }
  }
  if (det != nullptr) *det = product;
  HostMatrix x(n, b.columns());
  for (int64_t j = 0; j < b.columns(); ++j) {
    for (int64_t k = n - 1; k >= 0; --k) {
      Exact sum = b(k, j);
      for (int64_t i = k + 1; i < n; ++i) sum -= a(k, i) * x(column[static_cast<size_t>(i)], j);
      x(column[static_cast<size_t>(k)], j) = sum / a(k, k);
    }
  }
  return x;
}

template <class T>
class Values : public ::testing::Test {
 protected:
  static constexpr bool kComplex = is_complex_number<T>;
  // The elements as they are after rounding to T.
  static HostMatrix rounded(const HostMatrix& x) { return host_of<T>(to_tensor<T>(x, cpu())); }
  static Exact scalar(const Tensor& x) { return host_of<T>(reshape(x, {1, 1}))(0, 0); }
};
using Numbers = ::testing::Types<float, double, std::complex<float>, std::complex<double>>;
TYPED_TEST_SUITE(Values, Numbers);

// A determinant's condition is that of the matrix: |Δdet| <= n·ε·cond(A)·|det| in first order, with growth 8 here.
TYPED_TEST(Values, DeterminantsAreThoseOfNaiveElimination) {
  for (const MatrixCase& of : regular_matrices(this->kComplex)) {
    const HostMatrix a = this->rounded(of.values);
    Exact det;
    const HostMatrix inverse = naive_solve(a, HostMatrix::identity(a.rows()), &det);
    const double bound = 8 * static_cast<double>(a.rows()) * unit_roundoff<TypeParam>() * a.norm() * inverse.norm();
    const Tensor x = to_tensor<TypeParam>(of.values, cpu());
    if (std::abs(det) < static_cast<long double>(std::numeric_limits<RealPart<TypeParam>>::max())) {
      EXPECT_LE(static_cast<double>(std::abs(this->scalar(linalg::det(x)) - det) / std::abs(det)), bound) << of.name;
    } else {
      EXPECT_TRUE(std::isinf(std::abs(this->scalar(linalg::det(x))))) << of.name;
    }
    const linalg::Slogdet logarithm = linalg::slogdet(x);
    EXPECT_LE(static_cast<double>(std::abs(this->scalar(logarithm.sign) - det / std::abs(det))), bound) << of.name;
    EXPECT_NEAR(logarithm.logabsdet.item(), static_cast<double>(std::log(std::abs(det))),
                bound + 2 * unit_roundoff<TypeParam>() * std::abs(logarithm.logabsdet.item()))
        << of.name;
  }
}

// The forward error of a solution: |Δx| <= 8·n·ε·cond(A)·|x|.
TYPED_TEST(Values, SolutionsAreThoseOfNaiveElimination) {
  for (const MatrixCase& of : regular_matrices(this->kComplex)) {
    const HostMatrix a = this->rounded(of.values);
    const HostMatrix b = this->rounded(random_matrix(a.rows(), 3, 31, this->kComplex));
    const HostMatrix expected = naive_solve(a, b), inverse = naive_solve(a, HostMatrix::identity(a.rows()));
    const HostMatrix got =
        host_of<TypeParam>(linalg::solve(to_tensor<TypeParam>(a, cpu()), to_tensor<TypeParam>(b, cpu())));
    const double bound = 8 * static_cast<double>(a.rows()) * unit_roundoff<TypeParam>() * a.norm() * inverse.norm();
    EXPECT_LE((got - expected).norm(), bound * expected.norm()) << of.name;
  }
}

TYPED_TEST(Values, DeterminantsOfExtremeScale) {
  using R = RealPart<TypeParam>;
  const auto diagonal = [](std::initializer_list<double> values) {
    const auto n = static_cast<int64_t>(values.size());
    HostMatrix a(n, n);
    for (int64_t i = 0; i < n; ++i) a(i, i) = values.begin()[i];
    return to_tensor<TypeParam>(a, cpu());
  };
  const double huge = std::ldexp(1.0, std::numeric_limits<R>::max_exponent - 3);
  EXPECT_EQ(this->scalar(linalg::det(diagonal({huge, huge, 1 / huge, 1 / huge, -3}))).real(), -3.0L);
  EXPECT_EQ(linalg::slogdet(diagonal({huge, huge, huge})).sign.template to_vector<TypeParam>()[0], TypeParam(1));
  EXPECT_NEAR(linalg::slogdet(diagonal({huge, huge, huge})).logabsdet.item(), 3 * std::log(huge),
              4 * unit_roundoff<TypeParam>() * 3 * std::log(huge));
  EXPECT_EQ(this->scalar(linalg::det(diagonal({2, 0, 3}))), Exact(0));
  EXPECT_EQ(linalg::slogdet(diagonal({2, 0, 3})).logabsdet.item(), -kInfinity);
  EXPECT_EQ(this->scalar(linalg::slogdet(diagonal({2, 0, 3})).sign), Exact(0));
  EXPECT_TRUE(std::isinf(this->scalar(linalg::det(diagonal({huge, huge}))).real()));
}

// Naive norms in long double. A sum of n terms in double, rounded once to T, is within n·2⁻⁵³ and an ulp.
TYPED_TEST(Values, VectorNorms) {
  for (const int64_t n : {1, 7, 8, 9, 100, 70001}) {
    const HostMatrix x = this->rounded(random_matrix(1, n, 41, this->kComplex));
    const Tensor tensor = select(to_tensor<TypeParam>(x, cpu()), 0, 0);
    for (const double ord : {0.0, 1.0, 2.0, 3.0, 0.5, -1.0, -2.5, kInfinity, -kInfinity}) {
      long double sum = 0, largest = 0, least = kInfinity;
      for (int64_t i = 0; i < n; ++i) {
        const long double size = std::abs(x(0, i));
        sum += ord == 0 ? (size != 0 ? 1 : 0) : std::pow(size, static_cast<long double>(ord));
        largest = std::max(largest, size);
        least = std::min(least, size);
      }
      const long double expected = ord == kInfinity    ? largest
                                   : ord == -kInfinity ? least
                                   : ord == 0          ? sum
                                                       : std::pow(sum, 1 / static_cast<long double>(ord));
      EXPECT_NEAR(linalg::vector_norm(tensor, ord).item(), static_cast<double>(expected),
                  static_cast<double>(expected) * (static_cast<double>(n) * 0x1p-50 + 4 * unit_roundoff<TypeParam>()))
          << n << " " << ord;
    }
  }
}

TYPED_TEST(Values, NormsNeitherOverflowNorUnderflow) {
  using R = RealPart<TypeParam>;
  for (const double size : {static_cast<double>(std::numeric_limits<R>::max()) / 8,
                            static_cast<double>(std::numeric_limits<R>::min()) * 8}) {
    const Tensor x = to_tensor<TypeParam>(
        by_formula(1, 3, [&](int64_t, int64_t j) { return Exact((j % 2 == 0 ? 1 : -1) * size); }), cpu());
    for (const double ord : {2.0, 3.0, 7.0, -2.0, -5.0}) {
      const double expected = size * std::pow(3.0, 1 / ord);
      EXPECT_NEAR(linalg::vector_norm(x, ord).item(), expected, 8 * unit_roundoff<TypeParam>() * expected) << ord;
    }
    EXPECT_NEAR(linalg::matrix_norm(x).item(), size * std::sqrt(3.0), 8 * unit_roundoff<TypeParam>() * size);
  }
  const Tensor infinite =
      to_tensor<TypeParam>(by_formula(1, 2, [](int64_t, int64_t j) { return Exact(j == 0 ? kInfinity : 1); }), cpu());
  for (const double ord : {1.0, 2.0, 3.0, kInfinity}) EXPECT_EQ(linalg::vector_norm(infinite, ord).item(), kInfinity);
  const Tensor unknown = to_tensor<TypeParam>(
      by_formula(1, 3, [](int64_t, int64_t j) { return Exact(j == 1 ? std::nan("") : 1); }), cpu());
  for (const double ord : {1.0, 2.0, 3.0, kInfinity, -kInfinity}) {
    EXPECT_TRUE(std::isnan(linalg::vector_norm(unknown, ord).item())) << ord;
  }
}

TYPED_TEST(Values, MatrixNorms) {
  const HostMatrix a = this->rounded(random_matrix(5, 7, 43, this->kComplex));
  const Tensor x = to_tensor<TypeParam>(a, cpu());
  long double column_most = 0, column_least = kInfinity, row_most = 0, row_least = kInfinity, square = 0;
  for (int64_t j = 0; j < 7; ++j) {
    long double sum = 0;
    for (int64_t i = 0; i < 5; ++i) {
      sum += std::abs(a(i, j));
      square += std::norm(a(i, j));
    }
    column_most = std::max(column_most, sum);
    column_least = std::min(column_least, sum);
  }
  for (int64_t i = 0; i < 5; ++i) {
    long double sum = 0;
    for (int64_t j = 0; j < 7; ++j) sum += std::abs(a(i, j));
    row_most = std::max(row_most, sum);
    row_least = std::min(row_least, sum);
  }
  const auto near = [&](MatrixNorm ord, long double expected) {
    EXPECT_NEAR(linalg::matrix_norm(x, ord).item(), static_cast<double>(expected),
                16 * unit_roundoff<TypeParam>() * static_cast<double>(expected))
        << static_cast<int>(ord);
  };
  near(MatrixNorm::one, column_most);
  near(MatrixNorm::minus_one, column_least);
  near(MatrixNorm::inf, row_most);
  near(MatrixNorm::minus_inf, row_least);
  near(MatrixNorm::fro, std::sqrt(square));
  const Tensor s = linalg::svdvals(x);
  EXPECT_EQ(linalg::matrix_norm(x, MatrixNorm::two).item(), select(s, 0, 0).item());
  EXPECT_EQ(linalg::matrix_norm(x, MatrixNorm::minus_two).item(), select(s, 0, 4).item());
  near(MatrixNorm::nuc, linalg::vector_norm(s, 1).item());
  EXPECT_EQ(linalg::matrix_norm(x, MatrixNorm::one, true).shape(), (Shape{1, 1}));
  // norm() by number and by axes.
  const int axes[] = {1, 0};
  EXPECT_EQ(linalg::norm(x, 1, axes).item(), linalg::matrix_norm(x, MatrixNorm::inf).item());
  EXPECT_EQ(linalg::norm(x, {}, {}, true).shape(), (Shape{1, 1}));
  EXPECT_EQ(linalg::norm(x, 1).item(), linalg::matrix_norm(x, MatrixNorm::one).item());
  EXPECT_EQ(linalg::norm(x, 3, std::span(axes, 1)).shape(), (Shape{5}));
}

TYPED_TEST(Values, Conditions) {
  const HostMatrix a = this->rounded(hilbert(4, 4));
  const Tensor x = to_tensor<TypeParam>(a, cpu());
  const HostMatrix inverse = naive_solve(a, HostMatrix::identity(4));
  const double expected = a.norm() * inverse.norm(), tolerance = 100 * unit_roundoff<TypeParam>() * expected * expected;
  EXPECT_NEAR(linalg::cond(x, MatrixNorm::one).item(), expected, tolerance);
  EXPECT_NEAR(linalg::cond(x, MatrixNorm::inf).item(), expected, tolerance);
  EXPECT_NEAR(linalg::cond(x).item() * linalg::cond(x, MatrixNorm::minus_two).item(), 1, 1e-5);
  const Tensor singular = to_tensor<TypeParam>(HostMatrix(3, 3), cpu());
  for (const MatrixNorm ord : {MatrixNorm::one, MatrixNorm::fro, MatrixNorm::two, MatrixNorm::nuc}) {
    EXPECT_EQ(linalg::cond(singular, ord).item(), kInfinity);
  }
}

// |Δ| <= k·ε·|a|·|b| elementwise, for complex numbers four times that.
TYPED_TEST(Values, Products) {
  for (const auto& [m, k, n] :
       {std::tuple<int64_t, int64_t, int64_t>{3, 5, 4}, {1, 1, 1}, {33, 17, 65}, {2, 0, 3}, {0, 4, 2}}) {
    const HostMatrix a = this->rounded(random_matrix(m, k, 61, this->kComplex));
    const HostMatrix b = this->rounded(random_matrix(k, n, 62, this->kComplex));
    const Tensor x = to_tensor<TypeParam>(a, cpu()), y = to_tensor<TypeParam>(b, cpu());
    const double bound = 8 * static_cast<double>(k) * unit_roundoff<TypeParam>() * a.norm() * b.norm();
    EXPECT_LE((host_of<TypeParam>(linalg::matmul(x, y)) - a * b).norm(), bound) << m << " " << k << " " << n;
  }
}

// By elementwise products, which round once each.
TYPED_TEST(Values, ProductsByElements) {
  const HostMatrix a = this->rounded(random_matrix(2, 3, 71, this->kComplex));
  const HostMatrix b = this->rounded(random_matrix(2, 3, 72, this->kComplex));
  const Tensor x = to_tensor<TypeParam>(a, cpu()), y = to_tensor<TypeParam>(b, cpu());
  const HostMatrix kron = host_of<TypeParam>(linalg::kron(x, y)), cross = host_of<TypeParam>(linalg::cross(x, y));
  const double bound = 8 * unit_roundoff<TypeParam>();
  for (int64_t i = 0; i < 4; ++i) {
    for (int64_t j = 0; j < 9; ++j) {
      EXPECT_LE(static_cast<double>(std::abs(kron(i, j) - a(i / 2, j / 3) * b(i % 2, j % 3))), bound);
    }
  }
  Exact trace = 0;
  for (int64_t i = 0; i < 2; ++i) {
    trace += a(i, i);
    for (int64_t j = 0; j < 3; ++j) {
      const int64_t k = (j + 1) % 3, l = (j + 2) % 3;
      EXPECT_LE(static_cast<double>(std::abs(cross(i, j) - (a(i, k) * b(i, l) - a(i, l) * b(i, k)))), bound);
    }
  }
  EXPECT_LE(static_cast<double>(std::abs(this->scalar(linalg::trace(x)) - trace)), bound);
}

TYPED_TEST(Values, Powers) {
  const HostMatrix a = this->rounded(random_matrix(5, 5, 47, this->kComplex));
  const Tensor x = to_tensor<TypeParam>(a, cpu());
  HostMatrix expected = HostMatrix::identity(5);
  for (int64_t n = 0; n < 12; ++n) {
    const double size = std::max(1.0, std::pow(a.norm(), static_cast<double>(n)));
    EXPECT_LE((host_of<TypeParam>(linalg::matrix_power(x, n)) - expected).norm(),
              8 * 12 * 5 * unit_roundoff<TypeParam>() * size)
        << n;
    expected = expected * a;
  }
  const HostMatrix inverse = host_of<TypeParam>(linalg::matrix_power(x, -1));
  EXPECT_EQ((inverse - host_of<TypeParam>(linalg::inv(x))).norm(), 0);
}

// Taylor's series in long double, of x / 2^k, squared k times.
HostMatrix naive_exponential(const HostMatrix& x) {
  const int squarings = std::max(0, static_cast<int>(std::ceil(std::log2(std::max(x.norm(), 1e-300)))) + 6);
  HostMatrix small = x, sum = HostMatrix::identity(x.rows()), term = sum;
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; j < x.rows(); ++j) small(i, j) = std::ldexp(1.0L, -squarings) * small(i, j);
  }
  for (int k = 1; k < 16; ++k) {
    term = term * small;
    for (int64_t i = 0; i < x.rows(); ++i) {
      for (int64_t j = 0; j < x.rows(); ++j) {
        term(i, j) /= static_cast<long double>(k);
        sum(i, j) += term(i, j);
      }
    }
  }
  for (int k = 0; k < squarings; ++k) sum = sum * sum;
  return sum;
}

// The scale takes each degree of the approximant and the squarings. The exponential is in double, so that of f32 is off
// by its rounding; in double errors grow with the norm (Higham 2005, section 4: they stay near the condition).
TYPED_TEST(Values, Exponentials) {
  for (const double scale : {0.0, 1e-3, 0.05, 0.3, 0.8, 2.0, 7.0}) {
    HostMatrix a = random_matrix(6, 6, 53, this->kComplex);
    for (int64_t i = 0; i < 6; ++i) {
      for (int64_t j = 0; j < 6; ++j) a(i, j) *= scale;
    }
    a = this->rounded(a);
    const HostMatrix expected = naive_exponential(a);
    const HostMatrix got = host_of<TypeParam>(linalg::expm(to_tensor<TypeParam>(a, cpu())));
    const double size = std::exp(a.norm());  // bounds the norm of the exponential and of its errors
    EXPECT_LE((got - expected).norm(), 4 * unit_roundoff<TypeParam>() * expected.norm() + 0x1p-50 * size) << scale;
  }
  // Nilpotent: a polynomial. Its norm says nothing of it, so it is scaled down more than it needs, which costs digits
  // (Al-Mohy and Higham 2009, "A new scaling and squaring algorithm for the matrix exponential", section 1): of x / 32 =
  // 3.125 in the place of 100, the equations with the denominator, which is e^(-x/64) times a number, 1-norm condition
  // 3.78², order 3, are off by 3 · 14.3 units, and five squarings double that each.
  const double kScaledTooFar = 32 * 3 * 14.3 * unit_roundoff<double>();
  const Tensor shift =
      to_tensor<TypeParam>(by_formula(3, 3, [](int64_t i, int64_t j) { return Exact(j == i + 1 ? 100 : 0); }), cpu());
  const HostMatrix power = host_of<TypeParam>(linalg::expm(shift));
  EXPECT_NEAR(static_cast<double>(power(0, 2).real()), 5000, 5000 * (kScaledTooFar + 8 * unit_roundoff<TypeParam>()));
}

TEST(LinalgProducts, AreThoseOfTheDefinition) {
  const Tensor a = Tensor::from({1.0f, 2.0f, 3.0f, 4.0f}, {2, 2}, cpu()),
               b = Tensor::from({0.0f, 5.0f, 6.0f, 7.0f}, {2, 2}, cpu());
  EXPECT_EQ(linalg::kron(a, b).to_vector<float>(),
            (std::vector<float>{0, 5, 0, 10, 6, 7, 12, 14, 0, 15, 0, 20, 18, 21, 24, 28}));
  const Tensor v = Tensor::from({1.0f, 2.0f, 3.0f}, {3}, cpu()), w = Tensor::from({4.0f, 5.0f, 6.0f}, {3}, cpu());
  EXPECT_EQ(linalg::kron(v, select(a, 0, 0)).to_vector<float>(), (std::vector<float>{1, 2, 2, 4, 3, 6}));
  EXPECT_EQ(linalg::outer(v, select(a, 0, 1)).to_vector<float>(), (std::vector<float>{3, 4, 6, 8, 9, 12}));
  EXPECT_EQ(linalg::cross(v, w).to_vector<float>(), (std::vector<float>{-3, 6, -3}));
  EXPECT_EQ(linalg::cross(unsqueeze(v, -1), unsqueeze(w, -1), -2).shape(), (Shape{3, 1}));
  EXPECT_EQ(linalg::cross(expand(v, {2, 1, 3}), expand(w, {4, 3})).shape(), (Shape{2, 4, 3}));
  EXPECT_EQ(linalg::matrix_transpose(a).to_vector<float>(), (std::vector<float>{1, 3, 2, 4}));
}

TEST(LinalgProducts, DiagonalsAndTraces) {
  const Tensor x = reshape(Tensor::arange(24, DType::i64, cpu()), {2, 3, 4});
  const auto diagonal = [&](int64_t offset) { return linalg::diagonal(x, offset).to_vector<int64_t>(); };
  EXPECT_EQ(diagonal(0), (std::vector<int64_t>{0, 5, 10, 12, 17, 22}));
  EXPECT_EQ(diagonal(1), (std::vector<int64_t>{1, 6, 11, 13, 18, 23}));
  EXPECT_EQ(diagonal(-2), (std::vector<int64_t>{8, 20}));
  EXPECT_EQ(linalg::diagonal(x, 4).shape(), (Shape{2, 0}));
  EXPECT_EQ(linalg::diagonal(x, -7).shape(), (Shape{2, 0}));
  EXPECT_EQ(linalg::trace(x).to_vector<int64_t>(), (std::vector<int64_t>{15, 51}));
  EXPECT_EQ(linalg::trace(x, 9).to_vector<int64_t>(), (std::vector<int64_t>{0, 0}));
  EXPECT_EQ(linalg::trace(cast(x, DType::i8)).dtype(), DType::i64);
  EXPECT_TRUE(linalg::diagonal(cast(x, DType::boolean)).dtype() == DType::boolean);
}

TEST(LinalgLeastSquares, FindsTheShortestOfAllSolutions) {
  // One equation: x + 2y = 5, whose shortest solution is (1, 2).
  const Tensor a = Tensor::from({1.0, 2.0}, {1, 2}, cpu()), b = Tensor::from({5.0}, {1}, cpu());
  const linalg::LeastSquares fit = linalg::lstsq(a, b);
  EXPECT_NEAR(select(fit.solution, 0, 0).item(), 1, 1e-15);
  EXPECT_NEAR(select(fit.solution, 0, 1).item(), 2, 1e-15);
  EXPECT_EQ(fit.rank.item(), 1);
  EXPECT_NEAR(fit.singular_values.item(), std::sqrt(5.0), 1e-15);
  // A line through (0, 1), (1, 2), (2, 4): 5/6 + 3/2·t, residuals 1/6, -1/3, 1/6.
  const Tensor line = Tensor::from({1.0, 0.0, 1.0, 1.0, 1.0, 2.0}, {3, 2}, cpu());
  const linalg::LeastSquares through = linalg::lstsq(line, Tensor::from({1.0, 2.0, 4.0}, {3}, cpu()));
  EXPECT_NEAR(select(through.solution, 0, 0).item(), 5.0 / 6, 1e-14);
  EXPECT_NEAR(select(through.solution, 0, 1).item(), 1.5, 1e-14);
  EXPECT_NEAR(through.residuals.item(), 1.0 / 6, 1e-14);
}

}  // namespace
}  // namespace tern
