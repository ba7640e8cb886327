// SPDX-License-Identifier: Apache-2.0
// One element of a rotated head, where it is read (RopeArgs).
#pragma once

#include <cstdint>

namespace tern::cuda {

// Of x [dim], half-split pairs; cos, sin [dim/2] of its position.
__device__ inline float rotated_element(const float* x, const float* cos, const float* sin, int64_t dim,
                                        int64_t column) {
  const int64_t half = dim / 2, i = column < half ? column : column - half;
  const float low = x[i], high = x[half + i], c = cos[i], s = sin[i];
  return column < half ? low * c - high * s : high * c + low * s;
}

}  // namespace tern::cuda
