// SPDX-License-Identifier: Apache-2.0
// LAPACK's own test programs judge tern::linalg: a library to be preloaded into them, which answers some of LAPACK's
// routines by Tern's functions. lapack_testers.py runs the programs. What Tern has no function for (questions for work
// memory, left eigenvectors, transposed right-hand sides) goes on to the library that the program is linked to.
//
// On exit the calls that Tern answered are counted in the file that TERN_SHIM_COUNTS names.
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <complex>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tern/linalg.h"
#include "tern/ops.h"

namespace tern::testing {
namespace {

using Integer = int;
using In = const Integer*;
using Flag = const char*;
using Length = size_t;

enum Routine { kGetrf, kGetrs, kPotrf, kPotrs, kGesdd, kGesvd, kSyevd, kGeev, kGelsd, kRoutines };
constexpr std::array<const char*, kRoutines> kNames = {"getrf", "getrs", "potrf", "potrs", "gesdd",
                                                       "gesvd", "syevd", "geev",  "gelsd"};

// Counts, and writes them at the end of the program.
struct Counts {
  std::array<std::atomic<int64_t>, kRoutines> of{};
  ~Counts() {
    const char* const path = std::getenv("TERN_SHIM_COUNTS");
    std::FILE* const file = path == nullptr ? nullptr : std::fopen(path, "w");
    if (file == nullptr) return;
    for (size_t i = 0; i < kRoutines; ++i)
      std::fprintf(file, "%s %lld\n", kNames[i], static_cast<long long>(of[i].load()));
    std::fclose(file);
  }
};
Counts counts;

// The library under Tern calls some of these routines, too: those calls are not Tern's to answer.
thread_local bool within = false;

class Answering {
 public:
  explicit Answering(Routine routine) {
    within = true;
    ++counts.of[routine];
  }
  ~Answering() { within = false; }
};

const Device& cpu() {
  static const Device device = Device::open("cpu");
  return device;
}

template <class T>
struct RealNumber {
  using type = T;
};
template <class T>
struct RealNumber<std::complex<T>> {
  using type = T;
};
template <class T>
using Real = typename RealNumber<T>::type;
template <class T>
inline constexpr bool is_complex_number = !std::is_same_v<T, Real<T>>;

// The m × n matrix at a: a transposed view, as LAPACK's columns are.
template <class T>
Tensor matrix(const T* a, Integer m, Integer n, Integer lda) {
  std::vector<T> values;
  for (Integer j = 0; j < n; ++j) values.insert(values.end(), a + int64_t{j} * lda, a + int64_t{j} * lda + m);
  return transpose(Tensor::from(values, {n, m}, cpu()));
}

template <class T>
void store(const Tensor& from, T* a, Integer lda) {
  const std::vector<T> values = from.to_vector<T>();
  const int64_t m = from.size(-2), n = from.size(-1);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) a[i + j * lda] = values[static_cast<size_t>(i * n + j)];
  }
}

template <class R>
void store_vector(const Tensor& from, R* to) {
  std::ranges::copy(from.to_vector<R>(), to);
}

// The routine of that name of the library behind this one.
template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

// Exchanges of rows, counted from 1, that make the permutation: row i of the result is row order[i].
void store_exchanges(const std::vector<Integer>& order, Integer count, Integer* pivots) {
  std::vector<Integer> rows(order.size());
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<Integer>(i);
  for (Integer i = 0; i < count; ++i) {
    const auto at = std::ranges::find(rows, order[static_cast<size_t>(i)]) - rows.begin();
    std::swap(rows[static_cast<size_t>(i)], rows[static_cast<size_t>(at)]);
    pivots[i] = static_cast<Integer>(at) + 1;
  }
}

template <class T>
void getrf(Integer m, Integer n, T* a, Integer lda, Integer* pivots, Integer* info) {
  const Answering answering(kGetrf);
  const linalg::Lu f = linalg::lu(matrix(a, m, n, lda));
  const std::vector<T> p = f.p.to_vector<T>(), l = f.l.to_vector<T>(), u = f.u.to_vector<T>();
  const Integer k = std::min(m, n);
  std::vector<Integer> order(static_cast<size_t>(m));
  for (Integer i = 0; i < m; ++i) {
    for (Integer j = 0; j < m; ++j) {
      if (p[static_cast<size_t>(i * m + j)] != T(0)) order[static_cast<size_t>(j)] = i;
    }
  }
  store_exchanges(order, k, pivots);
  *info = 0;
  for (Integer i = 0; i < m; ++i) {
    for (Integer j = 0; j < n; ++j) {
      a[i + int64_t{j} * lda] = i > j ? l[static_cast<size_t>(i * k + j)] : u[static_cast<size_t>(i * n + j)];
    }
    if (i < k && *info == 0 && u[static_cast<size_t>(i * n + i)] == T(0)) *info = i + 1;
  }
}

template <class T>
void getrs(Integer n, Integer columns, const T* a, Integer lda, const Integer* pivots, T* b, Integer ldb) {
  const Answering answering(kGetrs);
  std::vector<int32_t> from_zero(pivots, pivots + n);
  for (int32_t& pivot : from_zero) --pivot;
  const linalg::LuFactors factors = {matrix(a, n, n, lda), Tensor::from(from_zero, {n}, cpu())};
  store(linalg::lu_solve(factors, matrix(b, n, columns, ldb)), b, ldb);
}

template <class T>
Tensor adjoint(const Tensor& x) {
  std::vector<T> values = clone(transpose(x)).to_vector<T>();
  if constexpr (is_complex_number<T>) {
    for (T& value : values) value = std::conj(value);
  }
  return Tensor::from(values, {x.size(-1), x.size(-2)}, cpu());
}

// The matrix by its lower triangle, which is all that Tern reads: what LAPACK has in the upper one is its adjoint.
template <class T>
Tensor lower_of(const T* a, Integer n, Integer lda, bool upper) {
  return upper ? adjoint<T>(matrix(a, n, n, lda)) : matrix(a, n, n, lda);
}

template <class T>
void potrf(bool upper, Integer n, T* a, Integer lda, Integer* info) {
  const Answering answering(kPotrf);
  *info = 0;
  try {
    const Tensor result = linalg::cholesky(lower_of(a, n, lda, upper), upper);
    const std::vector<T> factor = result.to_vector<T>();
    for (Integer i = 0; i < n; ++i) {
      for (Integer j = upper ? i : 0; j < (upper ? n : i + 1); ++j) {
        a[i + int64_t{j} * lda] = factor[static_cast<size_t>(i * n + j)];
      }
    }
  } catch (const LinalgError& error) {
    const std::string message = error.what(), before = "minor of order ";
    *info = std::atoi(message.c_str() + message.find(before) + before.size());
  }
}

template <class T>
void potrs(bool upper, Integer n, Integer columns, const T* a, Integer lda, T* b, Integer ldb) {
  const Answering answering(kPotrs);
  const Tensor factor = matrix(a, n, n, lda), other = adjoint<T>(factor);
  const Tensor& lower = upper ? other : factor;
  const Tensor half = linalg::solve_triangular(lower, matrix(b, n, columns, ldb), false);
  store(linalg::solve_triangular(upper ? factor : other, half, true), b, ldb);
}

// u and vt where they are wanted: 'A' all, 'S' the first min(m, n), 'O' those in a, 'N' none.
template <class T>
void svd(Routine routine, char left, char right, Integer m, Integer n, T* a, Integer lda, Real<T>* s, T* u, Integer ldu,
         T* vt, Integer ldvt) {
  const Answering answering(routine);
  const Tensor x = matrix(a, m, n, lda);
  if (left == 'N' && right == 'N') return store_vector(linalg::svdvals(x), s);
  const bool full = left == 'A' || right == 'A';
  const linalg::Svd f = linalg::svd(x, full);
  const int64_t k = std::min(m, n);
  store_vector(f.s, s);
  if (left != 'N') store(left == 'A' ? f.u : slice(f.u, -1, 0, k), left == 'O' ? a : u, left == 'O' ? lda : ldu);
  if (right != 'N') {
    store(right == 'A' ? f.vh : slice(f.vh, -2, 0, k), right == 'O' ? a : vt, right == 'O' ? lda : ldvt);
  }
}

// gesdd's one letter: 'O' leaves the smaller factor's place to a.
template <class T>
void gesdd(char job, Integer m, Integer n, T* a, Integer lda, Real<T>* s, T* u, Integer ldu, T* vt, Integer ldvt) {
  const char left = job != 'O' ? job : m >= n ? 'O' : 'A';
  const char right = job != 'O' ? job : m >= n ? 'A' : 'O';
  svd(kGesdd, left, right, m, n, a, lda, s, u, ldu, vt, ldvt);
}

template <class T>
void syevd(bool vectors, bool upper, Integer n, T* a, Integer lda, Real<T>* w) {
  const Answering answering(kSyevd);
  const Tensor x = lower_of(a, n, lda, upper);
  if (!vectors) return store_vector(linalg::eigvalsh(x), w);
  const linalg::Eigen f = linalg::eigh(x);
  store_vector(f.values, w);
  store(f.vectors, a, lda);
}

// A pair of conjugate vectors takes two columns of a real matrix: the real parts, then the imaginary ones.
inline void store_pairs(const std::vector<std::complex<double>>& w, const Tensor& vectors, double* vr, Integer ldvr) {
  const auto n = static_cast<Integer>(w.size());
  const std::vector<std::complex<double>> v = vectors.to_vector<std::complex<double>>();
  for (Integer j = 0; j < n; ++j) {
    for (Integer i = 0; i < n; ++i) {
      const std::complex<double> value = v[static_cast<size_t>(i * n + j)];
      vr[i + int64_t{j} * ldvr] = value.real();
      if (w[static_cast<size_t>(j)].imag() > 0) vr[i + int64_t{j + 1} * ldvr] = value.imag();
    }
    if (w[static_cast<size_t>(j)].imag() > 0) ++j;
  }
}

template <class T>
std::vector<std::complex<double>> geev(bool vectors, const Tensor& x, T* vr, Integer ldvr) {
  const Answering answering(kGeev);
  if (!vectors) return linalg::eigvals(x).to_vector<std::complex<double>>();
  const linalg::Eigen f = linalg::eig(x);
  const std::vector<std::complex<double>> w = f.values.to_vector<std::complex<double>>();
  if constexpr (is_complex_number<T>) {
    store(f.vectors, vr, ldvr);
  } else {
    store_pairs(w, f.vectors, vr, ldvr);
  }
  return w;
}

template <class T>
void gelsd(Integer m, Integer n, Integer columns, T* a, Integer lda, T* b, Integer ldb, Real<T>* s, Real<T> rcond,
           Integer* rank) {
  const Answering answering(kGelsd);
  const double rtol = rcond >= 0 ? rcond : 0x1p-52;
  const linalg::LeastSquares fit = linalg::lstsq(matrix(a, m, n, lda), matrix(b, m, columns, ldb), rtol);
  store(fit.solution, b, ldb);
  store_vector(fit.singular_values, s);
  *rank = static_cast<Integer>(fit.rank.item());
}

bool is(Flag flag, char letter) { return (*flag & 0xdf) == letter; }
char letter_of(Flag flag) { return static_cast<char>(*flag & 0xdf); }

// Whether the library behind is to answer: Tern is at work itself, or this is a question for work memory.
bool passes_on(Integer work = 0) { return within || work == -1; }

}  // namespace
}  // namespace tern::testing

using namespace tern::testing;
using Complex = std::complex<double>;

// The names that Fortran gives them, double and complex double.
extern "C" {

void dgetrf_(In m, In n, double* a, In lda, Integer* pivots, Integer* info) {
  if (passes_on()) return next<decltype(dgetrf_)>("dgetrf_")(m, n, a, lda, pivots, info);
  getrf(*m, *n, a, *lda, pivots, info);
}
void zgetrf_(In m, In n, Complex* a, In lda, Integer* pivots, Integer* info) {
  if (passes_on()) return next<decltype(zgetrf_)>("zgetrf_")(m, n, a, lda, pivots, info);
  getrf(*m, *n, a, *lda, pivots, info);
}

void dgetrs_(Flag op, In n, In columns, const double* a, In lda, In pivots, double* b, In ldb, Integer* info,
             Length x) {
  if (passes_on() || !is(op, 'N')) {
    return next<decltype(dgetrs_)>("dgetrs_")(op, n, columns, a, lda, pivots, b, ldb, info, x);
  }
  getrs(*n, *columns, a, *lda, pivots, b, *ldb);
  *info = 0;
}
void zgetrs_(Flag op, In n, In columns, const Complex* a, In lda, In pivots, Complex* b, In ldb, Integer* info,
             Length x) {
  if (passes_on() || !is(op, 'N')) {
    return next<decltype(zgetrs_)>("zgetrs_")(op, n, columns, a, lda, pivots, b, ldb, info, x);
  }
  getrs(*n, *columns, a, *lda, pivots, b, *ldb);
  *info = 0;
}

void dpotrf_(Flag uplo, In n, double* a, In lda, Integer* info, Length x) {
  if (passes_on()) return next<decltype(dpotrf_)>("dpotrf_")(uplo, n, a, lda, info, x);
  potrf(is(uplo, 'U'), *n, a, *lda, info);
}
void zpotrf_(Flag uplo, In n, Complex* a, In lda, Integer* info, Length x) {
  if (passes_on()) return next<decltype(zpotrf_)>("zpotrf_")(uplo, n, a, lda, info, x);
  potrf(is(uplo, 'U'), *n, a, *lda, info);
}

void dpotrs_(Flag uplo, In n, In columns, const double* a, In lda, double* b, In ldb, Integer* info, Length x) {
  if (passes_on()) return next<decltype(dpotrs_)>("dpotrs_")(uplo, n, columns, a, lda, b, ldb, info, x);
  potrs(is(uplo, 'U'), *n, *columns, a, *lda, b, *ldb);
  *info = 0;
}
void zpotrs_(Flag uplo, In n, In columns, const Complex* a, In lda, Complex* b, In ldb, Integer* info, Length x) {
  if (passes_on()) return next<decltype(zpotrs_)>("zpotrs_")(uplo, n, columns, a, lda, b, ldb, info, x);
  potrs(is(uplo, 'U'), *n, *columns, a, *lda, b, *ldb);
  *info = 0;
}

void dgesdd_(Flag job, In m, In n, double* a, In lda, double* s, double* u, In ldu, double* vt, In ldvt, double* work,
             In size, Integer* integers, Integer* info, Length x) {
  if (passes_on(*size)) {
    return next<decltype(dgesdd_)>("dgesdd_")(job, m, n, a, lda, s, u, ldu, vt, ldvt, work, size, integers, info, x);
  }
  gesdd(letter_of(job), *m, *n, a, *lda, s, u, *ldu, vt, *ldvt);
  *info = 0;
}
void zgesdd_(Flag job, In m, In n, Complex* a, In lda, double* s, Complex* u, In ldu, Complex* vt, In ldvt,
             Complex* work, In size, double* reals, Integer* integers, Integer* info, Length x) {
  if (passes_on(*size)) {
    return next<decltype(zgesdd_)>("zgesdd_")(job, m, n, a, lda, s, u, ldu, vt, ldvt, work, size, reals, integers, info,
                                              x);
  }
  gesdd(letter_of(job), *m, *n, a, *lda, s, u, *ldu, vt, *ldvt);
  *info = 0;
}

void dgesvd_(Flag left, Flag right, In m, In n, double* a, In lda, double* s, double* u, In ldu, double* vt, In ldvt,
             double* work, In size, Integer* info, Length x, Length y) {
  if (passes_on(*size)) {
    return next<decltype(dgesvd_)>("dgesvd_")(left, right, m, n, a, lda, s, u, ldu, vt, ldvt, work, size, info, x, y);
  }
  svd(kGesvd, letter_of(left), letter_of(right), *m, *n, a, *lda, s, u, *ldu, vt, *ldvt);
  *info = 0;
}
void zgesvd_(Flag left, Flag right, In m, In n, Complex* a, In lda, double* s, Complex* u, In ldu, Complex* vt, In ldvt,
             Complex* work, In size, double* reals, Integer* info, Length x, Length y) {
  if (passes_on(*size)) {
    return next<decltype(zgesvd_)>("zgesvd_")(left, right, m, n, a, lda, s, u, ldu, vt, ldvt, work, size, reals, info,
                                              x, y);
  }
  svd(kGesvd, letter_of(left), letter_of(right), *m, *n, a, *lda, s, u, *ldu, vt, *ldvt);
  *info = 0;
}

void dsyevd_(Flag job, Flag uplo, In n, double* a, In lda, double* w, double* work, In size, Integer* integers,
             In integer_size, Integer* info, Length x, Length y) {
  if (passes_on(*size)) {
    return next<decltype(dsyevd_)>("dsyevd_")(job, uplo, n, a, lda, w, work, size, integers, integer_size, info, x, y);
  }
  syevd(is(job, 'V'), is(uplo, 'U'), *n, a, *lda, w);
  *info = 0;
}
void zheevd_(Flag job, Flag uplo, In n, Complex* a, In lda, double* w, Complex* work, In size, double* reals,
             In real_size, Integer* integers, In integer_size, Integer* info, Length x, Length y) {
  if (passes_on(*size)) {
    return next<decltype(zheevd_)>("zheevd_")(job, uplo, n, a, lda, w, work, size, reals, real_size, integers,
                                              integer_size, info, x, y);
  }
  syevd(is(job, 'V'), is(uplo, 'U'), *n, a, *lda, w);
  *info = 0;
}

// Left eigenvectors are the other library's; values and right ones are Tern's.
void dgeev_(Flag left, Flag right, In n, double* a, In lda, double* wr, double* wi, double* vl, In ldvl, double* vr,
            In ldvr, double* work, In size, Integer* info, Length x, Length y) {
  const auto other = next<decltype(dgeev_)>("dgeev_");
  if (passes_on(*size)) return other(left, right, n, a, lda, wr, wi, vl, ldvl, vr, ldvr, work, size, info, x, y);
  const tern::Tensor given = matrix(a, *n, *n, *lda);
  *info = 0;
  if (is(left, 'V')) other(left, right, n, a, lda, wr, wi, vl, ldvl, vr, ldvr, work, size, info, x, y);
  const std::vector<Complex> w = geev(is(right, 'V'), given, vr, *ldvr);
  for (size_t i = 0; i < w.size(); ++i) {
    wr[i] = w[i].real();
    wi[i] = w[i].imag();
  }
}
void zgeev_(Flag left, Flag right, In n, Complex* a, In lda, Complex* w, Complex* vl, In ldvl, Complex* vr, In ldvr,
            Complex* work, In size, double* reals, Integer* info, Length x, Length y) {
  const auto other = next<decltype(zgeev_)>("zgeev_");
  if (passes_on(*size)) return other(left, right, n, a, lda, w, vl, ldvl, vr, ldvr, work, size, reals, info, x, y);
  const tern::Tensor given = matrix(a, *n, *n, *lda);
  *info = 0;
  if (is(left, 'V')) other(left, right, n, a, lda, w, vl, ldvl, vr, ldvr, work, size, reals, info, x, y);
  std::ranges::copy(geev(is(right, 'V'), given, vr, *ldvr), w);
}

void dgelsd_(In m, In n, In columns, double* a, In lda, double* b, In ldb, double* s, const double* rcond,
             Integer* rank, double* work, In size, Integer* integers, Integer* info) {
  if (passes_on(*size)) {
    return next<decltype(dgelsd_)>("dgelsd_")(m, n, columns, a, lda, b, ldb, s, rcond, rank, work, size, integers,
                                              info);
  }
  gelsd(*m, *n, *columns, a, *lda, b, *ldb, s, *rcond, rank);
  *info = 0;
}
void zgelsd_(In m, In n, In columns, Complex* a, In lda, Complex* b, In ldb, double* s, const double* rcond,
             Integer* rank, Complex* work, In size, double* reals, Integer* integers, Integer* info) {
  if (passes_on(*size)) {
    return next<decltype(zgelsd_)>("zgelsd_")(m, n, columns, a, lda, b, ldb, s, rcond, rank, work, size, reals,
                                              integers, info);
  }
  gelsd(*m, *n, *columns, a, *lda, b, *ldb, s, *rcond, rank);
  *info = 0;
}

}  // extern "C"
