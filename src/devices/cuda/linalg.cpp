// SPDX-License-Identifier: Apache-2.0
// Factorizations of matrices by cuSOLVER, a matrix after the other but for those eigenvalues that it takes in batches.
#include "device/linalg_kernels.h"

#include <cuComplex.h>

#include <algorithm>
#include <type_traits>

#include "devices/cuda/solver.h"
#include "devices/cuda/tables.h"

namespace tern::cuda {
namespace {

cudaDataType type_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return CUDA_R_64F;
    case DType::c64:
      return CUDA_C_32F;
    case DType::c128:
      return CUDA_C_64F;
    default:
      return CUDA_R_32F;
  }
}

DType real_of(DType dtype) { return dtype == DType::f64 || dtype == DType::c128 ? DType::f64 : DType::f32; }
bool is_real(DType dtype) { return dtype == real_of(dtype); }

// The element `index` of an array of a dtype.
void* at(void* p, DType dtype, int64_t index) {
  return p == nullptr ? nullptr : static_cast<char*>(p) + index * static_cast<int64_t>(size_of(dtype));
}
const void* at(const void* p, DType dtype, int64_t index) {
  return static_cast<const char*>(p) + index * static_cast<int64_t>(size_of(dtype));
}

cublasOperation_t operation(char op) { return op == 'N' ? CUBLAS_OP_N : CUBLAS_OP_T; }
cublasFillMode_t triangle(char letter) { return letter == 'L' ? CUBLAS_FILL_MODE_LOWER : CUBLAS_FILL_MODE_UPPER; }
cusolverEigMode_t mode(bool vectors) { return vectors ? CUSOLVER_EIG_MODE_VECTOR : CUSOLVER_EIG_MODE_NOVECTOR; }

// Calls fn(T{}, routine of T), with the library's element type T, of a routine that has a name for each.
template <class Routine, class Fn>
void by_type(DType dtype, const Routine& routine, const Fn& fn) {
  switch (dtype) {
    case DType::f64:
      return fn(double{}, routine.f64);
    case DType::c64:
      return fn(cuComplex{}, routine.c64);
    case DType::c128:
      return fn(cuDoubleComplex{}, routine.c128);
    default:
      return fn(float{}, routine.f32);
  }
}

template <class T>
T one() {
  if constexpr (sizeof(T) == 2 * sizeof(float) && !std::is_floating_point_v<T>) return make_cuComplex(1, 0);
  if constexpr (sizeof(T) == 2 * sizeof(double)) return make_cuDoubleComplex(1, 0);
  if constexpr (std::is_floating_point_v<T>) return T{1};
}

void factor_lu(const Exec& exec, const FactorLuArgs& args) noexcept {
  SolverCall call(exec, "getrf");
  const auto& [work_size, run] = call.library().getrf;
  const cudaDataType type = type_of(args.dtype);
  call.take_room([&](size_t* device, size_t* host) {
    return work_size(call.handle(), call.params(), args.m, args.n, type, args.a, args.m, type, device, host);
  });
  for (int64_t i = 0; i < args.count && !call.failed(); ++i) {
    call.keep(run(call.handle(), call.params(), args.m, args.n, type, at(args.a, args.dtype, i * args.m * args.n),
                  args.m, args.pivots + i * std::min(args.m, args.n), type, call.device_room(), call.device_bytes(),
                  call.host_room(), call.host_bytes(), args.info + i));
  }
}

void solve_lu(const Exec& exec, const SolveLuArgs& args) noexcept {
  SolverCall call(exec, "getrs");
  const cudaDataType type = type_of(args.dtype);
  const Room info(exec, sizeof(int), "getrs");  // of wrong arguments alone
  if (!info) return;
  for (int64_t i = 0; i < args.count && !call.failed(); ++i) {
    const int64_t of = args.matrix_of[i];
    call.keep(call.library().getrs(call.handle(), call.params(), operation(args.op), args.n, args.columns, type,
                                   at(args.lu, args.dtype, of * args.n * args.n), args.n, args.pivots + of * args.n,
                                   type, at(args.b, args.dtype, i * args.n * args.columns), args.n, info.as<int>()));
  }
}

void solve_triangle(const Exec& exec, const SolveTriangleArgs& args) noexcept {
  SolverCall call(exec, "trsm");
  by_type(args.dtype, call.library().trsm, [&](auto element, auto* trsm) {
    using T = decltype(element);
    const T factor = one<T>();
    for (int64_t i = 0; i < args.count && !call.failed(); ++i) {
      call.keep(trsm(call.blas(), CUBLAS_SIDE_LEFT, triangle(args.triangle), operation(args.op), CUBLAS_DIAG_NON_UNIT,
                     args.n, args.columns, &factor, static_cast<const T*>(args.a) + args.matrix_of[i] * args.n * args.n,
                     args.n, static_cast<T*>(args.b) + i * args.n * args.columns, args.n));
    }
  });
}

void factor_cholesky(const Exec& exec, const FactorCholeskyArgs& args) noexcept {
  SolverCall call(exec, "potrf");
  const auto& [work_size, run] = call.library().potrf;
  const cudaDataType type = type_of(args.dtype);
  const cublasFillMode_t fill = triangle(args.triangle);
  call.take_room([&](size_t* device, size_t* host) {
    return work_size(call.handle(), call.params(), fill, args.n, type, args.a, args.n, type, device, host);
  });
  for (int64_t i = 0; i < args.count && !call.failed(); ++i) {
    call.keep(run(call.handle(), call.params(), fill, args.n, type, at(args.a, args.dtype, i * args.n * args.n), args.n,
                  type, call.device_room(), call.device_bytes(), call.host_room(), call.host_bytes(), args.info + i));
  }
}

void factor_qr(const Exec& exec, const FactorQrArgs& args) noexcept {
  SolverCall call(exec, "geqrf");
  const auto& [work_size, run] = call.library().geqrf;
  const cudaDataType type = type_of(args.dtype);
  const int64_t k = std::min(args.m, args.n);
  call.take_room([&](size_t* device, size_t* host) {
    return work_size(call.handle(), call.params(), args.m, args.n, type, args.a, args.m, type, args.tau, type, device,
                     host);
  });
  for (int64_t i = 0; i < args.count && !call.failed(); ++i) {
    call.keep(run(call.handle(), call.params(), args.m, args.n, type, at(args.a, args.dtype, i * args.m * args.n),
                  args.m, type, at(args.tau, args.dtype, i * k), type, call.device_room(), call.device_bytes(),
                  call.host_room(), call.host_bytes(), args.info + i));
  }
}

void make_q(const Exec& exec, const MakeQArgs& args) noexcept {
  SolverCall call(exec, "orgqr");
  const int m = static_cast<int>(args.m), columns = static_cast<int>(args.columns), k = static_cast<int>(args.k);
  int size = 0;
  by_type(args.dtype, call.library().orgqr_work_size, [&](auto element, auto* work_size) {
    using T = decltype(element);
    call.keep(work_size(call.handle(), m, columns, k, static_cast<const T*>(args.q), m, static_cast<const T*>(args.tau),
                        &size));
  });
  by_type(args.dtype, call.library().orgqr, [&](auto element, auto* orgqr) {
    using T = decltype(element);
    const Room work(exec, static_cast<size_t>(std::max(size, 1)) * sizeof(T), "orgqr");
    if (!work) return;
    for (int64_t i = 0; i < args.count && !call.failed(); ++i) {
      call.keep(orgqr(call.handle(), m, columns, k, static_cast<T*>(args.q) + i * args.m * args.columns, m,
                      static_cast<const T*>(args.tau) + i * args.k, work.as<T>(), size, args.info + i));
    }
  });
}

void singular_values(const Exec& exec, const SingularValuesArgs& args) noexcept {
  SolverCall call(exec, "gesvd");
  const auto& [work_size, run] = call.library().gesvd;
  const DType real = real_of(args.dtype);
  const cudaDataType type = type_of(args.dtype), real_type = type_of(real);
  const auto job = static_cast<signed char>(args.job);
  const int64_t m = args.m, n = args.n, u_columns = args.job == 'A' ? m : n;
  call.take_room([&](size_t* device, size_t* host) {
    return work_size(call.handle(), call.params(), job, job, m, n, type, args.a, m, real_type, args.s, type, args.u, m,
                     type, args.vh, n, type, device, host);
  });
  for (int64_t i = 0; i < args.count && !call.failed(); ++i) {
    call.keep(run(call.handle(), call.params(), job, job, m, n, type, at(args.a, args.dtype, i * m * n), m, real_type,
                  at(args.s, real, i * n), type, at(args.u, args.dtype, i * m * u_columns), m, type,
                  at(args.vh, args.dtype, i * n * n), n, type, call.device_room(), call.device_bytes(),
                  call.host_room(), call.host_bytes(), args.info + i));
  }
}

void hermitian_eigen(const Exec& exec, const HermitianEigenArgs& args) noexcept {
  SolverCall call(exec, "syevd");
  const cudaDataType type = type_of(args.dtype), real_type = type_of(real_of(args.dtype));
  const cusolverEigMode_t job = mode(args.vectors);
  if (args.count == 1) {
    const auto& [work_size, run] = call.library().syevd;
    call.take_room([&](size_t* device, size_t* host) {
      return work_size(call.handle(), call.params(), job, CUBLAS_FILL_MODE_LOWER, args.n, type, args.a, args.n,
                       real_type, args.values, type, device, host);
    });
    if (call.failed()) return;
    return call.keep(run(call.handle(), call.params(), job, CUBLAS_FILL_MODE_LOWER, args.n, type, args.a, args.n,
                         real_type, args.values, type, call.device_room(), call.device_bytes(), call.host_room(),
                         call.host_bytes(), args.info));
  }
  const auto& [work_size, run] = call.library().syev_batched;
  call.take_room([&](size_t* device, size_t* host) {
    return work_size(call.handle(), call.params(), job, CUBLAS_FILL_MODE_LOWER, args.n, type, args.a, args.n, real_type,
                     args.values, type, device, host, args.count);
  });
  if (call.failed()) return;
  call.keep(run(call.handle(), call.params(), job, CUBLAS_FILL_MODE_LOWER, args.n, type, args.a, args.n, real_type,
                args.values, type, call.device_room(), call.device_bytes(), call.host_room(), call.host_bytes(),
                args.info, args.count));
}

void general_eigen(const Exec& exec, const GeneralEigenArgs& args) noexcept {
  SolverCall call(exec, "geev");
  const auto& [work_size, run] = call.library().geev;
  const cudaDataType type = type_of(args.dtype);
  const cusolverEigMode_t none = mode(false), job = mode(args.vectors != nullptr);
  const int64_t n = args.n, values = is_real(args.dtype) ? 2 * n : n;
  call.take_room([&](size_t* device, size_t* host) {
    return work_size(call.handle(), call.params(), none, job, n, type, args.a, n, type, args.values, type, nullptr, n,
                     type, args.vectors, n, type, device, host);
  });
  for (int64_t i = 0; i < args.count && !call.failed(); ++i) {
    call.keep(run(call.handle(), call.params(), none, job, n, type, at(args.a, args.dtype, i * n * n), n, type,
                  at(args.values, args.dtype, i * values), type, nullptr, n, type,
                  at(args.vectors, args.dtype, i * n * n), n, type, call.device_room(), call.device_bytes(),
                  call.host_room(), call.host_bytes(), args.info + i));
  }
}

constexpr LinalgKernels kTable = {
    .prepare = open_solver,
    .factor_lu = factor_lu,
    .solve_lu = solve_lu,
    .solve_triangle = solve_triangle,
    .factor_cholesky = factor_cholesky,
    .factor_qr = factor_qr,
    .make_q = make_q,
    .singular_values = singular_values,
    .hermitian_eigen = hermitian_eigen,
    .general_eigen = general_eigen,
};
static_assert(complete(kTable));

}  // namespace

const LinalgKernels kLinalg = kTable;

}  // namespace tern::cuda
