// SPDX-License-Identifier: Apache-2.0
// The routines of BLAS and LAPACK that Tern calls, by Fortran's interface: scalars by address, matrices by columns, and
// behind all arguments the length of each character. https://netlib.org/lapack/explore-html says what each does.
#pragma once

#include <complex>
#include <cstddef>
#include <type_traits>

namespace tern::linalg {

template <class T>
struct RealOf {
  using type = T;
};
template <class T>
struct RealOf<std::complex<T>> {
  using type = T;
};
// float of float and of std::complex<float>.
template <class T>
using Real = typename RealOf<T>::type;

template <class T>
inline constexpr bool is_complex_type = !std::is_same_v<T, Real<T>>;

// Fortran's INTEGER in the libraries that Debian calls libopenblas.so.0.
using Integer = int;
using In = const Integer*;
using Flag = const char*;
using Length = size_t;

// Arguments that routines for complex matrices have in other places than those for real ones.
template <class T, class RealForm, class ComplexForm>
using Form = std::conditional_t<is_complex_type<T>, ComplexForm, RealForm>*;

template <class T>
struct Lapack {
  using R = Real<T>;

  void (*gemm)(Flag, Flag, In m, In n, In k, const T* alpha, const T* a, In, const T* b, In, const T* beta, T* c, In,
               Length, Length);
  void (*trsm)(Flag side, Flag uplo, Flag trans, Flag diag, In m, In n, const T* alpha, const T* a, In, T* b, In,
               Length, Length, Length, Length);

  void (*getrf)(In m, In n, T* a, In, Integer* pivots, Integer* info);
  void (*getrs)(Flag trans, In n, In columns, const T* a, In, const Integer* pivots, T* b, In, Integer* info, Length);
  void (*getri)(In n, T* a, In, const Integer* pivots, T* work, In, Integer* info);
  void (*potrf)(Flag uplo, In n, T* a, In, Integer* info, Length);

  void (*gelqf)(In m, In n, T* a, In, T* tau, T* work, In, Integer* info);
  void (*unglq)(In m, In n, In k, T* a, In, const T* tau, T* work, In, Integer* info);  // orglq of real ones

  Form<T,
       void(Flag job, In m, In n, T* a, In, R* s, T* u, In, T* vt, In, T* work, In, Integer* iwork, Integer* info,
            Length),
       void(Flag job, In m, In n, T* a, In, R* s, T* u, In, T* vt, In, T* work, In, R* rwork, Integer* iwork,
            Integer* info, Length)>
      gesdd;
  Form<T,
       void(Flag job, Flag uplo, In n, T* a, In, R* w, T* work, In, Integer* iwork, In, Integer* info, Length, Length),
       void(Flag job, Flag uplo, In n, T* a, In, R* w, T* work, In, R* rwork, In, Integer* iwork, In, Integer* info,
            Length, Length)>
      heevd;  // syevd of real ones
  Form<T,
       void(Flag left, Flag right, In n, T* a, In, R* real, R* imaginary, T* vl, In, T* vr, In, T* work, In,
            Integer* info, Length, Length),
       void(Flag left, Flag right, In n, T* a, In, T* w, T* vl, In, T* vr, In, T* work, In, R* rwork, Integer* info,
            Length, Length)>
      geev;
  Form<T,
       void(In m, In n, In columns, T* a, In, T* b, In, R* s, const R* rcond, Integer* rank, T* work, In,
            Integer* iwork, Integer* info),
       void(In m, In n, In columns, T* a, In, T* b, In, R* s, const R* rcond, Integer* rank, T* work, In, R* rwork,
            Integer* iwork, Integer* info)>
      gelsd;
};

}  // namespace tern::linalg
