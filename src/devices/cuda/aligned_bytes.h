// SPDX-License-Identifier: Apache-2.0
// Bytes that loads of 16 can read: the caller's own, or a copy.
#pragma once

#include "devices/cuda/launch.h"

namespace tern::cuda {

class AlignedBytes {
 public:
  // Device memory, good as long as this and, in the order of the stream, for what was launched meanwhile.
  AlignedBytes(const Exec& exec, const int8_t* from, int64_t bytes, const char* kernel) noexcept
      : copied_(bytes > 0 && !is_aligned(from, 16)),
        room_(exec, copied_ ? static_cast<size_t>(bytes) : 0, kernel),
        at_(copied_ ? room_.as<int8_t>() : from) {
    if (!room_) return;
    keep_error(exec,
               cudaMemcpyAsync(room_.as<int8_t>(), from, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice,
                               stream_of(exec)),
               kernel);
  }

  // Not if there was no memory for a copy: the error is kept.
  explicit operator bool() const { return !copied_ || room_; }
  const int8_t* get() const { return at_; }

 private:
  const bool copied_;
  const Room room_;
  const int8_t* const at_;
};

}  // namespace tern::cuda
