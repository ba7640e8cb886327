// SPDX-License-Identifier: Apache-2.0
// The libraries of factorizations, opened for one device, and calls of them.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <optional>

#include "devices/cuda/launch.h"
#include "devices/cuda/solver_library.h"

namespace tern::cuda {

class Solver {
 public:
  // On the calling thread's GPU. Throws Error if a library is not there or refuses.
  Solver();
  ~Solver();
  Solver(const Solver&) = delete;
  Solver& operator=(const Solver&) = delete;

 private:
  friend class SolverCall;
  std::mutex mutex_;  // its handles take one call at a time
  cusolverDnHandle_t handle_ = nullptr;
  cusolverDnParams_t params_ = nullptr;
  cublasHandle_t blas_ = nullptr;
};

// Opens the device's, the first time. Throws Error.
void open_solver(const Exec& exec);
// The open one.
Solver& solver_of(const Exec& exec) noexcept;

// The calls of one table entry, on the device's stream; the first that fails is kept as the entry's error.
class SolverCall {
 public:
  SolverCall(const Exec& exec, const char* kernel) noexcept;

  const SolverLibrary& library() const { return library_; }
  cusolverDnHandle_t handle() const { return solver_.handle_; }
  cusolverDnParams_t params() const { return solver_.params_; }
  cublasHandle_t blas() const { return solver_.blas_; }

  bool failed() const { return failed_; }
  void keep(cusolverStatus_t status) noexcept { keep(status == CUSOLVER_STATUS_SUCCESS); }
  void keep(cublasStatus_t status) noexcept { keep(status == CUBLAS_STATUS_SUCCESS); }

  // Work memory on the device and on the host of what `query(&device_bytes, &host_bytes)` says.
  template <class Query>
  void take_room(const Query& query) noexcept {
    size_t device_bytes = 0, host_bytes = 0;
    keep(query(&device_bytes, &host_bytes));
    if (!failed_) take_room(device_bytes, host_bytes);
  }

  void* device_room() const { return device_ ? device_->as<void>() : nullptr; }
  size_t device_bytes() const { return device_bytes_; }
  void* host_room() const { return host_.get(); }
  size_t host_bytes() const { return host_bytes_; }

 private:
  void keep(bool good) noexcept;
  void take_room(size_t device_bytes, size_t host_bytes) noexcept;

  const Exec& exec_;
  const char* kernel_;
  Solver& solver_;
  const SolverLibrary& library_;
  std::lock_guard<std::mutex> lock_;
  bool failed_ = false;
  size_t device_bytes_ = 0, host_bytes_ = 0;
  std::optional<Room> device_;
  std::unique_ptr<std::byte[]> host_;
};

}  // namespace tern::cuda
