// SPDX-License-Identifier: Apache-2.0
// Eigenvalues and eigenvectors.
#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <vector>

#include "linalg/gaps.h"
#include "linalg/inputs.h"
#include "linalg/matrices.h"
#include "linalg/on_device.h"
#include "linalg/routines.h"
#include "ops/gradients.h"
#include "tern/linalg.h"
#include "tern/ops.h"

namespace tern::linalg {
namespace {

double cube(int64_t n) { return static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n); }

[[noreturn]] void fail_to_converge(const char* op, const Tensor& x, int64_t index) {
  fail_numerically(op, "convergence", {"x", x}, index, "needs more steps than LAPACK takes");
}

// Gradients of a symmetric matrix's decomposition, as that of a function of all its elements which reads both
// triangles.
Tensor symmetric_part(const Tensor& x) { return mul(add(x, transpose(x)), 0.5); }

// Giles 2008, 3.1: dx = v·(diag(dw) + F ∘ (vᵀ·dv))·vᵀ, F_ij = 1 / (w_j - w_i), 0 on the diagonal.
Tensor values_gradient(const Tensor& v, const Tensor& dw) {
  return tern::matmul(mul(v, unsqueeze(dw, -2)), transpose(v));
}

Tensor vectors_gradient(const Tensor& w, const Tensor& v, const Tensor& dv) {
  const Tensor inner = mul(inverse_gaps(w, false), tern::matmul(transpose(v), dv));
  return symmetric_part(tern::matmul(v, tern::matmul(inner, transpose(v))));
}

// Of Hermitian x; vectors are undefined unless asked for.
Eigen hermitian(const char* op, const Tensor& x, bool vectors) {
  if (on_device::holds(x)) return on_device::eigh(op, x.detach(), vectors);
  const Matrices of(x.shape());
  const int n = of.rows;
  Eigen out = {Tensor::empty(leading(x.shape(), 1), real_dtype(x.dtype()), x.device()), column_major(x, x.dtype())};
  for_element_type(x.dtype(), [&]<class T>() {
    for_matrices(x.device(), of.count, (vectors ? 9 : 2) * cube(n), [&](int64_t begin, int64_t end) {
      HermitianEigen<T> eigen(vectors, 'L', n);
      for (int64_t i = begin; i < end; ++i) {
        T* const a = out.vectors.data<T>() + i * of.size();
        check_finite(op, {"x", x}, a, of.size(), i);
        if (eigen(a, out.values.data<Real<T>>() + i * n) != 0) fail_to_converge(op, x, i);
      }
    });
  });
  out.vectors = vectors ? from_column_major(out.vectors) : Tensor();
  return out;
}

// Length 1, and its largest component real and positive. LAPACK makes the largest of complex vectors real, of either
// sign.
template <class C>
void normalize(C* v, int64_t n) {
  using R = typename C::value_type;
  double length = 0, largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double modulus = std::abs(std::complex<double>(v[i]));
    length = std::hypot(length, modulus);
    largest = std::max(largest, modulus);
  }
  if (length == 0) return;
  // Of components that are of one size but for rounding, the first. More than an ulp would not be the largest any more,
  // which LAPACK's testers want to be real.
  int64_t chosen = 0;
  while (std::abs(std::complex<double>(v[chosen])) < largest * (1 - double{std::numeric_limits<R>::epsilon()}))
    ++chosen;
  const std::complex<double> pivot(v[chosen]);
  const std::complex<double> factor = std::conj(pivot) / (std::abs(pivot) * length);
  for (int64_t i = 0; i < n; ++i) {
    const std::complex<double> product = std::complex<double>(v[i]) * factor;
    v[i] = {static_cast<R>(product.real()), i == chosen ? R{0} : static_cast<R>(product.imag())};
  }
}

DType complex_dtype(DType dtype) { return is_double(dtype) ? DType::c128 : DType::c64; }

// What is left on the host of a device's geev becomes tensors on the device.
template <class T>
Eigen general_on_device(const char* op, const Tensor& x, bool vectors) {
  using C = std::complex<Real<T>>;
  const on_device::PackedEigen<T> found = on_device::eig<T>(op, x, vectors);
  const int64_t n = x.size(-1), size = n * n, count = leading(x.shape(), 2).numel();
  std::vector<C> values(static_cast<size_t>(count * n)), all(vectors ? static_cast<size_t>(count * size) : 0);
  for (int64_t i = 0; i < count; ++i) {
    if constexpr (is_complex_type<T>) {
      std::copy_n(found.values.data() + i * n, n, values.data() + i * n);
      if (vectors) std::copy_n(found.vectors.data() + i * size, size, all.data() + i * size);
    } else {
      const T* const re = found.values.data() + 2 * i * n;
      const T* const im = re + n;
      for (int64_t j = 0; j < n; ++j) values[static_cast<size_t>(i * n + j)] = {re[j], im[j]};
      if (vectors) unpack_pairs(im, found.vectors.data() + i * size, n, all.data() + i * size);
    }
    for (int64_t j = 0; vectors && j < n; ++j) normalize(all.data() + i * size + j * n, n);
  }
  Eigen out = {Tensor::from(values, leading(x.shape(), 1), x.device()), {}};
  if (vectors) out.vectors = from_column_major(Tensor::from(all, x.shape(), x.device()));
  return out;
}

Eigen general(const char* op, const Tensor& x, bool vectors) {
  check_square(op, {"x", x});
  if (on_device::holds(x)) {
    const Tensor computed = cast(x.detach(), computed_dtype(x.dtype()));
    return for_element_type(computed.dtype(), [&]<class T>() { return general_on_device<T>(op, computed, vectors); });
  }
  const Matrices of(x.shape());
  const int n = of.rows;
  const DType dtype = computed_dtype(x.dtype()), result = complex_dtype(dtype);
  const Tensor work = column_major(x, dtype);
  Eigen out;
  out.values = Tensor::empty(leading(x.shape(), 1), result, x.device());
  if (vectors) out.vectors = Tensor::empty(x.shape(), result, x.device());
  for_element_type(dtype, [&]<class T>() {
    using C = std::complex<Real<T>>;
    for_matrices(x.device(), of.count, (vectors ? 25 : 10) * cube(n), [&](int64_t begin, int64_t end) {
      GeneralEigen<T> eigen(vectors, n);
      for (int64_t i = begin; i < end; ++i) {
        T* const a = work.data<T>() + i * of.size();
        check_finite(op, {"x", x}, a, of.size(), i);
        C* const v = vectors ? out.vectors.data<C>() + i * of.size() : nullptr;
        if (eigen(a, out.values.data<C>() + i * n, v) != 0) fail_to_converge(op, x, i);
        for (int j = 0; vectors && j < n; ++j) normalize(v + int64_t{j} * n, n);
      }
    });
  });
  if (vectors) out.vectors = from_column_major(out.vectors);
  return out;
}

}  // namespace

Eigen eigh(const Tensor& given) {
  check_square("eigh", {"x", given});
  const Tensor x = promoted(given);
  const Eigen out = hermitian("eigh", x, true);
  if (needs_grad(x)) {
    record(out.values, "eigh", {x},
           [v = saved(out.vectors)](const Tensor& dw) { return Gradients{values_gradient(v, dw)}; });
    record(out.vectors, "eigh", {x}, [w = saved(out.values), v = saved(out.vectors)](const Tensor& dv) {
      return Gradients{vectors_gradient(w, v, dv)};
    });
  }
  return out;
}

Tensor eigvalsh(const Tensor& x) {
  check_square("eigvalsh", {"x", x});
  if (needs_grad(x)) return eigh(x).values;
  return hermitian("eigvalsh", promoted(x), false).values;
}

Eigen eig(const Tensor& x) { return general("eig", x, true); }

Tensor eigvals(const Tensor& x) { return general("eigvals", x, false).values; }

}  // namespace tern::linalg
