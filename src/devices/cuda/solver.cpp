// SPDX-License-Identifier: Apache-2.0
#include "devices/cuda/solver.h"

#include "base/check.h"

namespace tern::cuda {

Solver::Solver() {
  const SolverLibrary& library = solver_library();
  const bool opened = library.create(&handle_) == CUSOLVER_STATUS_SUCCESS &&
                      library.create_params(&params_) == CUSOLVER_STATUS_SUCCESS &&
                      library.create_blas(&blas_) == CUBLAS_STATUS_SUCCESS;
  check(opened, "cuda", "expected cuSOLVER and cuBLAS to open on this GPU, they refused");
}

Solver::~Solver() {
  const SolverLibrary& library = solver_library();
  static_cast<void>(library.destroy_blas(blas_));
  static_cast<void>(library.destroy_params(params_));
  static_cast<void>(library.destroy(handle_));
}

SolverCall::SolverCall(const Exec& exec, const char* kernel) noexcept
    : exec_(exec), kernel_(kernel), solver_(solver_of(exec)), library_(solver_library()), lock_(solver_.mutex_) {
  const cudaStream_t stream = stream_of(exec);
  keep(library_.set_stream(solver_.handle_, stream));
  keep(library_.set_blas_stream(solver_.blas_, stream));
}

void SolverCall::keep(bool good) noexcept {
  if (good || failed_) return;
  failed_ = true;
  const cudaError_t error = cudaGetLastError();
  keep_error(exec_, error == cudaSuccess ? cudaErrorUnknown : error, kernel_);
}

void SolverCall::take_room(size_t device_bytes, size_t host_bytes) noexcept {
  device_.emplace(exec_, device_bytes, kernel_);
  device_bytes_ = device_bytes;
  host_.reset(host_bytes == 0 ? nullptr : new (std::nothrow) std::byte[host_bytes]);
  host_bytes_ = host_bytes;
  const bool lacks = (device_bytes > 0 && !*device_) || (host_bytes > 0 && !host_);
  if (!lacks) return;
  failed_ = true;
  keep_error(exec_, cudaErrorMemoryAllocation, kernel_);
}

}  // namespace tern::cuda
