// SPDX-License-Identifier: Apache-2.0
// Products with bf16 weights (split_bf16.cuh) of few rows, which are bound by reading the weights: lanes bring them
// straight to their registers, and the warps of a block share the columns.
#pragma once

#include <cstdint>

#include "devices/cuda/launch.h"
#include "devices/cuda/split_bf16.cuh"
#include "devices/cuda/warp.cuh"

namespace tern::cuda {

inline constexpr int kSpanSteps = kSpan / kStepColumns;
inline constexpr int kResultColumns = 16, kResultRows = 8;  // of y, of a tensor core's tile

__device__ inline int lane_group() { return static_cast<int>(threadIdx.x) % kWarp / 4; }
__device__ inline int lane_column() { return static_cast<int>(threadIdx.x) % 4 * kLaneColumns; }
__device__ inline int warp_of_block() { return static_cast<int>(threadIdx.x) / kWarp; }
__device__ inline int spans_of(int k) { return (k + kSpan - 1) / kSpan; }

// The warps of a block take the spans of one tile after the other in turns; the sums of a turn meet in shared memory.
template <int kWarps>
class SpanSums {
 public:
  using Memory = float4[2][kWarps][kWarp];

  __device__ explicit SpanSums(Memory& memory) : memory_(memory) {}

  __device__ void clear() { total_ = float4{}; }

  // Adds the `spans` first of the warps' spans in their order. By all of the block; the totals are for its first warp.
  __device__ void add(const float (&sums)[4], int spans) {
    auto& turn = memory_[turn_];
    turn_ ^= 1;  // the other one may still be read: whoever has passed this barrier has read it
    turn[warp_of_block()][threadIdx.x % kWarp] = {sums[0], sums[1], sums[2], sums[3]};
    __syncthreads();
    if (warp_of_block() != 0) return;
#pragma unroll
    for (int warp = 0; warp < kWarps; ++warp) {
      if (warp >= spans) break;
      const float4 span = turn[warp][threadIdx.x];
      total_.x += span.x;
      total_.y += span.y;
      total_.z += span.z;
      total_.w += span.w;
    }
  }

  __device__ float4 total() const { return total_; }

 private:
  Memory& memory_;
  int turn_ = 0;
  float4 total_ = {};
};

// Adds one span of a tile to sums of 0. `upper` and `lower` are the lane's rows of weights, x its row of activations; a
// null one counts as zeros.
template <bool kWhole>
__device__ void span_sums(const bf16* upper, const bf16* lower, const float* x, int begin, int k, float (&sums)[4]) {
  const int column = begin + lane_column();
  StepWeights w[kSpanSteps][1];
#pragma unroll
  for (int step = 0; step < kSpanSteps; ++step) {
    const int at = column + step * kStepColumns;
    w[step][0].upper = upper != nullptr ? load_weights<kWhole>(upper, at, k) : uint4{};
    w[step][0].lower = lower != nullptr ? load_weights<kWhole>(lower, at, k) : uint4{};
  }
#pragma unroll
  for (int step = 0; step < kSpanSteps; ++step) {
    float activations[kLaneColumns] = {};
    if (x != nullptr) load_activations<kWhole>(x, column + step * kStepColumns, k, activations);
    const SplitActivations split[1] = {SplitActivations(activations)};
    add_step([&](int, int) -> float(&)[4] { return sums; }, w[step], split);
  }
}

// The products of pairs (weight_pairs.cuh) by all of a block, eight at a time, from pair `first` on, `stride` apart:
// row g of a tile is the weights of the g-th, column g its activations, and its product on the diagonal.
template <bool kWhole, int kWarps, class Pairs>
__device__ void pair_tiles(typename SpanSums<kWarps>::Memory& memory, const Pairs& pairs, int64_t first, int64_t stride,
                           const bf16* w, int k) {
  SpanSums<kWarps> total(memory);
  const int64_t count = pairs.count();
  const int spans = spans_of(k), group = lane_group();
  for (; first < count; first += stride) {
    const int64_t pair = first + group;
    const bool has = pair < count && pairs.has(pair);
    const bf16* const weights = has ? w + pairs.id(pair) * k : nullptr;
    const float* const x = has ? pairs.x(pair) : nullptr;
    total.clear();
    for (int turn = 0; turn < spans; turn += kWarps) {
      float sums[4] = {};
      const int span = turn + warp_of_block();
      if (span < spans) span_sums<kWhole>(weights, nullptr, x, span * kSpan, k, sums);
      total.add(sums, spans - turn);
    }
    if (warp_of_block() == 0 && has && static_cast<int>(threadIdx.x) % 4 == group / 2) {
      pairs.put(pair, group % 2 == 0 ? total.total().x : total.total().y);
    }
  }
}

// Whether lanes may read whole lines of x and w.
inline bool whole_lines(const float* x, const void* w, int64_t k) {
  return k % kLaneColumns == 0 && is_aligned(x, 16) && is_aligned(w, 16);
}

}  // namespace tern::cuda
