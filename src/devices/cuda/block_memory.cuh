// SPDX-License-Identifier: Apache-2.0
// The dynamic shared memory of a block as an object, and the order in which its buffers are taken. compute_90a.
#pragma once

#include <cstdint>

#include "devices/cuda/mbarrier.cuh"

namespace tern::cuda {

// With room for shared_of_block() to find the alignment of Memory.
template <class Memory>
constexpr int kSharedBytes = sizeof(Memory) + alignof(Memory);

template <class Memory>
__device__ Memory& shared_of_block() {
  extern __shared__ uint8_t room[];
  return *reinterpret_cast<Memory*>(room + (0u - shared_address(room)) % alignof(Memory));
}

// A place in an endless sequence of kCount buffers.
template <int kCount>
struct Turn {
  int at = 0;
  unsigned round = 0;

  __device__ void advance() {
    if (++at == kCount) at = 0, ++round;
  }
  __device__ unsigned parity() const { return round % 2; }
};

}  // namespace tern::cuda
