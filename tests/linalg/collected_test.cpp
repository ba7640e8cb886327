// SPDX-License-Identifier: Apache-2.0
// Matrices from practice (tests/data/matrices) by LAPACK's residuals in every precision, and their singular values,
// conditions and ranks by Jacobi's method in long double.
#include <gtest/gtest.h>

#include "linalg/jacobi.h"
#include "linalg/linalg_device.h"
#include "linalg/matrix_market.h"
#include "linalg/residuals.h"

namespace tern {
namespace {

using namespace testing;

const Device& cpu() {
  static const Device device = linalg_device();
  return device;
}

template <class T>
class Collected : public ::testing::Test {};
using Numbers = ::testing::Types<float, double, std::complex<float>, std::complex<double>>;
TYPED_TEST_SUITE(Collected, Numbers);

TYPED_TEST(Collected, Factors) {
  for (const MatrixCase& of : collected_matrices()) {
    const Tensor x = to_tensor<TypeParam>(of.values, cpu());
    EXPECT_LT(lu_residual<TypeParam>(x), kEquationsThreshold) << of.name;
    for (const auto mode : {linalg::QrMode::reduced, linalg::QrMode::complete}) {
      EXPECT_LT(qr_residual<TypeParam>(x, mode), kEquationsThreshold) << of.name;
    }
    for (const bool full : {false, true}) EXPECT_LT(svd_residual<TypeParam>(x, full), kValuesThreshold) << of.name;
    // geev's residual is small beside the matrix as it scales it first, which says little of one scaled as badly as
    // fs_183_6 (docs/linalg.md).
    if (x.size(0) != x.size(1) || of.name == "fs_183_6") continue;
    EXPECT_LT(eig_residual<TypeParam>(x), kValuesThreshold) << of.name;
  }
  const Tensor stiffness = to_tensor<TypeParam>(collected("bcsstk01").values, cpu());
  EXPECT_LT(cholesky_residual<TypeParam>(stiffness), kEquationsThreshold);
  EXPECT_LT(eigh_residual<TypeParam>(stiffness), kValuesThreshold);
}

TYPED_TEST(Collected, Equations) {
  for (const MatrixCase& of : collected_matrices()) {
    const Tensor a = to_tensor<TypeParam>(of.values, cpu());
    const Tensor b = to_tensor<TypeParam>(random_matrix(a.size(0), 3, 21, is_complex_number<TypeParam>), cpu());
    EXPECT_LT(lstsq_residual<TypeParam>(a, b), kEquationsThreshold) << of.name;
    if (a.size(0) != a.size(1)) continue;
    EXPECT_LT(solve_residual<TypeParam>(a, b), kEquationsThreshold) << of.name;
    EXPECT_LT(inv_residual<TypeParam>(a), kEquationsThreshold) << of.name;
  }
}

// By the backward error that LAPACK promises, a singular value is off by p·n·ε of the largest, p below the threshold;
// so the smallest, and a condition, is known to that over itself.
TYPED_TEST(Collected, SingularValuesAndConditions) {
  using R = RealPart<TypeParam>;
  for (const MatrixCase& of : collected_matrices()) {
    const Tensor x = to_tensor<TypeParam>(of.values, cpu());
    const std::vector<long double> exact = singular_values(host_of<TypeParam>(x));
    const std::vector<R> values = linalg::svdvals(x).template to_vector<R>();
    ASSERT_EQ(values.size(), exact.size());
    const auto n = static_cast<double>(std::max(x.size(0), x.size(1)));
    const double largest = static_cast<double>(exact.front()), smallest = static_cast<double>(exact.back());
    const double bound = kValuesThreshold * n * unit_roundoff<TypeParam>() * largest;
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_NEAR(static_cast<double>(values[i]), static_cast<double>(exact[i]), bound) << of.name << " " << i;
    }
    if (bound < smallest / 2) {
      const double condition = largest / smallest;
      EXPECT_NEAR(linalg::cond(x).item(), condition, 4 * condition * bound / smallest) << of.name;
      EXPECT_EQ(linalg::matrix_rank(x).item(), static_cast<double>(exact.size())) << of.name;
    }
  }
}

TEST(CollectedConditions, AreKnownInDoubles) {
  // What the bound above says of doubles: three of them are far from singular, so their conditions were compared.
  for (const char* const name : {"ash219", "west0067", "bcsstk01"}) {
    const std::vector<long double> exact = singular_values(collected(name).values);
    EXPECT_LT(static_cast<double>(exact.front() / exact.back()), 1e7) << name;
  }
  EXPECT_GT(linalg::cond(to_tensor<double>(collected("fs_183_6").values, cpu())).item(), 1e10);
}

}  // namespace
}  // namespace tern
