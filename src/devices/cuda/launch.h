// SPDX-License-Identifier: Apache-2.0
// What a CUDA kernel's host side needs: its stream, room of its own, and where a failed call goes.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "device/kernels.h"

namespace tern::cuda {

// The stream that all work of the device goes through, in order.
cudaStream_t stream_of(const Exec& exec) noexcept;

// Streaming multiprocessors of the device.
int multiprocessors(const Exec& exec) noexcept;

// Whether a kernel may start while the one before it ends (early_launch.cuh).
bool launches_overlap(const Exec& exec) noexcept;

// Compute capability 9: the instructions of compute_90a are there.
bool is_hopper(const Exec& exec) noexcept;

// Table entries cannot throw: the first failed call, such as cudaGetLastError() after a launch, is kept with the name
// of the kernel and thrown by the next operation of the device that can.
void keep_error(const Exec& exec, cudaError_t error, const char* kernel) noexcept;
inline void launched(const Exec& exec, const char* kernel) noexcept { keep_error(exec, cudaGetLastError(), kernel); }

// Device memory for the time of one table entry, in the order of its stream: released on the host right after the
// launches that use it. Null when there is none (the error is kept; the entry then returns without a launch) or for 0
// bytes. 256-byte aligned.
class Room {
 public:
  Room(const Exec& exec, size_t bytes, const char* kernel) noexcept;
  ~Room();
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

  explicit operator bool() const { return data_ != nullptr; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  const Exec& exec_;
  void* data_ = nullptr;
};

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t round_up(int64_t a, int64_t unit) { return ceil_div(a, unit) * unit; }

inline bool is_aligned(const void* p, size_t bytes) { return reinterpret_cast<uintptr_t>(p) % bytes == 0; }

// Blocks for `count` items at `each` a block, within what a grid's x can count; kernels loop over the rest.
inline unsigned blocks_for(int64_t count, int64_t each) {
  const int64_t blocks = ceil_div(count, each);
  return static_cast<unsigned>(blocks < (int64_t{1} << 30) ? blocks : int64_t{1} << 30);
}

}  // namespace tern::cuda
