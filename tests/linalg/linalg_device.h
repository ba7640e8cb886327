// SPDX-License-Identifier: Apache-2.0
// The device that tests of linear algebra run on: the test device, or, where TERN_TEST_LINALG is "device", a CPU whose
// factorizations stand behind the table of a device, as a GPU's do: what linalg does on a GPU, without one.
#pragma once

#include <algorithm>
#include <complex>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "device/linalg_kernels.h"
#include "linalg/matrices.h"
#include "linalg/routines.h"
#include "support/test_device.h"
#include "support/wrapped_cpu.h"

namespace tern::testing {

namespace factoring {

using linalg::Integer;

template <class Fn>
void each(DType dtype, int64_t count, const Fn& fn) {
  linalg::for_element_type(dtype, [&]<class T>() {
    const linalg::OneThreadEach turn;
    for (int64_t i = 0; i < count; ++i) fn.template operator()<T>(i);
  });
}

template <class T>
T* matrix(void* data, int64_t i, int64_t size) {
  return static_cast<T*>(data) + i * size;
}
template <class T>
const T* matrix(const void* data, int64_t i, int64_t size) {
  return static_cast<const T*>(data) + i * size;
}

inline Integer narrow(int64_t x) { return static_cast<Integer>(x); }

inline void prepare(const Exec&) {}

inline void factor_lu(const Exec&, const FactorLuArgs& args) noexcept {
  each(args.dtype, args.count, [&]<class T>(int64_t i) {
    std::vector<Integer> pivots(static_cast<size_t>(std::min(args.m, args.n)));
    args.info[i] =
        linalg::factor_lu(narrow(args.m), narrow(args.n), matrix<T>(args.a, i, args.m * args.n), pivots.data());
    std::copy(pivots.begin(), pivots.end(), args.pivots + i * std::min(args.m, args.n));
  });
}

inline void solve_lu(const Exec&, const SolveLuArgs& args) noexcept {
  each(args.dtype, args.count, [&]<class T>(int64_t i) {
    const int64_t of = args.matrix_of[i];
    const std::vector<Integer> pivots(args.pivots + of * args.n, args.pivots + (of + 1) * args.n);
    linalg::solve_factored(args.op, narrow(args.n), narrow(args.columns), matrix<T>(args.lu, of, args.n * args.n),
                           pivots.data(), matrix<T>(args.b, i, args.n * args.columns));
  });
}

inline void solve_triangle(const Exec&, const SolveTriangleArgs& args) noexcept {
  each(args.dtype, args.count, [&]<class T>(int64_t i) {
    linalg::solve_triangle(args.triangle, args.op, narrow(args.n), narrow(args.columns),
                           matrix<T>(args.a, args.matrix_of[i], args.n * args.n),
                           matrix<T>(args.b, i, args.n * args.columns));
  });
}

inline void factor_cholesky(const Exec&, const FactorCholeskyArgs& args) noexcept {
  each(args.dtype, args.count, [&]<class T>(int64_t i) {
    args.info[i] = linalg::factor_cholesky(args.triangle, narrow(args.n), matrix<T>(args.a, i, args.n * args.n));
  });
}

// Householder's reflectors one after the other, as geqr2 has them: H = 1 - tau·v·vᴴ with v_0 = 1 and Hᴴ·x = beta·e_0.
template <class T>
T reflector(T* x, int64_t count) {
  using R = linalg::Real<T>;
  R rest = 0;
  for (int64_t i = 1; i < count; ++i) rest += std::norm(x[i]);
  if (rest == 0 && std::imag(x[0]) == 0) return T(0);
  const R alpha = std::real(x[0]), beta = -std::copysign(std::sqrt(std::norm(x[0]) + rest), alpha);
  const T tau = (T(beta) - x[0]) / beta, scale = T(1) / (x[0] - T(beta));
  for (int64_t i = 1; i < count; ++i) x[i] *= scale;
  x[0] = T(beta);
  return tau;
}

template <class T>
T conjugate(T x) {
  if constexpr (linalg::is_complex_type<T>) return std::conj(x);
  return x;
}

// y -= tau·v·(vᴴ·y) with v_0 = 1.
template <class T>
void reflect(const T* v, T tau, T* y, int64_t count) {
  T dot = y[0];
  for (int64_t i = 1; i < count; ++i) dot += conjugate(v[i]) * y[i];
  y[0] -= tau * dot;
  for (int64_t i = 1; i < count; ++i) y[i] -= tau * dot * v[i];
}

inline void factor_qr(const Exec&, const FactorQrArgs& args) noexcept {
  const int64_t k = std::min(args.m, args.n);
  each(args.dtype, args.count, [&]<class T>(int64_t index) {
    T* const a = matrix<T>(args.a, index, args.m * args.n);
    T* const tau = matrix<T>(args.tau, index, k);
    for (int64_t i = 0; i < k; ++i) {
      T* const v = a + i * args.m + i;
      tau[i] = reflector(v, args.m - i);
      for (int64_t j = i + 1; j < args.n; ++j) reflect(v, conjugate(tau[i]), a + j * args.m + i, args.m - i);
    }
  });
}

inline void make_q(const Exec&, const MakeQArgs& args) noexcept {
  each(args.dtype, args.count, [&]<class T>(int64_t index) {
    T* const q = matrix<T>(args.q, index, args.m * args.columns);
    const T* const tau = matrix<T>(args.tau, index, args.k);
    const std::vector<T> reflectors(q, q + args.m * args.k);
    std::fill_n(q, args.m * args.columns, T(0));
    for (int64_t j = 0; j < args.columns; ++j) {
      q[j * args.m + j] = T(1);
      for (int64_t i = args.k - 1; i >= 0; --i) {
        reflect(reflectors.data() + i * args.m + i, tau[i], q + j * args.m + i, args.m - i);
      }
    }
  });
}

inline void singular_values(const Exec&, const SingularValuesArgs& args) noexcept {
  const int64_t columns = args.job == 'A' ? args.m : args.n;
  each(args.dtype, args.count, [&]<class T>(int64_t i) {
    linalg::SingularValues<T> singular(args.job, narrow(args.m), narrow(args.n));
    const bool vectors = args.job != 'N';
    args.info[i] = singular(matrix<T>(args.a, i, args.m * args.n), matrix<linalg::Real<T>>(args.s, i, args.n),
                            vectors ? matrix<T>(args.u, i, args.m * columns) : nullptr,
                            vectors ? matrix<T>(args.vh, i, args.n * args.n) : nullptr);
  });
}

inline void hermitian_eigen(const Exec&, const HermitianEigenArgs& args) noexcept {
  each(args.dtype, args.count, [&]<class T>(int64_t i) {
    linalg::HermitianEigen<T> eigen(args.vectors, 'L', narrow(args.n));
    args.info[i] = eigen(matrix<T>(args.a, i, args.n * args.n), matrix<linalg::Real<T>>(args.values, i, args.n));
  });
}

inline void general_eigen(const Exec&, const GeneralEigenArgs& args) noexcept {
  const Integer n = narrow(args.n), query = -1;
  each(args.dtype, args.count, [&]<class T>(int64_t i) {
    T* const a = matrix<T>(args.a, i, args.n * args.n);
    T* const vectors = args.vectors == nullptr ? nullptr : matrix<T>(args.vectors, i, args.n * args.n);
    const char* const job = vectors == nullptr ? "N" : "V";
    const auto call = [&](T* work, Integer size) {
      Integer info = 0;
      if constexpr (linalg::is_complex_type<T>) {
        std::vector<linalg::Real<T>> reals(static_cast<size_t>(2 * n));
        linalg::lapack<T>().geev("N", job, &n, a, &n, matrix<T>(args.values, i, args.n), nullptr, &n, vectors, &n, work,
                                 &size, reals.data(), &info, 1, 1);
      } else {
        T* const values = matrix<T>(args.values, i, 2 * args.n);
        linalg::lapack<T>().geev("N", job, &n, a, &n, values, values + n, nullptr, &n, vectors, &n, work, &size, &info,
                                 1, 1);
      }
      return info;
    };
    T answer = 0;
    call(&answer, query);
    std::vector<T> work(static_cast<size_t>(linalg::work_size(answer)));
    args.info[i] = call(work.data(), narrow(std::ssize(work)));
  });
}

class FactoringBackend final : public WrappedCpu {
 public:
  explicit FactoringBackend(const Device& cpu) : WrappedCpu(cpu, "has factorizations of its own") {
    table().linalg = &linalg_;
  }

 private:
  LinalgKernels linalg_ = {prepare,   factor_lu, solve_lu,        solve_triangle,  factor_cholesky,
                           factor_qr, make_q,    singular_values, hermitian_eigen, general_eigen};
};

}  // namespace factoring

inline Device linalg_device(int threads = 0) {
  const char* const routines = std::getenv("TERN_TEST_LINALG");
  if (routines == nullptr || std::string_view(routines) != "device") return test_device(threads);
  return Device(std::make_shared<factoring::FactoringBackend>(Device::open("cpu", {.threads = threads})));
}

}  // namespace tern::testing
