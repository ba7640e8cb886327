// SPDX-License-Identifier: Apache-2.0
// Exact products of f32 activations with bf16 weights on tensor cores: an activation is the sum of three bf16 numbers,
// and the product of two bf16 numbers is exact in f32.
//
// Columns are walked in steps of 32, in each of which lane 4g + t has the eight neighbours 8t … of the rows g, 16 bytes
// of weights at once: the two instructions of a step take the columns 8t + {0, 1, 2, 3} and 8t + {4, 5, 6, 7}. Whatever
// kernel computes an element does so by add_step for step after step of a span of kSpan columns from 0, and adds the
// spans in f32 in ascending order: the same bits.
#pragma once

#include <cstdint>
#include <type_traits>

#include "devices/cuda/convert.cuh"

namespace tern::cuda {

constexpr int kStepColumns = 32, kLaneColumns = 8;
constexpr int kSpan = 256;

// The eight activations of a lane in a step, as pairs of bf16. Cut, not rounded: no part is beyond f32, and the third
// has what the others leave, unless that is below the least bf16 number (2^-133). An infinity gives NaN.
struct SplitActivations {
  uint32_t high[4], middle[4], low[4];

  __device__ explicit SplitActivations(const float (&x)[kLaneColumns]) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      float a = x[2 * i], b = x[2 * i + 1];
      high[i] = cut(a, b);
      middle[i] = cut(a, b);
      low[i] = cut(a, b);
    }
  }

 private:
  // The leading 8 bits of both, which are left without them.
  __device__ static uint32_t cut(float& a, float& b) {
    const uint32_t x = __float_as_uint(a), y = __float_as_uint(b);
    a -= __uint_as_float(x & 0xffff0000u);
    b -= __uint_as_float(y & 0xffff0000u);
    return __byte_perm(x, y, 0x7632);
  }
};

// sums [16 rows of w, 8 rows of x] += w [16, 16] · x [8, 16]ᵀ. A lane's sums[i] are of row g + 8·(i / 2) of w and row
// 2t + i % 2 of x.
__device__ __forceinline__ void add_bf16_products(float (&sums)[4], uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3,
                                                  uint32_t x0, uint32_t x1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(w0), "r"(w1), "r"(w2), "r"(w3), "r"(x0), "r"(x1));
}

// A lane's weights in a step: of the rows g and g + 8.
struct StepWeights {
  uint4 upper, lower;

  // Those of the first or the second instruction with one part of the activations.
  template <int kHalf>
  __device__ void multiply(float (&sums)[4], const uint32_t (&x)[4]) const {
    if constexpr (kHalf == 0) {
      add_bf16_products(sums, upper.x, lower.x, upper.y, lower.y, x[0], x[1]);
    } else {
      add_bf16_products(sums, upper.z, lower.z, upper.w, lower.w, x[2], x[3]);
    }
  }
};

// A step, of kTiles tiles of weights with kGroups groups of activations; sums(tile, group) is a float(&)[4]. Smallest
// parts first.
template <int kTiles, int kGroups, class Sums>
__device__ __forceinline__ void add_step(const Sums& sums, const StepWeights (&w)[kTiles],
                                         const SplitActivations (&x)[kGroups]) {
  const auto add = [&]<int kHalf>(std::integral_constant<int, kHalf>, auto part) {
#pragma unroll
    for (int group = 0; group < kGroups; ++group) {
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) w[tile].template multiply<kHalf>(sums(tile, group), x[group].*part);
    }
  };
  const auto add_half = [&](auto half) {
    add(half, &SplitActivations::low);
    add(half, &SplitActivations::middle);
    add(half, &SplitActivations::high);
  };
  add_half(std::integral_constant<int, 0>());
  add_half(std::integral_constant<int, 1>());
}

// ---------------------------------------------------------------- loads

// The eight elements from `column` on of rows of k, zeros beyond the end. kWhole: k is a multiple of 8 and rows begin
// at multiples of 16 bytes.
template <bool kWhole>
__device__ uint4 load_weights(const bf16* row, int column, int k) {
  if constexpr (kWhole) {
    return column < k ? __ldg(reinterpret_cast<const uint4*>(row + column)) : uint4{};
  } else {
    uint32_t pairs[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int at = column + 2 * i;
      pairs[i] = (at < k ? row[at].bits : 0u) | (at + 1 < k ? uint32_t{row[at + 1].bits} << 16 : 0u);
    }
    return {pairs[0], pairs[1], pairs[2], pairs[3]};
  }
}

template <bool kWhole>
__device__ void load_activations(const float* row, int column, int k, float (&to)[kLaneColumns]) {
  if constexpr (kWhole) {
    const auto* const from = reinterpret_cast<const float4*>(row + column);
    const float4 a = column < k ? __ldg(from) : float4{}, b = column < k ? __ldg(from + 1) : float4{};
    to[0] = a.x, to[1] = a.y, to[2] = a.z, to[3] = a.w;
    to[4] = b.x, to[5] = b.y, to[6] = b.z, to[7] = b.w;
  } else {
#pragma unroll
    for (int i = 0; i < kLaneColumns; ++i) to[i] = column + i < k ? row[column + i] : 0.0f;
  }
}

}  // namespace tern::cuda
