// SPDX-License-Identifier: Apache-2.0
// Two bf16 numbers in a word, the first in its low half.
#pragma once

#include <cstdint>

namespace tern::cuda {

// Rounded to nearest even.
__device__ __forceinline__ uint32_t bf16_pair(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

__device__ __forceinline__ float low_of(uint32_t pair) { return __uint_as_float(pair << 16); }
__device__ __forceinline__ float high_of(uint32_t pair) { return __uint_as_float(pair & 0xffff0000u); }

}  // namespace tern::cuda
