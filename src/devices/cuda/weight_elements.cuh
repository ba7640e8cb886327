// SPDX-License-Identifier: Apache-2.0
// Weight matrices of f32, bf16 or f16; number_of reads an element.
#pragma once

#include "devices/cuda/convert.cuh"

namespace tern::cuda {

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
