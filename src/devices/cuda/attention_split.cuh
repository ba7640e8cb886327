// SPDX-License-Identifier: Apache-2.0
// f32 numbers as sums of two f16, for products on tensor cores. A row is first scaled by the power of two that takes
// its greatest magnitude to [2^14, 2^15). Then x = high + low up to 2^-22·|x| or, where that is more, 2^-40 of the
// greatest.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

#include "devices/cuda/warp.cuh"

namespace tern::cuda {

// A power of two and its inverse. Neither is 0, infinite or subnormal.
struct PowerOfTwo {
  float factor, inverse;
};

constexpr uint32_t kExponentOfOne = 127, kGreatestExponent = 14, kMostExponent = 253;

__device__ __forceinline__ float power_of_two(uint32_t biased_exponent) {
  return __uint_as_float(biased_exponent << 23);
}

// For numbers of which the greatest magnitude, finite, is this.
__device__ __forceinline__ PowerOfTwo scale_of(float greatest) {
  const uint32_t exponent = __float_as_uint(greatest) >> 23;
  const uint32_t scaling = min(kGreatestExponent + 2 * kExponentOfOne - exponent, kMostExponent);
  return {power_of_two(scaling), power_of_two(2 * kExponentOfOne - scaling)};
}

// Two neighbours, the first in the low half of a word.
struct HalfPairs {
  uint32_t high, low;
};

__device__ __forceinline__ uint32_t word_of(__half2 pair) { return *reinterpret_cast<const uint32_t*>(&pair); }

__device__ __forceinline__ HalfPairs split(float x, float y) {
  const __half2 high = __floats2half2_rn(x, y);
  const float2 back = __half22float2(high);
  return {word_of(high), word_of(__floats2half2_rn(x - back.x, y - back.y))};
}

// Where the element [row, column] of kRows rows of f16 is in shared memory: columns in sixty-fours, so that a row of
// one is 128 bytes, and 8 neighbours of 8 rows, or 8 times 8 of a row, in different banks; as products of groups want
// it.
constexpr int kBlockColumns = 64;

template <int kRows>
__device__ __forceinline__ int swizzled(int row, int column) {
  return (column / kBlockColumns * kRows + row) * kBlockColumns + (column % kBlockColumns ^ row % 8 * 8);
}

// The same, `columns` further, to bits of the column that are 0 below 64 and to sixty-fours.
template <int kRows>
__device__ __forceinline__ int columns_further(int at, int columns) {
  return (at ^ columns % kBlockColumns) + columns / kBlockColumns * kRows * kBlockColumns;
}

// kRows rows of kColumns f32 on their way through registers to shared memory, 8 lanes to a row, or more where there are
// more.
template <int kRows, int kColumns, int kThreads>
class SplitRows {
 public:
  // read(place(row), row, column) gives 4 neighbours.
  template <class Place, class Read>
  __device__ void load(const Place& place, const Read& read) {
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      const auto at = place(row(pass));
#pragma unroll
      for (int i = 0; i < kQuads; ++i) held_[pass][i] = read(at, row(pass), column(i));
    }
  }

  // As rows `first` … of kAll. units[row]: what its numbers are to be multiplied with.
  template <int kAll>
  __device__ void store(int first, __half* high, __half* low, float* units) const {
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      const PowerOfTwo scale = scale_of(greatest(pass));
      if (threadIdx.x % kLanes == 0) units[first + row(pass)] = scale.inverse;
#pragma unroll
      for (int i = 0; i < kQuads; ++i) {
        const float4& quad = held_[pass][i];
        const HalfPairs front = split(quad.x * scale.factor, quad.y * scale.factor);
        const HalfPairs back = split(quad.z * scale.factor, quad.w * scale.factor);
        const int at = swizzled<kAll>(first + row(pass), column(i));
        *reinterpret_cast<uint2*>(high + at) = {front.high, back.high};
        *reinterpret_cast<uint2*>(low + at) = {front.low, back.low};
      }
    }
  }

 private:
  static constexpr int kLanes = kThreads / kRows > 8 ? kThreads / kRows : 8, kAtOnce = kThreads / kLanes,
                       kPasses = kRows / kAtOnce;
  static constexpr int kQuads = kColumns / 4 / kLanes;
  static_assert(kRows % kAtOnce == 0 && kColumns % (4 * kLanes) == 0);

  __device__ static int row(int pass) { return pass * kAtOnce + static_cast<int>(threadIdx.x) / kLanes; }
  __device__ static int column(int i) { return (i * kLanes + static_cast<int>(threadIdx.x) % kLanes) * 4; }

  // Of the row's finite numbers.
  __device__ float greatest(int pass) const {
    const auto fold = [&](const auto& magnitude) {
      float most = 0.0f;
#pragma unroll
      for (int i = 0; i < kQuads; ++i) {
        const float4& quad = held_[pass][i];
        most = fmaxf(most,
                     fmaxf(fmaxf(magnitude(quad.x), magnitude(quad.y)), fmaxf(magnitude(quad.z), magnitude(quad.w))));
      }
      return kLanes == kWarp ? max_of_warp(most) : max_of_lanes<kLanes>(most);
    };
    const float most = fold([](float x) { return fabsf(x); });
    if (!__any_sync(kAllLanes, most == INFINITY)) return most;
    return fold([](float x) { return fabsf(x) < INFINITY ? fabsf(x) : 0.0f; });
  }

  float4 held_[kPasses][kQuads];
};

}  // namespace tern::cuda
