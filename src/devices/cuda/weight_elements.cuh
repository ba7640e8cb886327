// SPDX-License-Identifier: Apache-2.0
// Elements of weight matrices, f32, bf16 or f16, as the floats they stand for.
#pragma once

#include <cuda_fp16.h>

#include <cstdint>

#include "tern/dtype.h"

namespace tern::cuda {

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(bf16 x) { return __uint_as_float(static_cast<uint32_t>(x.bits) << 16); }
__device__ inline float to_float(f16 x) { return __half2float(__ushort_as_half(x.bits)); }

// Calls body(data) with data as a pointer to the elements of their type.
template <class Body>
void with_weights(DType dtype, const void* data, const Body& body) {
  switch (dtype) {
    case DType::bf16:
      return body(static_cast<const bf16*>(data));
    case DType::f16:
      return body(static_cast<const f16*>(data));
    default:
      return body(static_cast<const float*>(data));
  }
}

}  // namespace tern::cuda
