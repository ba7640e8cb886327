// SPDX-License-Identifier: Apache-2.0
// Σ exp(x - max) of a row in one walk over it.
#pragma once

#include "devices/cuda/row_sums.cuh"

namespace tern::cuda {

// `sum` is relative to the greatest of what was added, and to 0 as long as that is -inf, so that -inf adds nothing.
// NaNs leave `max` alone and make `sum` NaN, and so does +inf.
struct ExponentialSum {
  float max = -INFINITY, sum = 0.0f;

  __device__ void add(const float4& x) {
    const float greatest = fold_quad(x, [](float a, float b) { return fmaxf(a, b); });
    if (greatest > max) {
      sum *= expf(max - greatest);
      max = greatest;
    }
    const float origin = max == -INFINITY ? 0.0f : max;
    sum += sum_of(map_quads([origin](float v) { return expf(v - origin); }, x));
  }
};

// For every thread. A row of -inf gives NaN, an empty one 0.
inline __device__ ExponentialSum exponential_sum(const Row<const float>& x, int64_t cols, BlockReducer& reduce) {
  ExponentialSum own;
  for_quads(cols, [&](int64_t at) { own.add(x.quad(at, -INFINITY)); });
  const float max = reduce.max(own.max);
  const bool has_elements = int64_t{4} * threadIdx.x < cols;
  return {max, reduce.sum(has_elements ? own.sum * expf(own.max - max) : 0.0f)};
}

}  // namespace tern::cuda
