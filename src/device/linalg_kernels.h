// SPDX-License-Identifier: Apache-2.0
// Factorizations of matrices: a table that a device has or has not (Kernels::linalg). A CPU has none: there linalg calls
// LAPACK itself (linalg/routines.h), of which these are the routines. The rules of kernels.h hold, and these:
//   - `dtype` is f32, f64, c64 or c128, of all matrices of a call; values and singular values are real, of its precision;
//   - matrices lie in column-major order, without gaps, one after the other; `count` of them, none empty;
//   - info, on the device, i32 [count], is what LAPACK's routine says of each: 0 where all is well.
#pragma once

#include "device/kernels.h"

namespace tern {

// getrf: a [count, m × n] becomes its l and u; pivots, i64 [count, min(m, n)], from 1.
struct FactorLuArgs {
  DType dtype;
  int64_t count, m, n;
  void* a;
  int64_t* pivots;
  int32_t* info;
};

// getrs: b = op(a)⁻¹·b with op by LAPACK's letter ('N', 'T'), for a of order n as FactorLuArgs left it, and b
// [count, n × columns]. matrix_of, in host memory, [count], says which a each b belongs to.
struct SolveLuArgs {
  DType dtype;
  int64_t count, n, columns;
  char op;
  const void* lu;
  const int64_t* pivots;
  const int64_t* matrix_of;
  void* b;
};

// trsm: the same for triangular a, whose triangle 'L' or 'U' alone is read.
struct SolveTriangleArgs {
  DType dtype;
  int64_t count, n, columns;
  char triangle, op;
  const void* a;
  const int64_t* matrix_of;
  void* b;
};

// potrf: the triangle 'L' or 'U' of a [count, n × n] becomes its Cholesky factor.
struct FactorCholeskyArgs {
  DType dtype;
  int64_t count, n;
  char triangle;
  void* a;
  int32_t* info;
};

// geqrf: a [count, m × n] becomes r, and below its diagonal the reflectors, whose factors are tau [count, min(m, n)].
struct FactorQrArgs {
  DType dtype;
  int64_t count, m, n;
  void* a;
  void* tau;
  int32_t* info;
};

// orgqr: q [count, m × columns], whose first k columns have reflectors, becomes the first columns of the orthonormal
// matrix that they make; k <= columns <= m; tau [count, k].
struct MakeQArgs {
  DType dtype;
  int64_t count, m, columns, k;
  void* q;
  const void* tau;
  int32_t* info;
};

// gesvd: a = u·diag(s)·vh for m >= n; a is lost. job 'A': u [count, m × m], vh [count, n × n]; 'S': u [count, m × n];
// 'N': neither. s [count, n], descending.
struct SingularValuesArgs {
  DType dtype;
  int64_t count, m, n;
  char job;
  void* a;
  void* s;
  void* u;
  void* vh;
  int32_t* info;
};

// heevd: the values [count, n], ascending, of Hermitian a [count, n × n], whose lower triangle is read; where `vectors`
// is set their vectors are left in a, which is lost else.
struct HermitianEigenArgs {
  DType dtype;
  int64_t count, n;
  bool vectors;
  void* a;
  void* values;
  int32_t* info;
};

// geev: values and, unless null, right vectors [count, n × n] of a [count, n × n], which is lost. For complex a they are
// complex. For real a, as LAPACK has them: values [count, 2, n], the real parts and then the imaginary ones, and of
// conjugate pairs of vectors the real parts in the first's column, the imaginary ones in the second's.
struct GeneralEigenArgs {
  DType dtype;
  int64_t count, n;
  void* a;
  void* values;
  void* vectors;
  int32_t* info;
};

struct LinalgKernels {
  // Before the others: opens the library that they call. Throws Error where this machine has none.
  void (*prepare)(const Exec& exec);
  Kernel<FactorLuArgs> factor_lu;
  Kernel<SolveLuArgs> solve_lu;
  Kernel<SolveTriangleArgs> solve_triangle;
  Kernel<FactorCholeskyArgs> factor_cholesky;
  Kernel<FactorQrArgs> factor_qr;
  Kernel<MakeQArgs> make_q;
  Kernel<SingularValuesArgs> singular_values;
  Kernel<HermitianEigenArgs> hermitian_eigen;
  Kernel<GeneralEigenArgs> general_eigen;
};

constexpr bool complete(const LinalgKernels& t) {
  return t.prepare && t.factor_lu && t.solve_lu && t.solve_triangle && t.factor_cholesky && t.factor_qr && t.make_q &&
         t.singular_values && t.hermitian_eigen && t.general_eigen;
}

}  // namespace tern
