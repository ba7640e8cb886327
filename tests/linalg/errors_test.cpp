// SPDX-License-Identifier: Apache-2.0
// Bad input gets an error that names it.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "linalg/linalg_device.h"
#include "support/fails_with.h"
#include "tern/linalg.h"
#include "tern/ops.h"

namespace tern {
namespace {

using testing::fails_with;
using testing::linalg_device;
using Function = std::function<void(const Tensor&)>;

const Device& cpu() {
  static const Device device = linalg_device();
  return device;
}

Tensor zeros(const Shape& shape) { return Tensor::zeros(shape, DType::f64, cpu()); }

// [2, 2, 3, 3] of identities, element (0, 1) of matrix [1, 0] set.
Tensor identities_but(double value) {
  std::vector<double> values(36);
  for (size_t i = 0; i < 4; ++i) {
    for (size_t j = 0; j < 3; ++j) values[i * 9 + j * 4] = 1;
  }
  values[2 * 9 + 1] = value;
  return Tensor::from(values, {2, 2, 3, 3}, cpu());
}

// The same, but matrix [1, 0] is 0.
Tensor one_singular() {
  const Tensor x = identities_but(0);
  assign(select(select(x, 0, 1), 0, 0), zeros({3, 3}));
  return x;
}

bool numerical(const Function& f, const Tensor& x) {
  try {
    f(x);
  } catch (const LinalgError&) {
    return true;
  } catch (const Error&) {
  }
  return false;
}

const std::vector<Function>& all() {
  static const std::vector<Function> functions = {
      [](const Tensor& x) { linalg::lu(x); },       [](const Tensor& x) { linalg::qr(x); },
      [](const Tensor& x) { linalg::svd(x); },      [](const Tensor& x) { linalg::svdvals(x); },
      [](const Tensor& x) { linalg::pinv(x); },     [](const Tensor& x) { linalg::matrix_rank(x); },
      [](const Tensor& x) { linalg::lstsq(x, x); },
  };
  return functions;
}

const std::vector<Function>& of_square() {
  static const std::vector<Function> functions = {
      [](const Tensor& x) { linalg::cholesky(x); },  [](const Tensor& x) { linalg::eigh(x); },
      [](const Tensor& x) { linalg::eigvalsh(x); },  [](const Tensor& x) { linalg::eig(x); },
      [](const Tensor& x) { linalg::eigvals(x); },   [](const Tensor& x) { linalg::solve(x, x); },
      [](const Tensor& x) { linalg::inv(x); },       [](const Tensor& x) { linalg::det(x); },
      [](const Tensor& x) { linalg::slogdet(x); },   [](const Tensor& x) { linalg::expm(x); },
      [](const Tensor& x) { linalg::lu_factor(x); },
  };
  return functions;
}

TEST(LinalgErrors, NameTheMatrixThatIsNotFinite) {
  for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    const Tensor x = identities_but(value);
    for (const auto* const functions : {&all(), &of_square()}) {
      for (const Function& f : *functions) {
        EXPECT_TRUE(fails_with("expected finite numbers, but matrix [1, 0] of", [&] { f(x); }));
        EXPECT_TRUE(numerical(f, x));
      }
    }
  }
  const Tensor complex = cast(identities_but(HUGE_VAL), DType::c64);
  EXPECT_TRUE(fails_with("matrix [1, 0] of x has a NaN or an infinity", [&] { linalg::inv(complex); }));
}

TEST(LinalgErrors, NameTheMatrixThatIsSingular) {
  const Tensor x = one_singular();
  EXPECT_TRUE(fails_with("[inv] expected invertible matrices, but matrix [1, 0] of x is singular: its pivot 1 is 0",
                         [&] { linalg::inv(x); }));
  EXPECT_TRUE(fails_with("[solve] expected invertible matrices, but matrix [1, 0] of a is singular",
                         [&] { linalg::solve(x, zeros({3})); }));
  EXPECT_TRUE(fails_with("matrix [1, 0] of a is singular", [&] { linalg::lu_factor(x); }));
  EXPECT_TRUE(fails_with("matrix [1, 0] of a is singular: element 0 of its diagonal is 0",
                         [&] { linalg::solve_triangular(x, zeros({3}), true); }));
  EXPECT_TRUE(fails_with("the matrix of x is singular", [&] { linalg::inv(zeros({2, 2})); }));
  EXPECT_TRUE(
      fails_with("[cholesky] expected positive definite matrices, but matrix [1, 0] of x is not: its leading minor "
                 "of order 1 is not positive",
                 [&] { linalg::cholesky(x); }));
  EXPECT_TRUE(numerical([](const Tensor& a) { linalg::cholesky(a); }, x));
}

TEST(LinalgErrors, NameShapes) {
  for (const Function& f : of_square()) {
    EXPECT_TRUE(fails_with("square matrices, got shape [2, 3, 4]", [&] { f(zeros({2, 3, 4})); }));
    EXPECT_FALSE(numerical(f, zeros({2, 3, 4})));
  }
  for (const auto* const functions : {&all(), &of_square()}) {
    for (const Function& f : *functions) {
      EXPECT_TRUE(fails_with("expected", [&] { f(zeros({3})); }));
      EXPECT_TRUE(fails_with("expected", [&] { f(Tensor()); }));
    }
  }
  EXPECT_TRUE(fails_with("b to have 3 rows", [] { linalg::solve(zeros({3, 3}), zeros({4})); }));
  EXPECT_TRUE(fails_with("b to have 3 rows", [] { linalg::lstsq(zeros({3, 2}), zeros({2, 1})); }));
  EXPECT_TRUE(fails_with("expected", [] { linalg::solve(zeros({2, 3, 3}), zeros({5, 3, 1})); }));
  EXPECT_TRUE(fails_with("[cross] expected 3 elements", [] { linalg::cross(zeros({2}), zeros({2})); }));
  EXPECT_TRUE(fails_with("[cross] expected an axis", [] { linalg::cross(zeros({3}), zeros({3}), 0); }));
  EXPECT_TRUE(fails_with("rtol to broadcast to [2]", [] { linalg::pinv(zeros({2, 3, 3}), zeros({2, 1})); }));
  EXPECT_TRUE(fails_with("maximum or minimum",
                         [] { linalg::vector_norm(zeros({0}), std::numeric_limits<double>::infinity()); }));
  EXPECT_TRUE(fails_with("expected ord to be fro", [] { linalg::matrix_norm_from_name("frobenius"); }));
  EXPECT_TRUE(fails_with("pivots in [0, 3)", [] {
    linalg::lu_solve({zeros({3, 3}), Tensor::from<int32_t>({0, 1, 3}, {3}, cpu())}, zeros({3}));
  }));
}

}  // namespace
}  // namespace tern
