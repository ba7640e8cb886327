// SPDX-License-Identifier: Apache-2.0
// What the tiles of attention and of its gradients have in common: panels of 64 rows in shared memory, read four
// columns at a time, and small products in registers.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace tern::cuda {

constexpr int kPanelRows = 64;
// Floats behind each row of a panel: rows 16 bytes apart modulo 128 make reads of 8 rows at once free of bank conflicts.
constexpr int kPanelPadding = 4;

// Threads that share the rows of a panel: thread x of them has the rows x + 16·j.
constexpr int kPanelThreads = 16, kThreadRows = kPanelRows / kPanelThreads;

// Whether all rows that begin multiples of `dim` and of `stride` elements behind these can be read in quads.
template <class... Pointers>
bool in_quads(int64_t dim, int64_t stride, const Pointers*... rows) {
  return dim % 4 == 0 && stride % 4 == 0 && (... && (reinterpret_cast<uintptr_t>(rows) % sizeof(float4) == 0));
}

// Elements [column, column + 4) of a row of `count`, 0 beyond. kInQuads: none is beyond, and the row is aligned.
template <bool kInQuads>
__device__ float4 row_quad(const float* row, int column, int count) {
  if constexpr (kInQuads) {
    return __ldg(reinterpret_cast<const float4*>(row + column));
  } else {
    const auto at = [&](int i) { return column + i < count ? __ldg(row + column + i) : 0.0f; };
    return {at(0), at(1), at(2), at(3)};
  }
}

__device__ inline float chain_dot(const float4& a, const float4& b, float sum) {
  return fmaf(a.w, b.w, fmaf(a.z, b.z, fmaf(a.y, b.y, fmaf(a.x, b.x, sum))));
}

// n floats side by side in shared memory, aligned to min(n, 4) of them.
template <int n>
__device__ inline void load_floats(const float* from, float (&to)[n]) {
  static_assert(n % 4 == 0 || n <= 2);
  if constexpr (n % 4 == 0) {
#pragma unroll
    for (int i = 0; i < n; i += 4) {
      const float4 quad = *reinterpret_cast<const float4*>(from + i);
      to[i] = quad.x;
      to[i + 1] = quad.y;
      to[i + 2] = quad.z;
      to[i + 3] = quad.w;
    }
  } else if constexpr (n == 2) {
    const float2 pair = *reinterpret_cast<const float2*>(from);
    to[0] = pair.x;
    to[1] = pair.y;
  } else {
    to[0] = *from;
  }
}

template <int n>
__device__ inline void store_floats(const float (&from)[n], float* to) {
  static_assert(n == 4 || n <= 2);
  if constexpr (n == 4) {
    *reinterpret_cast<float4*>(to) = {from[0], from[1], from[2], from[3]};
  } else if constexpr (n == 2) {
    *reinterpret_cast<float2*>(to) = {from[0], from[1]};
  } else {
    *to = from[0];
  }
}

// sums[i][j] += a row i · panel row (thread + 16·j), over 4·quads columns in ascending order. `a` and `panel` point to
// the thread's first rows.
template <int kRows>
__device__ inline void add_dots(const float* a, int a_row, const float* panel, int panel_row, int quads,
                                float (&sums)[kRows][kThreadRows]) {
#pragma unroll 2
  for (int quad = 0; quad < quads; ++quad) {
    float4 left[kRows], right[kThreadRows];
#pragma unroll
    for (int i = 0; i < kRows; ++i) left[i] = *reinterpret_cast<const float4*>(a + i * a_row + quad * 4);
#pragma unroll
    for (int j = 0; j < kThreadRows; ++j) {
      right[j] = *reinterpret_cast<const float4*>(panel + j * kPanelThreads * panel_row + quad * 4);
    }
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
#pragma unroll
      for (int j = 0; j < kThreadRows; ++j) sums[i][j] = chain_dot(left[i], right[j], sums[i][j]);
    }
  }
}

}  // namespace tern::cuda
