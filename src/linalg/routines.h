// SPDX-License-Identifier: Apache-2.0
// LAPACK's routines in C++: arguments by value, and for those that need work memory an object that has it, made once
// for all matrices of a size. Matrices are in column-major order, without gaps. Results 0: done; > 0: LAPACK's info.
#pragma once

#include <algorithm>
#include <complex>
#include <cstddef>
#include <vector>

#include "linalg/blas_library.h"

namespace tern::linalg {

// Leading dimensions are at least 1, of empty matrices, too.
inline Integer leading_dimension(Integer rows) { return std::max(rows, 1); }

// What a routine said of its work memory: a number of elements, in the type of the matrix. In f32 it may have been
// rounded down.
template <class T>
Integer work_size(const T& answer) {
  const double size = static_cast<double>(std::real(answer));
  return std::max(static_cast<Integer>(size * (1 + 1e-7)) + 1, 1);
}

template <class T>
T* resized(std::vector<T>& memory, Integer size) {
  memory.resize(static_cast<size_t>(std::max(size, 1)));
  return memory.data();
}

// c = op(a)·op(b), or c += it, with op by Fortran's letter: 'N', 'T' or 'C'. op(a) is m × k, op(b) k × n.
template <class T>
void multiply(char op_a, char op_b, Integer m, Integer n, Integer k, const T* a, const T* b, T* c, T factor = T(1),
              bool add = false) {
  if (m == 0 || n == 0) return;
  const Integer lda = leading_dimension(op_a == 'N' ? m : k), ldb = leading_dimension(op_b == 'N' ? k : n);
  const T before = add ? T(1) : T(0);
  lapack<T>().gemm(&op_a, &op_b, &m, &n, &k, &factor, a, &lda, b, &ldb, &before, c, &m, 1, 1);
}

// b = op(a)⁻¹·b for triangular a, n × n, b n × columns.
template <class T>
void solve_triangle(char triangle, char op, Integer n, Integer columns, const T* a, T* b) {
  if (n == 0 || columns == 0) return;
  const T one = T(1);
  lapack<T>().trsm("L", &triangle, &op, "N", &n, &columns, &one, a, &n, b, &n, 1, 1, 1, 1);
}

template <class T>
Integer factor_lu(Integer m, Integer n, T* a, Integer* pivots) {
  const Integer lda = leading_dimension(m);
  Integer info = 0;
  if (m > 0 && n > 0) lapack<T>().getrf(&m, &n, a, &lda, pivots, &info);
  return info;
}

// b = op(a)⁻¹·b with what factor_lu made of a.
template <class T>
void solve_factored(char op, Integer n, Integer columns, const T* lu, const Integer* pivots, T* b) {
  if (n == 0 || columns == 0) return;
  Integer info = 0;
  lapack<T>().getrs(&op, &n, &columns, lu, &n, pivots, b, &n, &info, 1);
}

// The triangle 'L' or 'U' of a becomes its Cholesky factor; the other one is not read.
template <class T>
Integer factor_cholesky(char triangle, Integer n, T* a) {
  Integer info = 0;
  if (n > 0) lapack<T>().potrf(&triangle, &n, a, &n, &info, 1);
  return info;
}

// The inverse in place of what factor_lu made.
template <class T>
class InverseFromLu {
 public:
  explicit InverseFromLu(Integer n) : n_(n) {
    T answer = 0;
    Integer info = 0;
    const Integer query = -1;
    if (n > 0) lapack<T>().getri(&n_, &answer, &n_, &info, &answer, &query, &info);
    size_ = work_size(answer);
    resized(work_, size_);
  }

  Integer operator()(T* lu, const Integer* pivots) {
    Integer info = 0;
    if (n_ > 0) lapack<T>().getri(&n_, lu, &n_, pivots, work_.data(), &size_, &info);
    return info;
  }

 private:
  Integer n_, size_;
  std::vector<T> work_;
};

// m × n: a = l·q. q's first `rows_of_q` rows are made on demand.
template <class T>
class LqFactorization {
 public:
  LqFactorization(Integer m, Integer n, Integer rows_of_q) : m_(m), n_(n), rows_(rows_of_q) {
    const Integer lda = leading_dimension(m), ldq = leading_dimension(rows_), k = std::min(m, n), query = -1;
    T for_factors = 0, for_q = 0;
    Integer info = 0;
    resized(tau_, k);
    if (k > 0) lapack<T>().gelqf(&m_, &n_, tau_.data(), &lda, tau_.data(), &for_factors, &query, &info);
    if (rows_ > 0) lapack<T>().unglq(&rows_, &n_, &k, tau_.data(), &ldq, tau_.data(), &for_q, &query, &info);
    size_ = std::max(work_size(for_factors), work_size(for_q));
    resized(work_, size_);
  }

  // l in the lower triangle of a, reflectors in the rest.
  void factor(T* a) {
    const Integer lda = leading_dimension(m_);
    Integer info = 0;
    if (std::min(m_, n_) > 0) lapack<T>().gelqf(&m_, &n_, a, &lda, tau_.data(), work_.data(), &size_, &info);
  }

  // q, rows_of_q × n, in place of the reflectors, which are its first min(m, n) rows.
  void make_q(T* q) {
    const Integer ldq = leading_dimension(rows_), k = std::min(m_, n_);
    Integer info = 0;
    if (rows_ > 0) lapack<T>().unglq(&rows_, &n_, &k, q, &ldq, tau_.data(), work_.data(), &size_, &info);
  }

 private:
  Integer m_, n_, rows_, size_;
  std::vector<T> tau_, work_;
};

// a = u·diag(s)·vh for m × n matrices by divide and conquer. `job` as in gesdd: 'A' (all), 'S' (the first min(m, n)) or
// 'N' (s alone). a is lost.
template <class T>
class SingularValues {
 public:
  SingularValues(char job, Integer m, Integer n) : job_(job), m_(m), n_(n) {
    const Integer smaller = std::min(m, n), larger = std::max(m, n);
    resized(integers_, 8 * smaller);
    if constexpr (is_complex_type<T>) {
      const size_t s = static_cast<size_t>(smaller), l = static_cast<size_t>(larger);
      reals_.resize(std::max<size_t>(1, job == 'N' ? 7 * s : s * std::max(5 * s + 7, 2 * l + 2 * s + 1)));
    }
    T answer = 0;
    if (smaller > 0) call(&answer, nullptr, &answer, &answer, &answer, -1);
    size_ = work_size(answer);
    resized(work_, size_);
  }

  Integer operator()(T* a, Real<T>* s, T* u, T* vh) {
    return std::min(m_, n_) == 0 ? 0 : call(a, s, u, vh, work_.data(), size_);
  }

 private:
  Integer call(T* a, Real<T>* s, T* u, T* vh, T* work, Integer size) {
    const Integer lda = leading_dimension(m_), ldvh = leading_dimension(job_ == 'A' ? n_ : std::min(m_, n_));
    Integer info = 0;
    if constexpr (is_complex_type<T>) {
      lapack<T>().gesdd(&job_, &m_, &n_, a, &lda, s, u, &lda, vh, &ldvh, work, &size, reals_.data(), integers_.data(),
                        &info, 1);
    } else {
      lapack<T>().gesdd(&job_, &m_, &n_, a, &lda, s, u, &lda, vh, &ldvh, work, &size, integers_.data(), &info, 1);
    }
    return info;
  }

  char job_;
  Integer m_, n_, size_ = 1;
  std::vector<T> work_;
  std::vector<Real<T>> reals_;
  std::vector<Integer> integers_;
};

// Eigenvalues of Hermitian matrices by divide and conquer, and with `vectors` their eigenvectors in place of the
// matrix. Reads one triangle, 'L' or 'U'.
template <class T>
class HermitianEigen {
 public:
  HermitianEigen(bool vectors, char triangle, Integer n) : job_(vectors ? 'V' : 'N'), triangle_(triangle), n_(n) {
    T answer = 0;
    Real<T> real_answer = 0;
    Integer integer_answer = 1;
    if (n > 0) call(&answer, nullptr, &answer, -1, &real_answer, -1, &integer_answer, -1);
    size_ = work_size(answer);
    real_size_ = work_size(real_answer);
    resized(work_, size_);
    resized(reals_, real_size_);
    resized(integers_, integer_answer);
  }

  Integer operator()(T* a, Real<T>* values) {
    if (n_ == 0) return 0;
    return call(a, values, work_.data(), size_, reals_.data(), real_size_, integers_.data(),
                static_cast<Integer>(integers_.size()));
  }

 private:
  Integer call(T* a, Real<T>* values, T* work, Integer size, Real<T>* reals, Integer real_size, Integer* integers,
               Integer integer_size) {
    Integer info = 0;
    if constexpr (is_complex_type<T>) {
      lapack<T>().heevd(&job_, &triangle_, &n_, a, &n_, values, work, &size, reals, &real_size, integers, &integer_size,
                        &info, 1, 1);
    } else {
      static_cast<void>(reals);
      static_cast<void>(real_size);
      lapack<T>().heevd(&job_, &triangle_, &n_, a, &n_, values, work, &size, integers, &integer_size, &info, 1, 1);
    }
    return info;
  }

  char job_, triangle_;
  Integer n_, size_ = 1, real_size_ = 1;
  std::vector<T> work_;
  std::vector<Real<T>> reals_;
  std::vector<Integer> integers_;
};

// Complex vectors from those of a real matrix, both one after the other: of a conjugate pair of values, LAPACK stores
// the real parts of the first's vector, then the imaginary ones. `imaginary` has the values' imaginary parts.
template <class R>
void unpack_pairs(const R* imaginary, const R* packed, int64_t n, std::complex<R>* vectors) {
  for (int64_t j = 0; j < n; ++j) {
    const bool pair = imaginary[j] > 0;
    for (int64_t i = 0; i < n; ++i) {
      const R re = packed[j * n + i], im = pair ? packed[(j + 1) * n + i] : R(0);
      vectors[j * n + i] = {re, im};
      if (pair) vectors[(j + 1) * n + i] = {re, -im};
    }
    j += pair ? 1 : 0;
  }
}

// Eigenvalues of any square matrices, and with `vectors` their right eigenvectors, as complex numbers. a is lost.
template <class T>
class GeneralEigen {
 public:
  using Complex = std::complex<Real<T>>;

  GeneralEigen(bool vectors, Integer n) : job_(vectors ? 'V' : 'N'), n_(n) {
    if constexpr (is_complex_type<T>) {
      resized(reals_, 2 * n);
    } else {
      resized(reals_, 2 * n);
      if (vectors) vectors_.resize(static_cast<size_t>(n) * static_cast<size_t>(n));
    }
    T answer = 0;
    if (n > 0) call(&answer, nullptr, nullptr, &answer, -1);
    size_ = work_size(answer);
    resized(work_, size_);
  }

  Integer operator()(T* a, Complex* values, Complex* vectors) {
    if (n_ == 0) return 0;
    const Integer info = call(a, values, vectors, work_.data(), size_);
    if constexpr (!is_complex_type<T>) {
      for (Integer i = 0; i < n_; ++i) values[i] = {real(i), imaginary(i)};
      if (vectors != nullptr) unpack_pairs(reals_.data() + n_, vectors_.data(), int64_t{n_}, vectors);
    }
    return info;
  }

 private:
  Real<T> real(Integer i) const { return reals_[static_cast<size_t>(i)]; }
  Real<T> imaginary(Integer i) const { return reals_[static_cast<size_t>(n_ + i)]; }

  Integer call(T* a, Complex* values, Complex* vectors, T* work, Integer size) {
    Integer info = 0;
    if constexpr (is_complex_type<T>) {
      lapack<T>().geev("N", &job_, &n_, a, &n_, values, nullptr, &n_, vectors, &n_, work, &size, reals_.data(), &info,
                       1, 1);
    } else {
      static_cast<void>(values);
      static_cast<void>(vectors);
      lapack<T>().geev("N", &job_, &n_, a, &n_, reals_.data(), reals_.data() + n_, nullptr, &n_, vectors_.data(), &n_,
                       work, &size, &info, 1, 1);
    }
    return info;
  }

  char job_;
  Integer n_, size_ = 1;
  std::vector<T> work_, vectors_;
  std::vector<Real<T>> reals_;
};

// Least squares of m × n matrices with `columns` right-hand sides by the singular values. a is lost; b has max(m, n)
// rows, of which the solution takes the first n.
template <class T>
class LeastSquaresSolver {
 public:
  LeastSquaresSolver(Integer m, Integer n, Integer columns, Real<T> rtol)
      : m_(m), n_(n), columns_(columns), rtol_(rtol) {
    T answer = 0;
    Real<T> real_answer = 0;
    Integer integer_answer = 1, rank = 0;
    call(&answer, &answer, &real_answer, &rank, &answer, -1, &real_answer, &integer_answer);
    size_ = work_size(answer);
    resized(work_, size_);
    if constexpr (is_complex_type<T>) resized(reals_, work_size(real_answer));
    resized(integers_, integer_answer);
  }

  Integer operator()(T* a, T* b, Real<T>* s, Integer* rank) {
    return call(a, b, s, rank, work_.data(), size_, reals_.data(), integers_.data());
  }

 private:
  Integer call(T* a, T* b, Real<T>* s, Integer* rank, T* work, Integer size, Real<T>* reals, Integer* integers) {
    const Integer lda = leading_dimension(m_), ldb = leading_dimension(std::max(m_, n_));
    Integer info = 0;
    if constexpr (is_complex_type<T>) {
      lapack<T>().gelsd(&m_, &n_, &columns_, a, &lda, b, &ldb, s, &rtol_, rank, work, &size, reals, integers, &info);
    } else {
      static_cast<void>(reals);
      lapack<T>().gelsd(&m_, &n_, &columns_, a, &lda, b, &ldb, s, &rtol_, rank, work, &size, integers, &info);
    }
    return info;
  }

  Integer m_, n_, columns_, size_ = 1;
  Real<T> rtol_;
  std::vector<T> work_;
  std::vector<Real<T>> reals_;
  std::vector<Integer> integers_;
};

}  // namespace tern::linalg
