// SPDX-License-Identifier: Apache-2.0
// Batches, strides, dtypes, empty matrices, threads: a matrix of a batch gives what it gives alone.
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "linalg/linalg_device.h"
#include "linalg/residuals.h"
#include "support/fails_with.h"

namespace tern {
namespace {

using namespace testing;
using linalg::MatrixNorm;

const Device& cpu() {
  static const Device device = linalg_device();
  return device;
}

struct Function {
  const char* name;
  std::function<std::vector<Tensor>(const Tensor&)> of;
};

// Positive definite matrices suit all of them.
const std::vector<Function>& square_functions() {
  static const std::vector<Function> functions = {
      {"lu",
       [](const Tensor& x) {
         const auto f = linalg::lu(x);
         return std::vector{f.p, f.l, f.u};
       }},
      {"cholesky",
       [](const Tensor& x) {
         return std::vector{linalg::cholesky(x), linalg::cholesky(x, true)};
       }},
      {"qr",
       [](const Tensor& x) {
         const auto f = linalg::qr(x);
         return std::vector{f.q, f.r};
       }},
      {"svd",
       [](const Tensor& x) {
         const auto f = linalg::svd(x);
         return std::vector{f.u, f.s, f.vh};
       }},
      {"svdvals", [](const Tensor& x) { return std::vector{linalg::svdvals(x)}; }},
      {"eigh",
       [](const Tensor& x) {
         const auto f = linalg::eigh(x);
         return std::vector{f.values, f.vectors};
       }},
      {"eigvalsh", [](const Tensor& x) { return std::vector{linalg::eigvalsh(x)}; }},
      {"eig",
       [](const Tensor& x) {
         const auto f = linalg::eig(x);
         return std::vector{f.values, f.vectors};
       }},
      {"eigvals", [](const Tensor& x) { return std::vector{linalg::eigvals(x)}; }},
      {"solve", [](const Tensor& x) { return std::vector{linalg::solve(x, x)}; }},
      {"lu_solve", [](const Tensor& x) { return std::vector{linalg::lu_solve(linalg::lu_factor(x), x)}; }},
      {"inv", [](const Tensor& x) { return std::vector{linalg::inv(x)}; }},
      {"pinv",
       [](const Tensor& x) {
         return std::vector{linalg::pinv(x), linalg::pinv(x, std::nullopt, true)};
       }},
      {"det", [](const Tensor& x) { return std::vector{linalg::det(x)}; }},
      {"slogdet",
       [](const Tensor& x) {
         const auto f = linalg::slogdet(x);
         return std::vector{f.sign, f.logabsdet};
       }},
      {"matrix_rank", [](const Tensor& x) { return std::vector{linalg::matrix_rank(x)}; }},
      {"matrix_norm",
       [](const Tensor& x) {
         return std::vector{linalg::matrix_norm(x), linalg::matrix_norm(x, MatrixNorm::nuc)};
       }},
      {"matrix_power",
       [](const Tensor& x) {
         return std::vector{linalg::matrix_power(x, 3), linalg::matrix_power(x, -2)};
       }},
      {"expm", [](const Tensor& x) { return std::vector{linalg::expm(x)}; }},
  };
  return functions;
}

// [2, 3, n, n] of positive definite matrices.
template <class T>
Tensor positive_batch(int64_t n, const Device& device) {
  std::vector<Tensor> all;
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    const HostMatrix x = random_matrix(n, n + 3, seed, is_complex_number<T>);
    HostMatrix gram = hermitian_part(x * x.adjoint());
    for (int64_t i = 0; i < n; ++i) gram(i, i) += 1;
    all.push_back(unsqueeze(to_tensor<T>(gram, device), 0));
  }
  return reshape(concat(all, 0), {2, 3, n, n});
}

std::vector<std::byte> bytes_of(const Tensor& x) {
  std::vector<std::byte> out(static_cast<size_t>(x.numel()) * size_of(x.dtype()));
  x.copy_to_host(out);
  return out;
}

template <class T>
class Batches : public ::testing::Test {};
using Numbers = ::testing::Types<float, double, std::complex<float>, std::complex<double>>;
TYPED_TEST_SUITE(Batches, Numbers);

TYPED_TEST(Batches, HoldWhatTheirMatricesGiveAlone) {
  for (const int64_t n : {1, 5, 17}) {
    const Tensor x = positive_batch<TypeParam>(n, cpu());
    for (const Function& f : square_functions()) {
      const std::vector<Tensor> together = f.of(x);
      for (int64_t i = 0; i < 6; ++i) {
        const std::vector<Tensor> alone = f.of(select(select(x, 0, i / 3), 0, i % 3));
        for (size_t k = 0; k < alone.size(); ++k) {
          EXPECT_TRUE(together[k].is_contiguous()) << f.name;
          EXPECT_EQ(bytes_of(select(select(together[k], 0, i / 3), 0, i % 3)), bytes_of(alone[k]))
              << f.name << " " << n;
        }
      }
    }
  }
}

TYPED_TEST(Batches, MayHaveAnyStrides) {
  const Tensor x = positive_batch<TypeParam>(6, cpu());
  const int order[] = {1, 3, 2, 0};
  // [3, 6, 6, 2] in memory, seen as [2, 3, 6, 6] with the matrices transposed; and backwards.
  const Tensor moved = clone(permute(x, order));
  const int back[] = {3, 0, 2, 1};
  const Tensor strided = permute(moved, back);
  ASSERT_FALSE(strided.is_contiguous());
  const Tensor backwards = slice(x, -1, -1, -100, -1), forwards = clone(backwards);
  const Tensor repeated = expand(select(x, 0, 1), {4, 3, 6, 6});
  for (const Function& f : square_functions()) {
    const std::vector<Tensor> expected = f.of(x), got = f.of(strided);
    for (size_t k = 0; k < got.size(); ++k) EXPECT_EQ(bytes_of(got[k]), bytes_of(expected[k])) << f.name;
    const std::vector<Tensor> many = f.of(repeated);
    for (size_t k = 0; k < many.size(); ++k) {
      EXPECT_EQ(bytes_of(select(many[k], 0, 3)), bytes_of(select(expected[k], 0, 1))) << f.name;
    }
  }
  EXPECT_EQ(bytes_of(linalg::svdvals(backwards)), bytes_of(linalg::svdvals(forwards)));
}

TYPED_TEST(Batches, DoNotDependOnThreads) {
  const Device one = Device::open("cpu", {.threads = 1}), three = Device::open("cpu", {.threads = 3});
  const Tensor x = positive_batch<TypeParam>(33, one), y = positive_batch<TypeParam>(33, three);
  for (const Function& f : square_functions()) {
    const std::vector<Tensor> expected = f.of(x), got = f.of(y);
    for (size_t k = 0; k < got.size(); ++k) EXPECT_EQ(bytes_of(got[k]), bytes_of(expected[k])) << f.name;
  }
}

TYPED_TEST(Batches, MayBeEmpty) {
  constexpr DType kType = dtype_of<TypeParam>;
  for (const Shape& shape : {Shape{0, 4, 4}, Shape{0, 0}, Shape{3, 0, 0}, Shape{2, 0, 3, 3}}) {
    const Tensor x = Tensor::zeros(shape, kType, cpu());
    for (const Function& f : square_functions()) {
      for (const Tensor& y : f.of(x))
        EXPECT_EQ(y.shape().rank() > 0 ? y.shape()[0] : 0, shape.rank() > 2 ? shape[0] : 0) << f.name;
    }
  }
}

TYPED_TEST(Batches, OfEmptyMatricesAreWhatTheDefinitionSays) {
  constexpr DType kType = dtype_of<TypeParam>;
  const auto zeros = [](const Shape& shape) { return Tensor::zeros(shape, kType, cpu()); };
  EXPECT_EQ(linalg::det(zeros({2, 0, 0})).template to_vector<TypeParam>(), (std::vector<TypeParam>{1, 1}));
  EXPECT_EQ(linalg::slogdet(zeros({0, 0})).sign.template to_vector<TypeParam>(), (std::vector<TypeParam>{1}));
  EXPECT_EQ(linalg::matrix_norm(zeros({0, 3})).item(), 0);
  EXPECT_EQ(linalg::matrix_norm(zeros({0, 3}), MatrixNorm::nuc).item(), 0);
  EXPECT_EQ(linalg::vector_norm(zeros({0})).item(), 0);
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{0, 3}, {3, 0}, {0, 0}}) {
    const Tensor x = zeros({2, m, n});
    const linalg::Svd full = linalg::svd(x), thin = linalg::svd(x, false);
    EXPECT_EQ(full.u.shape(), (Shape{2, m, m}));
    EXPECT_EQ(full.vh.shape(), (Shape{2, n, n}));
    EXPECT_EQ(thin.u.shape(), (Shape{2, m, 0}));
    EXPECT_EQ(thin.s.shape(), (Shape{2, 0}));
    EXPECT_EQ(orthogonality<TypeParam>(host_of<TypeParam>(full.u, 1)), 0);
    EXPECT_EQ(orthogonality<TypeParam>(host_of<TypeParam>(full.vh, 1)), 0);
    const linalg::Qr complete = linalg::qr(x, linalg::QrMode::complete), reduced = linalg::qr(x);
    EXPECT_EQ(complete.q.shape(), (Shape{2, m, m}));
    EXPECT_EQ(complete.r.shape(), (Shape{2, m, n}));
    EXPECT_EQ(orthogonality<TypeParam>(host_of<TypeParam>(complete.q, 1)), 0);
    EXPECT_EQ(reduced.q.shape(), (Shape{2, m, 0}));
    EXPECT_EQ(linalg::pinv(x).shape(), (Shape{2, n, m}));
    EXPECT_EQ(linalg::lu(x).p.shape(), (Shape{2, m, m}));
    const linalg::LeastSquares fit = linalg::lstsq(x, zeros({2, m, 4}));
    EXPECT_EQ(fit.solution.shape(), (Shape{2, n, 4}));
    EXPECT_EQ(fit.rank.template to_vector<int64_t>(), (std::vector<int64_t>{0, 0}));
  }
  EXPECT_EQ(linalg::solve(zeros({0, 0}), zeros({0, 5})).shape(), (Shape{0, 5}));
  EXPECT_EQ(linalg::solve(linalg::matrix_power(zeros({3, 3}), 0), zeros({3, 0})).shape(), (Shape{3, 0}));
}

// b of rank 1 is a vector for every matrix; otherwise leading axes broadcast.
TYPED_TEST(Batches, OfRightHandSidesFollowTheStandard) {
  const Tensor a = positive_batch<TypeParam>(4, cpu());
  const Tensor vector = to_tensor<TypeParam>(random_matrix(1, 4, 9, is_complex_number<TypeParam>), cpu());
  const Tensor b = select(vector, 0, 0);
  const Tensor x = linalg::solve(a, b);
  ASSERT_EQ(x.shape(), (Shape{2, 3, 4}));
  const Tensor column = unsqueeze(b, -1);
  EXPECT_EQ(bytes_of(linalg::solve(a, column)), bytes_of(x));
  const Tensor many = expand(column, {5, 1, 3, 4, 1});
  const Tensor wide = linalg::solve(a, many);
  ASSERT_EQ(wide.shape(), (Shape{5, 2, 3, 4, 1}));
  EXPECT_EQ(bytes_of(select(wide, 0, 4)), bytes_of(x));
  // One matrix for many right-hand sides.
  const Tensor one = select(select(a, 0, 1), 0, 2);
  EXPECT_EQ(linalg::solve(one, expand(column, {7, 4, 1})).shape(), (Shape{7, 4, 1}));
  EXPECT_EQ(linalg::lstsq(a, b).solution.shape(), (Shape{2, 3, 4}));
  EXPECT_EQ(linalg::lstsq(a, b).residuals.shape(), (Shape{2, 3}));
}

TEST(LinalgDtypes, PromoteToWhatIsComputed) {
  const Tensor integers = Tensor::from<int32_t>({2, 1, 1, 3}, {2, 2}, cpu());
  EXPECT_EQ(linalg::inv(integers).dtype(), DType::f32);
  EXPECT_EQ(linalg::det(integers).item(), 5);
  for (const DType dtype : {DType::i8, DType::u64, DType::f16, DType::bf16}) {
    EXPECT_EQ(linalg::det(cast(integers, dtype)).item(), 5) << name_of(dtype);
  }
  EXPECT_EQ(linalg::eigvals(integers).dtype(), DType::c64);
  EXPECT_EQ(linalg::eigvals(cast(integers, DType::f64)).dtype(), DType::c128);
  EXPECT_EQ(linalg::svdvals(cast(integers, DType::c128)).dtype(), DType::f64);
  EXPECT_EQ(linalg::solve(cast(integers, DType::c64), cast(integers, DType::f64)).dtype(), DType::c128);
}

// A large matrix takes OpenBLAS's threads; a child of fork() starts its own.
TEST(LinalgThreads, AreThereInAForkedChild) {
  const Device device = Device::open("cpu", {.threads = 2});
  const Tensor x = to_tensor<double>(random_matrix(300, 300, 5, false), device);
  const std::vector<std::byte> expected = bytes_of(linalg::inv(x));
  const pid_t child = ::fork();
  if (child == 0) {
    const bool same = bytes_of(linalg::inv(x)) == expected;
    ::_exit(same ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(bytes_of(linalg::inv(x)), expected);
}

TEST(LinalgLibrary, NamesItsCore) {
  EXPECT_FALSE(linalg::library().core.empty());
  EXPECT_NE(linalg::library().configuration.find("OpenBLAS"), std::string::npos);
}

}  // namespace
}  // namespace tern
