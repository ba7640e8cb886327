// SPDX-License-Identifier: Apache-2.0
// What a weight becomes.
#pragma once

#include <cstdint>

namespace tern::cuda {

struct TernaryCode {
  float inverse_scale;
  // A NaN fails both comparisons.
  __device__ int8_t operator()(float w) const {
    const float rounded = rintf(w * inverse_scale);
    return static_cast<int8_t>(rounded >= 1.0f ? 1 : rounded <= -1.0f ? -1 : 0);
  }
};

}  // namespace tern::cuda
