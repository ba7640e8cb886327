// SPDX-License-Identifier: Apache-2.0
// Singular values, eigenvalues and least squares on a device.
#include <complex>

#include "linalg/device_routines.h"
#include "linalg/on_device.h"
#include "linalg/products.h"
#include "linalg/singular_weights.h"
#include "tern/elementwise.h"
#include "tern/ops.h"

namespace tern::linalg::on_device {
namespace {

void check_converged(const char* op, const Input& x, const Tensor& info) {
  const auto failed = first_failed(info);
  if (failed) fail_numerically(op, "convergence", x, failed->index, "needs more steps than cuSOLVER takes");
}

}  // namespace

Svd svd(const char* op, const Tensor& x, char job) {
  // The routine takes tall matrices; a wide one is handed over as it lies, which is its transpose to the routine:
  // xᵀ = u'·diag(s)·v'ᴴ is x = conj(v')·diag(s)·u'ᵀ, and u' and v'ᴴ in column-major order are u'ᵀ = vh and
  // conj(v') = u in row-major order.
  const Matrices of(x.shape());
  const bool wide = of.rows < of.columns;
  const Tensor work = wide ? row_major(x, x.dtype()) : column_major(x, x.dtype());
  check_all_finite(op, {"x", x}, work);
  const int64_t m = of.larger(), n = of.smaller(), left_columns = job == 'A' ? m : n;
  const auto vectors = [&](int64_t columns, int64_t rows) {
    if (job == 'N') return Tensor();
    return Tensor::empty(with_axes(of.batch, {columns, rows}), x.dtype(), x.device());
  };
  const Tensor left = vectors(left_columns, m), right = vectors(n, n), info = no_info(of, x);
  const Tensor s = Tensor::empty(with_axes(of.batch, {n}), linalg::real_dtype(x.dtype()), x.device());
  if (x.numel() > 0) {
    call(x, &LinalgKernels::singular_values,
         {.dtype = x.dtype(),
          .count = of.count,
          .m = m,
          .n = n,
          .job = job,
          .a = work.raw(),
          .s = s.raw(),
          .u = job == 'N' ? nullptr : left.raw(),
          .vh = job == 'N' ? nullptr : right.raw(),
          .info = info.data<int32_t>()});
  }
  check_converged(op, {"x", x}, info);
  if (job == 'N') return {{}, s, {}};
  return wide ? Svd{right, s, left} : Svd{from_column_major(left), s, from_column_major(right)};
}

Eigen eigh(const char* op, const Tensor& x, bool vectors) {
  const Matrices of(x.shape());
  const Tensor work = column_major(x, x.dtype()), info = no_info(of, x);
  check_all_finite(op, {"x", x}, work);
  const Tensor values = Tensor::empty(leading(x.shape(), 1), linalg::real_dtype(x.dtype()), x.device());
  if (x.numel() > 0) {
    call(x, &LinalgKernels::hermitian_eigen,
         {.dtype = x.dtype(),
          .count = of.count,
          .n = of.rows,
          .vectors = vectors,
          .a = work.raw(),
          .values = values.raw(),
          .info = info.data<int32_t>()});
  }
  check_converged(op, {"x", x}, info);
  return {values, vectors ? from_column_major(work) : Tensor()};
}

template <class T>
PackedEigen<T> eig(const char* op, const Tensor& x, bool vectors) {
  const Matrices of(x.shape());
  const Tensor work = column_major(x, x.dtype()), info = no_info(of, x);
  check_all_finite(op, {"x", x}, work);
  const int64_t parts = is_complex_type<T> ? 1 : 2;
  const Tensor values = Tensor::empty({of.count, parts, of.rows}, x.dtype(), x.device());
  const Tensor packed = vectors ? Tensor::empty(x.shape(), x.dtype(), x.device()) : Tensor();
  if (x.numel() > 0) {
    call(x, &LinalgKernels::general_eigen,
         {.dtype = x.dtype(),
          .count = of.count,
          .n = of.rows,
          .a = work.raw(),
          .values = values.raw(),
          .vectors = vectors ? packed.raw() : nullptr,
          .info = info.data<int32_t>()});
  }
  check_converged(op, {"x", x}, info);
  return {values.to_vector<T>(), vectors ? packed.to_vector<T>() : std::vector<T>()};
}

template PackedEigen<float> eig(const char*, const Tensor&, bool);
template PackedEigen<double> eig(const char*, const Tensor&, bool);
template PackedEigen<std::complex<float>> eig(const char*, const Tensor&, bool);
template PackedEigen<std::complex<double>> eig(const char*, const Tensor&, bool);

// By the singular values: x = v·diag(1/s)·uᴴ·b, of those above rtol times the largest.
LeastSquares lstsq(const Tensor& a, const Tensor& b, const Shape& batch, double rtol) {
  const Matrices of(a.shape());
  const int64_t m = of.rows, n = of.columns, k = of.smaller(), columns = b.size(-1);
  const Tensor as = row_major(expand(a, with_axes(batch, {m, n})), a.dtype());
  const Tensor bs = row_major(expand(b, with_axes(batch, {m, columns})), a.dtype());
  check_all_finite("lstsq", {"a", as}, as);
  check_all_finite("lstsq", {"b", bs}, bs);
  LeastSquares out;
  const DType real = linalg::real_dtype(a.dtype());
  if (k == 0) {
    out.singular_values = Tensor::empty(with_axes(batch, {0}), real, a.device());
    out.rank = Tensor::zeros(batch, DType::i64, a.device());
    out.solution = Tensor::zeros(with_axes(batch, {n, columns}), a.dtype(), a.device());
  } else {
    const Svd factors = svd("lstsq", as, 'S');
    const std::vector<double> limits(static_cast<size_t>(batch.numel()), rtol);
    const SingularWeights of_values = weigh(factors.s, limits);
    out.singular_values = factors.s;
    out.rank = of_values.rank;
    const Tensor coordinates = mul(product(adjoint(factors.u), bs), cast(unsqueeze(of_values.weights, -1), a.dtype()));
    out.solution = product(adjoint(factors.vh), coordinates);
  }
  const Tensor rest = sub(bs, product(as, out.solution)), moduli = abs(rest);
  constexpr int kRows[] = {-2};
  out.residuals = sum(mul(moduli, moduli), kRows);
  return out;
}

}  // namespace tern::linalg::on_device
