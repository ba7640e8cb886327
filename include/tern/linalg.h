// SPDX-License-Identifier: Apache-2.0
// Linear algebra: the extension `linalg` of the Python array API standard (2024.12) and what NumPy users expect
// besides, over LAPACK.
//
// Conventions. Matrices are the last two axes; the axes before them are a batch, of any extents, 0 included, and of any
// strides; matrices may be empty. f32, f64, c64 and c128 are computed in themselves, every other dtype in f32; two
// inputs of different dtypes in the one that holds both. Results are contiguous, except of the views. Where a result is
// not unique (signs of vectors, for one) it is LAPACK's. Real results of complex inputs have their precision.
//
// Errors. Wrong shapes, dtypes and devices throw Error, as everywhere. Input for which there is no result (singular,
// not positive definite, not finite, no convergence) throws LinalgError, which names the matrix of the batch, the first
// of them.
//
// Devices. Tensors on a GPU are factored there, by cuSOLVER, whose choice it is where a result is not unique.
//
// Gradients. Functions marked "differentiable" are so for f32 (and bf16 and f16, which are cast); docs/linalg.md cites
// their formulas and states how exact results are.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tern/einsum.h"
#include "tern/error.h"
#include "tern/ops.h"
#include "tern/tensor.h"

namespace tern {

// There is no result, or none that is worth anything, for input of the right form.
class LinalgError : public Error {
 public:
  using Error::Error;
};

}  // namespace tern

namespace tern::linalg {

// ---------------------------------------------------------------- factorizations

struct Lu {
  Tensor p, l, u;  // x = p·l·u: a permutation [..., m, m], unit lower [..., m, k] and upper [..., k, n], k = min(m, n)
};
// Gaussian elimination with partial pivoting (getrf). Of singular matrices, too.
Lu lu(const Tensor& x);

struct LuFactors {
  Tensor lu;      // [..., n, n]: u, and l below the diagonal, whose own is 1
  Tensor pivots;  // i32 [..., n]: row i was exchanged with row pivots[i] >= i, for i ascending
};
// The factors of square matrices in the form that lu_solve takes. Throws LinalgError for a singular one.
LuFactors lu_factor(const Tensor& x);
// solve() with what lu_factor() found, which may serve many right-hand sides.
Tensor lu_solve(const LuFactors& factors, const Tensor& b);

// l with x = l·lᴴ, lower triangular, or u = lᴴ. Reads the lower triangle alone. Throws LinalgError for a matrix that is
// not positive definite. Differentiable.
Tensor cholesky(const Tensor& x, bool upper = false);

enum class QrMode {
  reduced,   // q [..., m, k], r [..., k, n], k = min(m, n)
  complete,  // q [..., m, m], r [..., m, n]
  r,         // q undefined, r of `reduced`
};
struct Qr {
  Tensor q, r;
};
// x = q·r, columns of q orthonormal, r upper triangular. Differentiable in mode `reduced`, where the first k columns
// are independent.
Qr qr(const Tensor& x, QrMode mode = QrMode::reduced);

struct Svd {
  Tensor u, s, vh;  // x = u·diag(s)·vh; s real, descending
};
// u [..., m, m] and vh [..., n, n], or their first min(m, n) columns and rows (gesdd). Differentiable unless
// full_matrices; u and vh where the singular values are distinct and not 0.
Svd svd(const Tensor& x, bool full_matrices = true);
// s alone. Differentiable.
Tensor svdvals(const Tensor& x);

struct Eigen {
  Tensor values, vectors;  // column i of vectors belongs to values[i]
};
// Of symmetric or Hermitian matrices, whose lower triangle alone is read: real values, ascending, and orthonormal
// vectors (syevd). Differentiable; the vectors where the values are distinct.
Eigen eigh(const Tensor& x);
Tensor eigvalsh(const Tensor& x);
// Of any square matrices: complex values and vectors, in LAPACK's order (geev). A vector has length 1, and its largest
// component, the first of those that agree with the largest to an ulp, is real and positive.
Eigen eig(const Tensor& x);
Tensor eigvals(const Tensor& x);

// ---------------------------------------------------------------- equations

// x with a·x = b. b of rank 1 is one vector for every matrix of a; otherwise it holds matrices [..., n, k], whose
// leading axes broadcast with a's. Throws LinalgError for a singular matrix: one with a pivot of exactly 0.
// Differentiable.
Tensor solve(const Tensor& a, const Tensor& b);
// The same for triangular a, of which only that triangle is read.
Tensor solve_triangular(const Tensor& a, const Tensor& b, bool upper);

struct LeastSquares {
  Tensor solution;   // [..., n, k], or [..., n] of a vector: of all that minimize |a·x - b|₂ the shortest
  Tensor residuals;  // [..., k], or [...]: |b - a·x|₂², real
  Tensor rank;       // i64 [...]: singular values above rtol times the largest
  Tensor singular_values;
};
// a [..., m, n] of any rank; b as in solve() (gelsd). rtol defaults to eps·max(m, n).
LeastSquares lstsq(const Tensor& a, const Tensor& b, std::optional<double> rtol = {});

// Throws LinalgError for a singular matrix. Differentiable.
Tensor inv(const Tensor& x);
// The Moore-Penrose inverse [..., n, m]. Singular values of at most rtol (default eps·max(m, n)) times the largest
// count as 0; a tensor rtol has one for each matrix, or broadcasts. hermitian: x is, and its lower triangle alone is
// read.
Tensor pinv(const Tensor& x, std::optional<double> rtol = {}, bool hermitian = false);
Tensor pinv(const Tensor& x, const Tensor& rtol, bool hermitian = false);

// ---------------------------------------------------------------- numbers

// From the pivots of lu(); 1 for n = 0, 0 for a singular matrix. Products beyond the range of the dtype overflow only
// where their value does. Differentiable, at singular matrices, too.
Tensor det(const Tensor& x);
struct Slogdet {
  Tensor sign, logabsdet;  // det = sign·exp(logabsdet); 0 and -inf of a singular matrix
};
// sign is of x's dtype, of modulus 1; logabsdet is real. logabsdet is differentiable, but for singular matrices.
Slogdet slogdet(const Tensor& x);

enum class MatrixNorm { fro, nuc, one, minus_one, two, minus_two, inf, minus_inf };
// "fro", "nuc", "1", "-1", "2", "-2", "inf", "-inf". Throws Error for another name.
MatrixNorm matrix_norm_from_name(std::string_view name);
// Real. Those of the singular values: fro (as the root of the sum of squares), nuc (their sum), two (the largest),
// minus_two (the least); the largest and least sum of moduli of a column (one, minus_one) and of a row (inf,
// minus_inf). 0 of an empty matrix, but minima and maxima of nothing are an Error. Differentiable.
Tensor matrix_norm(const Tensor& x, MatrixNorm ord = MatrixNorm::fro, bool keep = false);
// (Σ|x|^ord)^(1/ord) over the axes, all of them when there are none; max and min for ±infinity, the count of what is
// not 0 for 0. Real. Sums neither overflow nor underflow where the norm does not. Differentiable (0 at 0).
Tensor vector_norm(const Tensor& x, double ord = 2, std::span<const int> axes = {}, bool keep = false);
// NumPy's norm: without ord the 2-norm over the axes (or all); with ord vector_norm over one axis, the matrix norm of
// that number over two.
Tensor norm(const Tensor& x, std::optional<double> ord = {}, std::span<const int> axes = {}, bool keep = false);
// norm(x)·norm(inv(x)); for two and minus_two the quotient of the extreme singular values, of any shape. Infinite for a
// singular matrix.
Tensor cond(const Tensor& x, MatrixNorm ord = MatrixNorm::two);
// How many singular values are above rtol (default eps·max(m, n)) times the largest: i64 [...].
Tensor matrix_rank(const Tensor& x, std::optional<double> rtol = {}, bool hermitian = false);
Tensor matrix_rank(const Tensor& x, const Tensor& rtol, bool hermitian = false);

// ---------------------------------------------------------------- products and parts

// Of every dtype; ops.h and einsum.h say what they are.
using tern::kron;
using tern::matmul;
using tern::outer;
// xⁿ by repeated squaring; the identity for 0, powers of inv(x) for negative n. Differentiable.
Tensor matrix_power(const Tensor& x, int64_t n);
// e^x by scaling and squaring of Padé approximants (Higham 2005); f32 and c64 are computed in double. Differentiable.
Tensor expm(const Tensor& x);
// Of vectors of 3 along `axis`, which is counted from the end of both (-1 the last); other axes broadcast.
// Differentiable.
Tensor cross(const Tensor& a, const Tensor& b, int axis = -1);
// The view with the last two axes swapped.
Tensor matrix_transpose(const Tensor& x);
// The view of the diagonal that starts `offset` columns to the right of (or -offset rows below) the first element. Of
// any dtype. Differentiable.
Tensor diagonal(const Tensor& x, int64_t offset = 0);
// Its sum, integers in 64 bits. Differentiable.
Tensor trace(const Tensor& x, int64_t offset = 0);

// ---------------------------------------------------------------- the library below

struct Library {
  std::string core;           // the kernels in use, as OpenBLAS calls them: "SkylakeX"
  std::string configuration;  // version and options of OpenBLAS
};
// Opens it if nothing did before. Throws Error where there is none.
Library library();

}  // namespace tern::linalg
