// SPDX-License-Identifier: Apache-2.0
// Equations, inverses and factors by LU on a device.
#include <complex>
#include <limits>
#include <numeric>

#include "linalg/device_routines.h"
#include "linalg/on_device.h"
#include "linalg/products.h"
#include "ops/copy.h"
#include "tern/creation.h"
#include "tern/elementwise.h"
#include "tern/ops.h"

namespace tern::linalg::on_device {
namespace {

struct Factors {
  Tensor lu;      // where the matrices were
  Tensor pivots;  // i64 [count, min(m, n)], from 1
  Tensor info;
};

// Factors in place the matrices that lie in column-major order in `work` [..., columns, rows]; they are those of x, or
// their transposes.
Factors factored(const char* op, const Input& x, const Tensor& work) {
  check_all_finite(op, x, work);
  const Matrices lying(work.shape());
  Factors out = {work, Tensor::empty({lying.count, lying.smaller()}, DType::i64, work.device()), no_info(lying, work)};
  if (work.numel() > 0) {
    call(work, &LinalgKernels::factor_lu,
         {.dtype = work.dtype(),
          .count = lying.count,
          .m = lying.columns,
          .n = lying.rows,
          .a = work.raw(),
          .pivots = out.pivots.data<int64_t>(),
          .info = out.info.data<int32_t>()});
  }
  return out;
}

void check_invertible(const char* op, const Input& x, const Factors& factors) {
  const auto failed = first_failed(factors.info);
  if (!failed) return;
  fail_numerically(op, "invertible matrices", x, failed->index,
                   fmt::format("is singular: its pivot {} is 0", failed->info));
}

// b broadcast to `batch`, in column-major order.
Tensor right_sides(const Tensor& b, DType dtype, const Shape& batch) {
  const Tensor x = column_major(expand(b, with_axes(batch, {b.size(-2), b.size(-1)})), dtype);
  check_all_finite("solve", {"b", b}, x);
  return x;
}

// op(a)⁻¹·b from the factors of a of batch a_batch; x as right_sides() made it, lost.
Tensor solved(const Factors& factors, const Shape& a_batch, char op, const Tensor& x, const Shape& batch) {
  const std::vector<int64_t> matrix_of = broadcast_indices(a_batch, batch);
  if (x.numel() > 0) {
    call(x, &LinalgKernels::solve_lu,
         {.dtype = x.dtype(),
          .count = batch.numel(),
          .n = x.size(-1),
          .columns = x.size(-2),
          .op = op,
          .lu = factors.lu.raw(),
          .pivots = factors.pivots.data<int64_t>(),
          .matrix_of = matrix_of.data(),
          .b = x.raw()});
  }
  return from_column_major(x);
}

// The rows of a permutation's matrix from exchanges, `count` of them for each matrix of m rows: order[i] is where the 1
// of column i is.
std::vector<int64_t> orders(const std::vector<int64_t>& pivots, int64_t matrices, int64_t m, int64_t count) {
  std::vector<int64_t> out(static_cast<size_t>(matrices * m));
  for (int64_t index = 0; index < matrices; ++index) {
    const auto order = out.begin() + index * m;
    std::iota(order, order + m, 0);
    for (int64_t i = 0; i < count; ++i) std::swap(order[i], order[pivots[static_cast<size_t>(index * count + i)] - 1]);
  }
  return out;
}

}  // namespace

Tensor solve(const Tensor& a, const Tensor& b, const Shape& batch) {
  // Row-major a is aᵀ to the routine, so its factors solve a·x = b when they are asked for the transposed system.
  const Factors factors = factored("solve", {"a", a}, row_major(a, a.dtype()));
  check_invertible("solve", {"a", a}, factors);
  return solved(factors, leading(a.shape(), 2), 'T', right_sides(b, a.dtype(), batch), batch);
}

Tensor solve_triangular(const Tensor& a, const Tensor& b, const Shape& batch, bool upper) {
  const Tensor rows = row_major(a, a.dtype()), x = right_sides(b, a.dtype(), batch);
  const std::vector<int64_t> matrix_of = broadcast_indices(leading(a.shape(), 2), batch);
  if (x.numel() > 0) {
    call(x, &LinalgKernels::solve_triangle,
         {.dtype = x.dtype(),
          .count = batch.numel(),
          .n = x.size(-1),
          .columns = x.size(-2),
          .triangle = upper ? 'L' : 'U',
          .op = 'T',
          .a = rows.raw(),
          .matrix_of = matrix_of.data(),
          .b = x.raw()});
  }
  return from_column_major(x);
}

LuFactors lu_factor(const Tensor& x) {
  const Factors factors = factored("lu_factor", {"x", x}, column_major(x, x.dtype()));
  check_invertible("lu_factor", {"a", x}, factors);
  const Tensor from_zero = sub(factors.pivots, Tensor::full({}, 1, DType::i64, x.device()));
  return {from_column_major(factors.lu), reshape(cast(from_zero, DType::i32), leading(x.shape(), 1))};
}

Tensor lu_solve(const Tensor& lu, const std::vector<int32_t>& pivots, const Tensor& b, const Shape& batch) {
  const std::vector<int64_t> wide(pivots.begin(), pivots.end());
  const Factors factors = {
      column_major(lu, lu.dtype()), Tensor::from(wide, {static_cast<int64_t>(wide.size())}, lu.device()), {}};
  return solved(factors, leading(lu.shape(), 2), 'N', right_sides(b, lu.dtype(), batch), batch);
}

Lu lu(const Tensor& x) {
  const Matrices of(x.shape());
  const Factors factors = factored("lu", {"x", x}, column_major(x, x.dtype()));
  const Tensor both = from_column_major(factors.lu);
  const int64_t m = of.rows, k = of.smaller();
  const std::vector<int64_t> order = orders(factors.pivots.to_vector<int64_t>(), of.count, m, k);
  const Tensor columns = Tensor::from(order, with_axes(of.batch, {1, m}), x.device());
  const Tensor rows = reshape(Tensor::arange(m, DType::i64, x.device()), {m, 1});
  const Tensor l = add(tril(slice(both, -1, 0, k), -1), eye(m, k, 0, x.dtype(), x.device()));
  return {cast(equal(rows, columns), x.dtype()), l, triu(slice(both, -2, 0, k))};
}

Tensor inverses(const char* op, const Tensor& x, bool allows_singular) {
  const Factors factors = factored(op, {"x", x}, row_major(x, x.dtype()));
  if (!allows_singular) check_invertible(op, {"x", x}, factors);
  // The inverse of the transpose in column-major order is the inverse in row-major order.
  const Shape batch = leading(x.shape(), 2);
  const Tensor y = transpose(solved(factors, batch, 'N', identity(batch, x.size(-1), x.dtype(), x.device()), batch));
  if (!allows_singular) return contiguous(y);
  const Tensor infinity = Tensor::full({}, std::numeric_limits<double>::infinity(), x.dtype(), x.device());
  const Tensor good = equal(factors.info, Tensor::zeros({}, DType::i32, x.device()));
  return where(per_matrix(reshape(good, batch)), y, infinity);
}

template <class T>
Pivots<T> pivots_of(const char* op, const Tensor& x) {
  const Factors factors = factored(op, {"x", x}, row_major(x, x.dtype()));
  return {dense(diagonal(factors.lu)).to_vector<T>(), factors.pivots.to_vector<int64_t>()};
}

template Pivots<float> pivots_of(const char*, const Tensor&);
template Pivots<double> pivots_of(const char*, const Tensor&);
template Pivots<std::complex<float>> pivots_of(const char*, const Tensor&);
template Pivots<std::complex<double>> pivots_of(const char*, const Tensor&);

}  // namespace tern::linalg::on_device
