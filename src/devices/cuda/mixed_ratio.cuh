// SPDX-License-Identifier: Apache-2.0
// Numbers that kernels of training find on the device.
#pragma once

#include "device/mixed_kernels.h"

namespace tern::cuda {

// Null is 1.
__device__ __forceinline__ float number_at(const float* at) { return at == nullptr ? 1.0f : *at; }

__device__ __forceinline__ float number_of(const MixedRatio& ratio) {
  return number_at(ratio.over) / number_at(ratio.under);
}

}  // namespace tern::cuda
