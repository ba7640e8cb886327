// SPDX-License-Identifier: Apache-2.0
// Least squares by singular values.
#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include "linalg/inputs.h"
#include "linalg/matrices.h"
#include "linalg/on_device.h"
#include "linalg/routines.h"
#include "tern/linalg.h"
#include "tern/ops.h"

namespace tern::linalg {
namespace {

template <class T>
Real<T> square_of_modulus(const T& x) {
  if constexpr (is_complex_type<T>) {
    return x.real() * x.real() + x.imag() * x.imag();
  } else {
    return x * x;
  }
}

// One system after the other. a m × n, b m × columns.
template <class T>
class System {
 public:
  System(int m, int n, int columns, double rtol)
      : m_(m),
        n_(n),
        columns_(columns),
        solver_(m, n, columns, static_cast<Real<T>>(rtol)),
        a_(static_cast<size_t>(m) * static_cast<size_t>(n)),
        b_(static_cast<size_t>(std::max(m, n)) * static_cast<size_t>(columns)) {}

  // x [n, columns] in column-major order, as a and b; `residual` is memory of b's size.
  Integer solve(const T* a, const T* b, T* x, Real<T>* s, Integer* rank) {
    std::copy(a, a + a_.size(), a_.begin());
    const int64_t ldb = std::max(m_, n_);
    for (int64_t j = 0; j < columns_; ++j) {
      std::copy_n(b + j * m_, m_, b_.data() + j * ldb);
      std::fill(b_.data() + j * ldb + m_, b_.data() + (j + 1) * ldb, T(0));
    }
    const Integer info = std::min(m_, n_) == 0 ? nothing(rank) : solver_(a_.data(), b_.data(), s, rank);
    for (int64_t j = 0; j < columns_; ++j) std::copy_n(b_.data() + j * ldb, n_, x + j * n_);
    return info;
  }

  // Sums of squares of the columns of b - a·x; b is overwritten.
  void residuals(const T* a, T* b, const T* x, Real<T>* to) const {
    multiply('N', 'N', m_, columns_, n_, a, x, b, T(-1), true);
    for (int64_t j = 0; j < columns_; ++j) {
      Real<T> sum = 0;
      for (int64_t i = 0; i < m_; ++i) sum += square_of_modulus(b[j * m_ + i]);
      to[j] = sum;
    }
  }

 private:
  Integer nothing(Integer* rank) {
    *rank = 0;
    std::ranges::fill(b_, T(0));
    return 0;
  }

  int m_, n_, columns_;
  LeastSquaresSolver<T> solver_;
  std::vector<T> a_, b_;
};

LeastSquares of_matrices(const Tensor& a, const Tensor& b, std::optional<double> rtol) {
  const Matrices left(a.shape());
  const int m = left.rows, n = left.columns;
  const int64_t columns = b.size(-1);
  const Shape batch = broadcast_shapes("lstsq", left.batch, leading(b.shape(), 2));
  const DType dtype = a.dtype(), real = real_dtype(dtype);
  const double epsilon =
      is_double(dtype) ? std::numeric_limits<double>::epsilon() : double{std::numeric_limits<float>::epsilon()};
  const double least = rtol.value_or(epsilon * left.larger());
  if (on_device::holds(a)) return on_device::lstsq(a.detach(), b.detach(), batch, least);
  const Tensor as = column_major(expand(a.detach(), with_axes(batch, {m, n})), dtype);
  const Tensor bs = column_major(expand(b.detach(), with_axes(batch, {m, columns})), dtype);
  const Tensor xs = Tensor::empty(with_axes(batch, {columns, n}), dtype, a.device());
  LeastSquares out;
  out.residuals = Tensor::empty(with_axes(batch, {columns}), real, a.device());
  out.rank = Tensor::empty(batch, DType::i64, a.device());
  out.singular_values = Tensor::empty(with_axes(batch, {left.smaller()}), real, a.device());
  const double work = 12.0 * left.larger() * left.smaller() * left.smaller();
  for_element_type(dtype, [&]<class T>() {
    using R = Real<T>;
    for_matrices(a.device(), batch.numel(), work, [&](int64_t begin, int64_t end) {
      System<T> system(m, n, static_cast<int>(columns), least);
      for (int64_t i = begin; i < end; ++i) {
        const T* const ai = as.data<T>() + i * left.size();
        T* const bi = bs.data<T>() + i * m * columns;
        T* const xi = xs.data<T>() + i * n * columns;
        check_finite("lstsq", {"a", as}, ai, left.size(), i);
        check_finite("lstsq", {"b", bs}, bi, m * columns, i);
        Integer rank = 0;
        if (system.solve(ai, bi, xi, out.singular_values.data<R>() + i * left.smaller(), &rank) != 0) {
          fail_numerically("lstsq", "convergence", {"a", as}, i, "needs more steps than LAPACK takes");
        }
        out.rank.data<int64_t>()[i] = rank;
        system.residuals(ai, bi, xi, out.residuals.data<R>() + i * columns);
      }
    });
  });
  out.solution = from_column_major(xs);
  return out;
}

}  // namespace

LeastSquares lstsq(const Tensor& a, const Tensor& b, std::optional<double> rtol) {
  check_matrices("lstsq", {"a", a});
  check_vectors("lstsq", {"b", b});
  check_inputs("lstsq", {{"a", a}, {"b", b}});
  const int64_t rows = b.rank() == 1 ? b.size(0) : b.size(-2);
  check(rows == a.size(-2), "lstsq", "expected b to have {} rows, as a of shape {} has, got shape {}", a.size(-2),
        a.shape(), b.shape());
  check(!rtol || *rtol >= 0, "lstsq", "expected rtol of 0 or more, got {}", rtol.value_or(0));
  const DType dtype = computed_dtype(a.dtype(), b.dtype());
  const Tensor left = cast(a.detach(), dtype), right = cast(b.detach(), dtype);
  if (b.rank() > 1) return of_matrices(left, right, rtol);
  LeastSquares out = of_matrices(left, unsqueeze(right, -1), rtol);
  out.solution = squeeze(out.solution, -1);
  out.residuals = squeeze(out.residuals, -1);
  return out;
}

}  // namespace tern::linalg
