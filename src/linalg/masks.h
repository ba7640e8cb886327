// SPDX-License-Identifier: Apache-2.0
// Constant matrices that gradients are multiplied by.
#pragma once

#include <cstdint>
#include <vector>

#include "tern/tensor.h"

namespace tern::linalg {

// f32 [n, n]: 1 below the diagonal, `diagonal` on it, 0 above.
inline Tensor lower_mask(int64_t n, float diagonal, const Device& device) {
  std::vector<float> values(static_cast<size_t>(n * n));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) values[static_cast<size_t>(i * n + j)] = i == j ? diagonal : 1.0f;
  }
  return Tensor::from(values, {n, n}, device);
}

}  // namespace tern::linalg
