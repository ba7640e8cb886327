// SPDX-License-Identifier: Apache-2.0
// LU, Cholesky and QR.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "linalg/inputs.h"
#include "linalg/masks.h"
#include "linalg/matrices.h"
#include "linalg/on_device.h"
#include "linalg/routines.h"
#include "ops/gradients.h"
#include "tern/linalg.h"
#include "tern/ops.h"

namespace tern::linalg {
namespace {

double cubic(int64_t a, int64_t b, int64_t c) {
  return static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(c);
}

// p, l and u in row-major order from what getrf left of an m × n matrix in column-major order.
template <class T>
void unpack_lu(const T* factors, const Integer* pivots, int m, int n, T* p, T* l, T* u, std::vector<int>& order) {
  const int k = std::min(m, n);
  order.resize(static_cast<size_t>(m));
  std::iota(order.begin(), order.end(), 0);
  for (int i = 0; i < k; ++i) std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(pivots[i] - 1)]);
  std::fill_n(p, int64_t{m} * m, T(0));
  for (int i = 0; i < m; ++i) p[int64_t{order[static_cast<size_t>(i)]} * m + i] = T(1);
  for (int i = 0; i < m; ++i) {
    for (int j = 0; j < k; ++j) l[int64_t{i} * k + j] = i > j ? factors[int64_t{j} * m + i] : T(i == j);
  }
  for (int i = 0; i < k; ++i) {
    for (int j = 0; j < n; ++j) u[int64_t{i} * n + j] = i <= j ? factors[int64_t{j} * m + i] : T(0);
  }
}

template <class T>
T conjugate(const T& x) {
  if constexpr (is_complex_type<T>) {
    return std::conj(x);
  } else {
    return x;
  }
}

// The triangle above the diagonal becomes 0, or, for `upper`, the matrix its conjugate transpose.
template <class T>
void finish_cholesky(T* a, int64_t n, bool upper) {
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = i; j < n; ++j) {
      if (upper) a[i * n + j] = conjugate(a[j * n + i]);
      if (j > i) a[upper ? j * n + i : i * n + j] = T(0);
    }
  }
}

// Murray, "Differentiation of the Cholesky decomposition" (arXiv 1602.07527), section 3: with P = Φ(lᵀ·dl), which takes
// the lower triangle and half of the diagonal, dx = ½(S + Sᵀ) for S = l⁻ᵀ·P·l⁻¹.
Tensor cholesky_gradient(const Tensor& l, const Tensor& dl) {
  const Tensor lt = transpose(l);
  const Tensor p = mul(tern::matmul(lt, dl), lower_mask(l.size(-1), 0.5f, l.device()));
  const Tensor s = solve_triangular(lt, transpose(solve_triangular(lt, p, true)), true);
  return mul(add(s, transpose(s)), 0.5);
}

// Walter and Lehmann, "Algorithmic differentiation of linear algebra functions" (arXiv 1001.1654), and for wide
// matrices Liao et al. (arXiv 1903.09650), which agree for m >= n: with M = r·drᵀ - dqᵀ·q, dx = (dq +
// q·copyltu(M))·r⁻ᵀ, where copyltu copies the lower triangle to the upper one.
Tensor tall_qr_gradient(const Tensor& q, const Tensor& r, const Tensor& dq, const Tensor& dr) {
  const Tensor m = sub(tern::matmul(r, transpose(dr)), tern::matmul(transpose(dq), q));
  const Tensor lower = mul(m, lower_mask(m.size(-1), 1.0f, m.device()));
  const Tensor strictly_lower = mul(m, lower_mask(m.size(-1), 0.0f, m.device()));
  const Tensor right = add(dq, tern::matmul(q, add(lower, transpose(strictly_lower))));
  return transpose(solve_triangular(r, transpose(right), true));
}

// A wide x = [a b] has r = [u v], a = q·u and b = q·v: b's gradient is q·dv, and it adds b·dvᵀ to that of q.
Tensor qr_gradient(const Tensor& x, const Tensor& q, const Tensor& r, const Tensor& dq, const Tensor& dr) {
  const int64_t m = x.size(-2), n = x.size(-1);
  if (m >= n) return tall_qr_gradient(q, r, dq, dr);
  const Tensor b = slice(x, -1, m, n), dv = slice(dr, -1, m, n);
  const Tensor da =
      tall_qr_gradient(q, slice(r, -1, 0, m), add(dq, tern::matmul(b, transpose(dv))), slice(dr, -1, 0, m));
  return concat(std::vector<Tensor>{da, tern::matmul(q, dv)}, -1);
}

void record_qr(const Tensor& x, const Qr& out) {
  if (!needs_grad(x)) return;
  record(out.q, "qr", {x}, [x = saved(x), q = saved(out.q), r = saved(out.r)](const Tensor& dq) {
    return Gradients{qr_gradient(x, q, r, dq, Tensor::zeros(r.shape(), DType::f32, r.device()))};
  });
  record(out.r, "qr", {x}, [x = saved(x), q = saved(out.q), r = saved(out.r)](const Tensor& dr) {
    return Gradients{qr_gradient(x, q, r, Tensor::zeros(q.shape(), DType::f32, q.device()), dr)};
  });
}

// A row-major x is its transpose to LAPACK, whose LQ factors transposed are those wanted: xᵀ = l·q is x = qᵀ·lᵀ, and
// what LAPACK leaves in column-major order is lᵀ and qᵀ in row-major order.
template <class T>
void qr_of(const Tensor& from, const Tensor& work, const Tensor& q, const Tensor& r) {
  const Matrices of(from.shape());
  const int m = of.rows, n = of.columns, k = of.smaller();
  const int q_columns = q.defined() ? static_cast<int>(q.size(-1)) : 0;
  const auto r_rows = static_cast<int>(r.size(-2));
  for_matrices(from.device(), of.count, 4 * cubic(m, n, k), [&](int64_t begin, int64_t end) {
    LqFactorization<T> factorization(n, m, q_columns);
    for (int64_t index = begin; index < end; ++index) {
      T* const a = work.data<T>() + index * of.size();
      check_finite("qr", {"x", from}, a, of.size(), index);
      factorization.factor(a);
      if (q.defined()) {
        T* const to = q.data<T>() + index * m * q_columns;
        for (int i = 0; i < m; ++i) {
          std::copy_n(a + int64_t{i} * n, k, to + int64_t{i} * q_columns);
        }
        factorization.make_q(to);
      }
      T* const upper = r.data<T>() + index * r_rows * n;
      for (int i = 0; i < r_rows; ++i) {
        T* const row = upper + int64_t{i} * n;
        const int zeros = std::min(i, n);
        std::fill_n(row, zeros, T(0));
        std::copy(a + int64_t{i} * n + zeros, a + int64_t{i + 1} * n, row + zeros);
      }
    }
  });
}

Qr qr_by_lapack(const Tensor& x, QrMode mode) {
  const Matrices of(x.shape());
  const int m = of.rows, n = of.columns;
  const int64_t middle = mode == QrMode::complete ? m : of.smaller();
  const Tensor work = row_major(x, x.dtype());
  Qr out;
  if (mode != QrMode::r) out.q = Tensor::empty(with_axes(of.batch, {m, middle}), x.dtype(), x.device());
  out.r = Tensor::empty(with_axes(of.batch, {middle, n}), x.dtype(), x.device());
  for_element_type(x.dtype(), [&]<class T>() { qr_of<T>(x, work, out.q, out.r); });
  return out;
}

Tensor cholesky_by_lapack(const Tensor& x, bool upper) {
  const Matrices of(x.shape());
  const Tensor l = row_major(x, x.dtype());
  for_element_type(x.dtype(), [&]<class T>() {
    for_matrices(x.device(), of.count, cubic(of.rows, of.rows, of.rows) / 3, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        T* const a = l.data<T>() + i * of.size();
        check_finite("cholesky", {"x", x}, a, of.size(), i);
        // Column-major u with uᴴ·u = xᵀ is row-major uᵀ with uᵀ·(uᵀ)ᴴ = x.
        const Integer failed = factor_cholesky('U', of.rows, a);
        if (failed != 0) {
          fail_numerically("cholesky", "positive definite matrices", {"x", x}, i,
                           fmt::format("is not: its leading minor of order {} is not positive", failed));
        }
        finish_cholesky(a, of.rows, upper);
      }
    });
  });
  return l;
}

}  // namespace

Lu lu(const Tensor& x) {
  check_matrices("lu", {"x", x});
  const DType dtype = computed_dtype(x.dtype());
  if (on_device::holds(x)) return on_device::lu(cast(x.detach(), dtype));
  const Matrices of(x.shape());
  const int m = of.rows, n = of.columns, k = of.smaller();
  const Tensor work = column_major(x, dtype);
  const Lu out = {Tensor::empty(with_axes(of.batch, {m, m}), dtype, x.device()),
                  Tensor::empty(with_axes(of.batch, {m, k}), dtype, x.device()),
                  Tensor::empty(with_axes(of.batch, {k, n}), dtype, x.device())};
  for_element_type(dtype, [&]<class T>() {
    for_matrices(x.device(), of.count, cubic(m, n, k), [&](int64_t begin, int64_t end) {
      std::vector<Integer> pivots(static_cast<size_t>(k));
      std::vector<int> order;
      for (int64_t i = begin; i < end; ++i) {
        T* const a = work.data<T>() + i * of.size();
        check_finite("lu", {"x", x}, a, of.size(), i);
        factor_lu(m, n, a, pivots.data());
        unpack_lu(a, pivots.data(), m, n, out.p.data<T>() + i * m * m, out.l.data<T>() + i * m * k,
                  out.u.data<T>() + i * k * n, order);
      }
    });
  });
  return out;
}

Tensor cholesky(const Tensor& given, bool upper) {
  check_square("cholesky", {"x", given});
  const Tensor x = promoted(given);
  const Tensor l = on_device::holds(x) ? on_device::cholesky(x.detach(), upper) : cholesky_by_lapack(x, upper);
  if (needs_grad(x)) {
    record(l, "cholesky", {x}, [factor = saved(l), upper](const Tensor& d) {
      return Gradients{upper ? cholesky_gradient(transpose(factor), transpose(d)) : cholesky_gradient(factor, d)};
    });
  }
  return l;
}

Qr qr(const Tensor& given, QrMode mode) {
  check_matrices("qr", {"x", given});
  const Tensor x = promoted(given);
  const Qr out = on_device::holds(x) ? on_device::qr(x.detach(), mode) : qr_by_lapack(x, mode);
  if (mode == QrMode::reduced) record_qr(x, out);
  return out;
}

}  // namespace tern::linalg
