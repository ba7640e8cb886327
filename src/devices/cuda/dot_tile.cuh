// SPDX-License-Identifier: Apache-2.0
// Dot products by the lanes of a warp. The order of a sum depends on nothing but k. Lane l takes the runs of 4 elements
// that begin at 4·l + 128·i, i ascending, by fma from 0; then the lanes fold in a tree. So at most k/32 + 4 fma's and 5
// additions (those of zeros, in short rows, round nothing) stand between a product and its sum: the bounds of
// coded_linear.cu assume no more than k/16 + 12.
#pragma once

#include <cstdint>

#include "devices/cuda/launch.h"
#include "devices/cuda/warp.cuh"
#include "devices/cuda/weight_elements.cuh"

namespace tern::cuda {

inline constexpr int kRun = 4;  // neighbouring elements of a lane

template <class T>
struct alignas(kRun * sizeof(T)) Run {
  T at[kRun];
};

// The `left` first elements of a run and zeros. Whole runs are aligned to their size.
template <bool kWhole, class T>
__device__ void load_run(const T* __restrict__ from, int64_t left, float (&to)[kRun]) {
  if constexpr (kWhole) {
    const Run<T> run = *reinterpret_cast<const Run<T>*>(from);
#pragma unroll
    for (int i = 0; i < kRun; ++i) to[i] = number_of(run.at[i]);
  } else {
#pragma unroll
    for (int i = 0; i < kRun; ++i) to[i] = i < left ? number_of(from[i]) : 0.0f;
  }
}

// The dot products of kRows rows x with kColumns rows w by one warp, in all of its lanes.
template <bool kWhole, class T, int kRows, int kColumns>
__device__ void dot_tile(const float* const (&x)[kRows], const T* const (&w)[kColumns], int64_t k,
                         float (&sums)[kRows * kColumns]) {
  constexpr int kLoadsAtOnce = 8;
  constexpr int kUnroll = kRows == 1 ? kLoadsAtOnce / kColumns : 1;
#pragma unroll
  for (float& sum : sums) sum = 0.0f;
  const int64_t first = threadIdx.x % kWarp * kRun;
#pragma unroll kUnroll
  for (int64_t at = first; at < k; at += kWarp * kRun) {
    float weights[kColumns][kRun];
#pragma unroll
    for (int c = 0; c < kColumns; ++c) load_run<kWhole>(w[c] + at, k - at, weights[c]);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      float factors[kRun];
      load_run<kWhole>(x[r] + at, k - at, factors);
#pragma unroll
      for (int c = 0; c < kColumns; ++c) {
        float& sum = sums[r * kColumns + c];
#pragma unroll
        for (int i = 0; i < kRun; ++i) sum = fmaf(factors[i], weights[c][i], sum);
      }
    }
  }
#pragma unroll
  for (float& sum : sums) sum = sum_of_lanes(sum);
}

// The products of pairs (weight_pairs.cuh) by the warps of some blocks: a warp for each, from pair `first` of the
// block's, `stride` apart.
template <bool kWhole, class T, class Pairs>
__device__ void pair_dots(const Pairs& pairs, int64_t first, int64_t stride, const T* w, int64_t k) {
  const int64_t count = pairs.count();
  for (int64_t i = first + threadIdx.x / kWarp; i < count; i += stride) {
    if (!pairs.has(i)) continue;
    const float* const x_rows[1] = {pairs.x(i)};
    const T* const w_rows[1] = {w + pairs.id(i) * k};
    float sums[1];
    dot_tile<kWhole>(x_rows, w_rows, k, sums);
    if (threadIdx.x % kWarp == 0) pairs.put(i, sums[0]);
  }
}

// Whether all runs of x and w are whole and aligned.
template <class T>
bool whole_runs(const float* x, const T* w, int64_t k) {
  return k % kRun == 0 && is_aligned(x, sizeof(Run<float>)) && is_aligned(w, sizeof(Run<T>));
}

}  // namespace tern::cuda
