// SPDX-License-Identifier: Apache-2.0
// How far results are from what they should be, in the measure of LAPACK's testers (LAPACK Working Note 41): residuals
// over n·ε·‖A‖ in the 1-norm, ε half the distance from 1 to the next number. LAPACK takes results for right where the
// quotient is below 30 (systems of equations) or 50 (eigenvalues and singular values).
#pragma once

#include <algorithm>
#include <limits>

#include "linalg/cases.h"
#include "linalg/host_matrix.h"
#include "tern/linalg.h"
#include "tern/ops.h"

namespace tern::testing {

inline constexpr double kEquationsThreshold = 30, kValuesThreshold = 50;

template <class T>
struct RealNumber {
  using type = T;
};
template <class T>
struct RealNumber<std::complex<T>> {
  using type = T;
};
template <class T>
using RealPart = typename RealNumber<T>::type;

template <class T>
double unit_roundoff() {
  return static_cast<double>(std::numeric_limits<RealPart<T>>::epsilon()) / 2;
}

// error / (n·ε·size), where a size of 0 admits no error.
template <class T>
double quotient(double error, double n, double size) {
  if (error == 0) return 0;
  return error / (std::max(n, 1.0) * unit_roundoff<T>() * size);
}

// ‖a - product‖ / (max(m, n)·ε·‖a‖).
template <class T>
double distance(const HostMatrix& a, const HostMatrix& product) {
  return quotient<T>((a - product).norm(), static_cast<double>(std::max(a.rows(), a.columns())), a.norm());
}

// ‖1 - qᴴ·q‖ / (m·ε) of orthonormal columns.
template <class T>
double orthogonality(const HostMatrix& q) {
  return quotient<T>((HostMatrix::identity(q.columns()) - q.adjoint() * q).norm(), static_cast<double>(q.rows()), 1);
}

template <class T>
double lu_residual(const Tensor& x) {
  const linalg::Lu f = linalg::lu(x);
  return distance<T>(host_of<T>(x), host_of<T>(f.p) * (host_of<T>(f.l) * host_of<T>(f.u)));
}

template <class T>
double cholesky_residual(const Tensor& x, bool upper = false) {
  const HostMatrix f = host_of<T>(linalg::cholesky(x, upper));
  return distance<T>(host_of<T>(x), upper ? f.adjoint() * f : f * f.adjoint());
}

template <class T>
double qr_residual(const Tensor& x, linalg::QrMode mode = linalg::QrMode::reduced) {
  const linalg::Qr f = linalg::qr(x, mode);
  return std::max(distance<T>(host_of<T>(x), host_of<T>(f.q) * host_of<T>(f.r)), orthogonality<T>(host_of<T>(f.q)));
}

template <class T>
double svd_residual(const Tensor& x, bool full_matrices) {
  const linalg::Svd f = linalg::svd(x, full_matrices);
  const HostMatrix u = host_of<T>(f.u), vh = host_of<T>(f.vh);
  const HostMatrix s = diagonal_of<RealPart<T>>(f.s, u.columns(), vh.rows());
  return std::max({distance<T>(host_of<T>(x), u * (s * vh)), orthogonality<T>(u), orthogonality<T>(vh.adjoint())});
}

template <class T>
double eigh_residual(const Tensor& x) {
  const linalg::Eigen f = linalg::eigh(x);
  const HostMatrix v = host_of<T>(f.vectors), w = diagonal_of<RealPart<T>>(f.values, v.rows(), v.rows());
  return std::max(distance<T>(host_of<T>(x), v * (w * v.adjoint())), orthogonality<T>(v));
}

// ‖A·V - V·W‖ / (n·ε·‖A‖), each column of V of length 1.
template <class T>
double eig_residual(const Tensor& x) {
  using C = std::complex<RealPart<T>>;
  const linalg::Eigen f = linalg::eig(x);
  const HostMatrix a = host_of<T>(x), v = host_of<C>(f.vectors), w = diagonal_of<C>(f.values, v.rows(), v.rows());
  return quotient<T>((a * v - v * w).norm(), static_cast<double>(a.rows()), a.norm() * v.norm());
}

// ‖B - A·X‖ / (‖A‖·‖X‖·ε).
template <class T>
double equation_residual(const HostMatrix& a, const HostMatrix& b, const HostMatrix& x) {
  return quotient<T>((b - a * x).norm(), 1, a.norm() * x.norm());
}

template <class T>
double solve_residual(const Tensor& a, const Tensor& b) {
  return equation_residual<T>(host_of<T>(a), host_of<T>(b), host_of<T>(linalg::solve(a, b)));
}

// ‖1 - A·A⁻¹‖ / (n·‖A‖·‖A⁻¹‖·ε).
template <class T>
double inv_residual(const Tensor& x) {
  const HostMatrix a = host_of<T>(x), inverse = host_of<T>(linalg::inv(x));
  return quotient<T>((HostMatrix::identity(a.rows()) - a * inverse).norm(), static_cast<double>(a.rows()),
                     a.norm() * inverse.norm());
}

// ‖Aᴴ·(B - A·X)‖ / (max(m, n)·ε·‖A‖·(‖A‖·‖X‖ + ‖B‖)): what is left is orthogonal to A's range.
template <class T>
double lstsq_residual(const Tensor& a, const Tensor& b) {
  const HostMatrix left = host_of<T>(a), right = host_of<T>(b), x = host_of<T>(linalg::lstsq(a, b).solution);
  return quotient<T>((left.adjoint() * (right - left * x)).norm(),
                     static_cast<double>(std::max(left.rows(), left.columns())),
                     left.norm() * (left.norm() * x.norm() + right.norm()));
}

// The four conditions of Moore and Penrose, the worst of ‖A·X·A - A‖ / (n·ε·‖A‖²·‖X‖) and ‖X·A·X - X‖ / (n·ε·‖X‖²·‖A‖)
// and of how far A·X and X·A are from Hermitian, over n·ε·‖A‖·‖X‖.
template <class T>
double pinv_residual(const Tensor& tensor) {
  const HostMatrix a = host_of<T>(tensor), x = host_of<T>(linalg::pinv(tensor));
  const auto n = static_cast<double>(std::max(a.rows(), a.columns()));
  const double sizes = a.norm() * x.norm();
  const HostMatrix ax = a * x, xa = x * a;
  return std::max(
      {quotient<T>((ax * a - a).norm(), n, a.norm() * sizes), quotient<T>((xa * x - x).norm(), n, x.norm() * sizes),
       quotient<T>((ax - ax.adjoint()).norm(), n, sizes), quotient<T>((xa - xa.adjoint()).norm(), n, sizes)});
}

}  // namespace tern::testing
