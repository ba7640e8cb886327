// SPDX-License-Identifier: Apache-2.0
// The least position with something wrong, as kernels find it in the device's memory, for the host.
#pragma once

#include <algorithm>
#include <cstdint>

#include "devices/cuda/launch.h"

namespace tern::cuda {

class FirstBad {
 public:
  FirstBad(const Exec& exec, const char* kernel) : exec_(exec), kernel_(kernel), room_(exec, sizeof kNone, kernel) {
    if (room_) keep_error(exec, cudaMemsetAsync(word(), 0xff, sizeof kNone, stream_of(exec)), kernel);
  }

  explicit operator bool() const { return static_cast<bool>(room_); }
  // Kernels keep the least position in it by atomicMin.
  unsigned long long* word() const { return room_.as<unsigned long long>(); }

  // Waits for the kernels, whose positions are every `step`-th of the caller's.
  void report(int64_t step, int64_t* first_bad) const {
    unsigned long long found = kNone;
    const cudaStream_t stream = stream_of(exec_);
    keep_error(exec_, cudaMemcpyAsync(&found, word(), sizeof found, cudaMemcpyDeviceToHost, stream), kernel_);
    keep_error(exec_, cudaStreamSynchronize(stream), kernel_);
    if (found != kNone) *first_bad = std::min(*first_bad, static_cast<int64_t>(found) * step);
  }

 private:
  static constexpr unsigned long long kNone = ~0ull;  // the bytes that memory is set to

  const Exec& exec_;
  const char* kernel_;
  Room room_;
};

}  // namespace tern::cuda
