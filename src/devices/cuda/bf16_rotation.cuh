// SPDX-License-Identifier: Apache-2.0
// Rotation of heads of bf16, eight pairs at a time (RopeArgs): products in f32, results rounded.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "devices/cuda/bf16_pair.cuh"

namespace tern::cuda {

// Eight neighbouring columns of a half of a head.
union Eight {
  uint4 vector;
  uint32_t pairs[4];
};

// Of eight columns.
struct Turns8 {
  float2 cos[4], sin[4];

  // `at`: of the first column in a table.
  __device__ __forceinline__ void load(const float* cos_at, const float* sin_at) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float4 c = __ldg(reinterpret_cast<const float4*>(cos_at) + half);
      const float4 s = __ldg(reinterpret_cast<const float4*>(sin_at) + half);
      cos[2 * half] = {c.x, c.y}, cos[2 * half + 1] = {c.z, c.w};
      sin[2 * half] = {s.x, s.y}, sin[2 * half + 1] = {s.z, s.w};
    }
  }

  __device__ __forceinline__ void rotate(Eight& low, Eight& high) const {
#pragma unroll
    for (int pair = 0; pair < 4; ++pair) {
      const float2 c = cos[pair], s = sin[pair];
      const uint32_t x = low.pairs[pair], y = high.pairs[pair];
      low.pairs[pair] = bf16_pair(low_of(x) * c.x - low_of(y) * s.x, high_of(x) * c.y - high_of(y) * s.y);
      high.pairs[pair] = bf16_pair(low_of(y) * c.x + low_of(x) * s.x, high_of(y) * c.y + high_of(x) * s.y);
    }
  }
};

}  // namespace tern::cuda
