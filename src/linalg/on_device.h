// SPDX-License-Identifier: Apache-2.0
// Linear algebra on a device whose memory the host cannot read, by the device's factorizations (Kernels::linalg) and by
// ops. Inputs are those of the functions of tern/linalg.h after their checks, cut off from the graph and of a dtype
// that is computed; results and errors are the functions'.
#pragma once

#include <cstdint>
#include <vector>

#include "linalg/inputs.h"
#include "tern/linalg.h"
#include "tern/tensor.h"

namespace tern::linalg::on_device {

// Whether x is on such a device.
bool holds(const Tensor& x);

Tensor solve(const Tensor& a, const Tensor& b, const Shape& batch);
Tensor solve_triangular(const Tensor& a, const Tensor& b, const Shape& batch, bool upper);
LuFactors lu_factor(const Tensor& x);
// pivots from 1, of every matrix of lu.
Tensor lu_solve(const Tensor& lu, const std::vector<int32_t>& pivots, const Tensor& b, const Shape& batch);
Lu lu(const Tensor& x);
// Where `allows_singular` is set, infinity in the place of an inverse that there is not.
Tensor inverses(const char* op, const Tensor& x, bool allows_singular);

// The diagonals of u and the exchanges of rows, on the host: n numbers of T for each matrix.
template <class T>
struct Pivots {
  std::vector<T> diagonal;
  std::vector<int64_t> rows;  // from 1
};
template <class T>
Pivots<T> pivots_of(const char* op, const Tensor& x);

Tensor cholesky(const Tensor& x, bool upper);
Qr qr(const Tensor& x, QrMode mode);

// job as LAPACK's: 'A' (all), 'S' (the first min(m, n)) or 'N' (s alone); matrices are not empty.
Svd svd(const char* op, const Tensor& x, char job);
// Vectors undefined unless `vectors`.
Eigen eigh(const char* op, const Tensor& x, bool vectors);

// What geev leaves (GeneralEigenArgs), on the host.
template <class T>
struct PackedEigen {
  std::vector<T> values, vectors;
};
template <class T>
PackedEigen<T> eig(const char* op, const Tensor& x, bool vectors);

LeastSquares lstsq(const Tensor& a, const Tensor& b, const Shape& batch, double rtol);
// Norms of the rows of x [rows, count] by ord, of its real dtype.
Tensor row_norms(const Tensor& x, double ord);
// Of f64 and c128.
Tensor expm(const Tensor& x);

}  // namespace tern::linalg::on_device
