// SPDX-License-Identifier: Apache-2.0
// Coding activations (kernels.h, "coded matmul"), with the norms of what that loses. Sixteen lanes code a block, four
// columns each; the formulas of scales and codes are the CPU's, so that equal inputs get equal codes.
#pragma once

#include <cmath>
#include <cstdint>

#include "devices/cuda/coded_layout.cuh"
#include "devices/cuda/convert.cuh"
#include "devices/cuda/warp.cuh"

namespace tern::cuda {

constexpr int kQuad = 4;  // columns of a lane

// The root of a sum of squares of f32 numbers that are each within one rounding of exactly known ones, rounded up. The
// sum is in double, whose errors are below 2^-28 for cols < 2^24, so with u = 2^-24 the true root is at most 1 + 2u
// times this one; the three roundings of this line take 3u, and 2^-21 = 8u covers them all. Differences that underflow
// lose at most 2^-150 each, below 2^-130 in the root.
__device__ inline float norm_above(double sum_of_squares) {
  return static_cast<float>(sqrt(sum_of_squares)) * (1.0f + 0x1p-21f) + 0x1p-130f;
}

// Sums of squares of what is coded and of what that loses.
struct SquareSums {
  double error = 0.0, value = 0.0;

  __device__ void add(float x, float difference) {
    value += static_cast<double>(x) * static_cast<double>(x);
    error += static_cast<double>(difference) * static_cast<double>(difference);
  }
  // Over the lanes of a warp, in all of them.
  __device__ void fold() {
    value = sum_of_lanes(value);
    error = sum_of_lanes(error);
  }
};

// max|x| of a block whose quads are in 16 lanes.
__device__ inline float block_maximum(const float (&x)[kQuad]) {
  float greatest = 0.0f;
#pragma unroll
  for (int i = 0; i < kQuad; ++i) greatest = fmaxf(greatest, fabsf(x[i]));
  return max_of_lanes<kCodedQuads>(greatest);
}

// The columns col … col + 3 of a row, zeros beyond cols.
template <class T>
__device__ void load_quad(const T* row, int64_t col, int64_t cols, float (&to)[kQuad]) {
#pragma unroll
  for (int i = 0; i < kQuad; ++i) to[i] = col + i < cols ? number_of(row[col + i]) : 0.0f;
}

// The greatest magnitude of a code.
__device__ constexpr float code_limit(int planes) { return planes == 2 ? 127.0f * 128.0f : 127.0f; }

// Codes of a quad of a row, least significant byte first, and their sum.
struct QuadCodes {
  uint32_t plane[2];  // high and low, or the only one
  int32_t sum;
};

__device__ inline QuadCodes code_activation_quad(const float (&x)[kQuad], int planes, float scale, SquareSums& sums) {
  const float limit = code_limit(planes), inverse = scale > 0.0f ? 1.0f / scale : 0.0f;
  QuadCodes codes = {};
#pragma unroll
  for (int i = 0; i < kQuad; ++i) {
    const int code = round_clamped(x[i] * inverse, -limit, limit), high = planes == 2 ? (code + 64) >> 7 : code;
    codes.sum += code;
    sums.add(x[i], fmaf(-scale, static_cast<float>(code), x[i]));
    codes.plane[0] |= (static_cast<uint32_t>(high) & 0xffu) << (8 * i);
    codes.plane[1] |= (static_cast<uint32_t>(code - high * 128) & 0xffu) << (8 * i);
  }
  return codes;
}

}  // namespace tern::cuda
