// SPDX-License-Identifier: Apache-2.0
// Singular values, and what is defined by them.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "linalg/gaps.h"
#include "linalg/inputs.h"
#include "linalg/inverse.h"
#include "linalg/matrices.h"
#include "linalg/on_device.h"
#include "linalg/products.h"
#include "linalg/routines.h"
#include "linalg/singular_weights.h"
#include "ops/copy.h"
#include "ops/gradients.h"
#include "tern/linalg.h"
#include "tern/ops.h"

namespace tern::linalg {
namespace {

double work_of(const Matrices& of, double factor) {
  return factor * of.larger() * static_cast<double>(of.smaller()) * static_cast<double>(of.smaller());
}

// A row-major x is its transpose to LAPACK: xᵀ = u'·diag(s)·v'ᴴ is x = conj(v')·diag(s)·u'ᵀ, and what LAPACK leaves in
// column-major order, u' and v'ᴴ, is u'ᵀ = vh and conj(v') = u in row-major order.
template <class T>
void svd_of(const char* op, const Tensor& x, char job, const Svd& out) {
  const Matrices of(x.shape());
  const int k = of.smaller();
  const Tensor work = row_major(x, x.dtype());
  const bool vectors = job != 'N';
  const int64_t u_size = vectors ? out.u.size(-2) * out.u.size(-1) : 0;
  const int64_t vh_size = vectors ? out.vh.size(-2) * out.vh.size(-1) : 0;
  for_matrices(x.device(), of.count, work_of(of, vectors ? 20 : 4), [&](int64_t begin, int64_t end) {
    SingularValues<T> singular(job, of.columns, of.rows);
    for (int64_t i = begin; i < end; ++i) {
      T* const a = work.data<T>() + i * of.size();
      check_finite(op, {"x", x}, a, of.size(), i);
      T* const u = vectors ? out.u.data<T>() + i * u_size : nullptr;
      T* const vh = vectors ? out.vh.data<T>() + i * vh_size : nullptr;
      if (singular(a, out.s.data<Real<T>>() + i * k, vh, u) != 0) {
        fail_numerically(op, "convergence", {"x", x}, i, "needs more steps than LAPACK takes");
      }
    }
  });
}

Tensor empty_values(const Tensor& x) {
  const Matrices of(x.shape());
  return Tensor::empty(with_axes(of.batch, {of.smaller()}), real_dtype(x.dtype()), x.device());
}

// Townsend, "Differentiating the singular value decomposition" (2016): with F_ij = 1 / (s_j² - s_i²),
//   of s   u·diag(ds)·vh
//   of u   u·(F ∘ (uᵀ·du - duᵀ·u))·diag(s)·vh + (1 - u·uᵀ)·du·diag(s)⁻¹·vh
//   of vh  u·diag(s)·(F ∘ (vᵀ·dv - dvᵀ·v))·vh + u·diag(s)⁻¹·dvᵀ·(1 - v·vᵀ)
Tensor values_gradient(const Tensor& u, const Tensor& vh, const Tensor& ds) {
  return tern::matmul(mul(u, unsqueeze(ds, -2)), vh);
}

Tensor without_span(const Tensor& u, const Tensor& d) { return sub(d, tern::matmul(u, tern::matmul(transpose(u), d))); }

Tensor antisymmetric(const Tensor& s, const Tensor& u, const Tensor& du) {
  const Tensor inner = tern::matmul(transpose(u), du);
  return mul(inverse_gaps(s, true), sub(inner, transpose(inner)));
}

Tensor left_gradient(const Svd& of, const Tensor& du) {
  const Tensor s = unsqueeze(of.s, -2);
  const Tensor inside = tern::matmul(of.u, mul(antisymmetric(of.s, of.u, du), s));
  return tern::matmul(add(inside, div(without_span(of.u, du), s)), of.vh);
}

Tensor right_gradient(const Svd& of, const Tensor& dvh) {
  const Tensor v = transpose(of.vh), dv = transpose(dvh), s = unsqueeze(of.s, -1);
  const Tensor inside = tern::matmul(mul(antisymmetric(of.s, v, dv), s), of.vh);
  return tern::matmul(of.u, add(inside, div(transpose(without_span(v, dv)), s)));
}

void record_svd(const Tensor& x, const Svd& out) {
  if (!needs_grad(x)) return;
  const Svd kept = {saved(out.u), saved(out.s), saved(out.vh)};
  record(out.u, "svd", {x}, [kept](const Tensor& du) { return Gradients{left_gradient(kept, du)}; });
  record(out.s, "svd", {x}, [kept](const Tensor& ds) { return Gradients{values_gradient(kept.u, kept.vh, ds)}; });
  record(out.vh, "svd", {x}, [kept](const Tensor& dvh) { return Gradients{right_gradient(kept, dvh)}; });
}

double epsilon_of(DType dtype) {
  return is_double(dtype) ? std::numeric_limits<double>::epsilon() : double{std::numeric_limits<float>::epsilon()};
}

double default_rtol(const Tensor& x) {
  return epsilon_of(computed_dtype(x.dtype())) * static_cast<double>(std::max(x.size(-2), x.size(-1)));
}

Tensor one_rtol(const Tensor& x, std::optional<double> rtol) {
  return Tensor::full({}, rtol.value_or(default_rtol(x)), DType::f64, x.device());
}

// A tolerance for each matrix of x.
std::vector<double> tolerances(const char* op, const Tensor& x, const Tensor& rtol) {
  check_inputs(op, {{"x", x}, {"rtol", rtol}});
  check(!is_complex(rtol.dtype()), op, "expected rtol to be real, got {}", name_of(rtol.dtype()));
  const Shape batch = leading(x.shape(), 2);
  check(rtol.rank() <= batch.rank() && broadcast_shapes(op, rtol.shape(), batch) == batch, op,
        "expected rtol to broadcast to {}, got shape {}", batch, rtol.shape());
  return converted(expand(rtol.detach(), batch), DType::f64).to_vector<double>();
}

// x = u·diag(s)·vh with s not negative, of Hermitian x by its eigenvalues, which are cheaper: u·|w|·(sign(w)·uᴴ).
Svd singular_or_hermitian(const Tensor& x, bool hermitian) {
  if (!hermitian) return svd(x, false);
  const Eigen eigen = eigh(x);
  const auto number = [&](double value) { return Tensor::full({}, value, eigen.values.dtype(), x.device()); };
  const Tensor signs = where(less(eigen.values, number(0)), number(-1), number(1));
  const Tensor vh = mul(adjoint(eigen.vectors), cast(unsqueeze(signs, -1), eigen.vectors.dtype()));
  return {eigen.vectors, abs(eigen.values), vh};
}

// From singular values in descending order; infinite where the least is 0.
template <class R>
R cond_of_values(const R* s, int64_t count, MatrixNorm ord) {
  const R largest = s[0], least = s[count - 1];
  if (least == 0) return ord == MatrixNorm::minus_two && largest != 0 ? R{0} : std::numeric_limits<R>::infinity();
  if (ord == MatrixNorm::two) return largest / least;
  if (ord == MatrixNorm::minus_two) return least / largest;
  double sum = 0, inverses = 0;
  for (int64_t i = 0; i < count; ++i) {
    sum += static_cast<double>(s[i]);
    inverses += 1 / static_cast<double>(s[i]);
  }
  return static_cast<R>(sum * inverses);
}

// From the norms of a matrix and its inverse; a zero matrix, too, has an infinite one.
template <class R>
R cond_of_norms(R forth, R back) {
  return std::isinf(back) ? back : forth * back;
}

}  // namespace

Svd svd(const Tensor& given, bool full_matrices) {
  check_matrices("svd", {"x", given});
  const Tensor x = promoted(given);
  const Matrices of(x.shape());
  const int64_t left = full_matrices ? of.rows : of.smaller(), right = full_matrices ? of.columns : of.smaller();
  // LAPACK returns at once from empty matrices, whose square factors are identities all the same.
  const bool nothing = of.smaller() == 0;
  const auto factor = [&](int64_t m, int64_t n) {
    const Shape shape = with_axes(of.batch, {m, n});
    if (!nothing) return Tensor::empty(shape, x.dtype(), x.device());
    const Tensor out = Tensor::zeros(shape, x.dtype(), x.device());
    const Tensor ones = diagonal(out);
    copy_into(expand(Tensor::full({}, 1, DType::f32, x.device()), ones.shape()), ones);
    return out;
  };
  Svd out = {factor(of.rows, left), empty_values(x), factor(right, of.columns)};
  if (!nothing) {
    const char job = full_matrices ? 'A' : 'S';
    if (on_device::holds(x)) {
      out = on_device::svd("svd", x.detach(), job);
    } else {
      for_element_type(x.dtype(), [&]<class T>() { svd_of<T>("svd", x, job, out); });
    }
  }
  if (!full_matrices) record_svd(x, out);
  return out;
}

Tensor svdvals(const Tensor& given) {
  check_matrices("svdvals", {"x", given});
  if (needs_grad(given)) return svd(given, false).s;
  const Tensor x = promoted(given);
  if (on_device::holds(x)) return on_device::svd("svdvals", x, 'N').s;
  const Svd out = {{}, empty_values(x), {}};
  for_element_type(x.dtype(), [&]<class T>() { svd_of<T>("svdvals", x, 'N', out); });
  return out.s;
}

Tensor pinv(const Tensor& x, const Tensor& rtol, bool hermitian) {
  check_matrices("pinv", {"x", x});
  if (hermitian) check_square("pinv", {"x", x});
  const std::vector<double> limits = tolerances("pinv", x, rtol);
  const Svd factors = singular_or_hermitian(x.detach(), hermitian);
  const Tensor weights = cast(unsqueeze(weigh(factors.s, limits).weights, -2), factors.u.dtype());
  return product(adjoint(factors.vh), adjoint(mul(factors.u, weights)));
}

Tensor pinv(const Tensor& x, std::optional<double> rtol, bool hermitian) {
  check_matrices("pinv", {"x", x});
  return pinv(x, one_rtol(x, rtol), hermitian);
}

Tensor matrix_rank(const Tensor& x, const Tensor& rtol, bool hermitian) {
  check_matrices("matrix_rank", {"x", x});
  const std::vector<double> limits = tolerances("matrix_rank", x, rtol);
  return weigh(hermitian ? eigvalsh(x.detach()) : svdvals(x.detach()), limits).rank;
}

Tensor matrix_rank(const Tensor& x, std::optional<double> rtol, bool hermitian) {
  check_matrices("matrix_rank", {"x", x});
  return matrix_rank(x, one_rtol(x, rtol), hermitian);
}

Tensor cond(const Tensor& given, MatrixNorm ord) {
  const bool by_values = ord == MatrixNorm::two || ord == MatrixNorm::minus_two || ord == MatrixNorm::nuc;
  if (by_values && ord != MatrixNorm::nuc) {
    check_matrices("cond", {"x", given});
  } else {
    check_square("cond", {"x", given});
  }
  const Tensor x = promoted(given.detach());
  const Matrices of(x.shape());
  check(of.smaller() > 0, "cond", "expected at least one row and column, got shape {}", x.shape());
  const Tensor s = by_values ? svdvals(x) : Tensor();
  const Tensor forth = by_values ? Tensor() : matrix_norm(x, ord);
  const Tensor back = by_values ? Tensor() : matrix_norm(inverse_or_infinity("cond", x), ord);
  return for_element_type(real_dtype(x.dtype()), [&]<class T>() {
    using R = Real<T>;
    const auto numbers = [](const Tensor& of_matrices) {
      return of_matrices.defined() ? of_matrices.to_vector<R>() : std::vector<R>();
    };
    const std::vector<R> values = numbers(s), norms = numbers(forth), inverse_norms = numbers(back);
    const int64_t k = of.smaller();
    std::vector<R> out;
    for (size_t i = 0; i < static_cast<size_t>(of.count); ++i) {
      out.push_back(by_values ? cond_of_values(values.data() + static_cast<int64_t>(i) * k, k, ord)
                              : cond_of_norms(norms[i], inverse_norms[i]));
    }
    return Tensor::from(out, of.batch, x.device());
  });
}

}  // namespace tern::linalg
