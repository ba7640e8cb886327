// SPDX-License-Identifier: Apache-2.0
// Differences of eigenvalues and singular values, as the gradients of vectors want them.
#pragma once

#include <cstdint>
#include <vector>

#include "tern/tensor.h"

namespace tern::linalg {

// f32 [..., n, n] of f32 values [..., n]: 1 / (w_j - w_i), or of their squares, and 0 where they are equal: vectors of
// equal values have no gradient of their own.
inline Tensor inverse_gaps(const Tensor& values, bool squared) {
  const int64_t n = values.shape().back();
  Shape shape = values.shape();
  shape.push_back(n);
  const std::vector<float> w = values.to_vector<float>();
  std::vector<float> out;
  out.reserve(static_cast<size_t>(shape.numel()));
  for (int64_t row = 0; row < values.numel(); ++row) {
    const float* const all = w.data() + row / n * n;
    const auto at = [&](float value) { return squared ? double{value} * double{value} : double{value}; };
    for (int64_t j = 0; j < n; ++j) {
      const double gap = at(all[j]) - at(w[static_cast<size_t>(row)]);
      out.push_back(gap == 0 ? 0.0f : static_cast<float>(1 / gap));
    }
  }
  return Tensor::from(out, shape, values.device());
}

}  // namespace tern::linalg
