// SPDX-License-Identifier: Apache-2.0
// The lanes of a warp, folds over them, and rounding to codes.
#pragma once

#include <cmath>

namespace tern::cuda {

inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = 0xffffffff;

// Over each kLanes neighbouring lanes, by all of the warp. Each lane gets the result: the partners of a step combine
// the same two values.
template <int kLanes = kWarp, class T, class Fn>
__device__ T fold_lanes(T x, const Fn& fn) {
#pragma unroll
  for (int distance = kLanes / 2; distance > 0; distance /= 2) x = fn(x, __shfl_xor_sync(kAllLanes, x, distance));
  return x;
}

template <int kLanes = kWarp, class T>
__device__ T sum_of_lanes(T x) {
  return fold_lanes<kLanes>(x, [](T a, T b) { return a + b; });
}

// NaNs are passed over.
template <int kLanes = kWarp>
__device__ float max_of_lanes(float x) {
  return fold_lanes<kLanes>(x, [](float a, float b) { return fmaxf(a, b); });
}

// The same of a whole warp in one step; not for NaNs, and -0 counts as less than 0. Bits of floats are ordered as
// integers where those of negative ones are turned around.
__device__ inline float max_of_warp(float x) {
#if __CUDA_ARCH__ >= 800
  const auto turned = [](int bits) { return bits ^ (bits >> 31 & 0x7fffffff); };
  return __int_as_float(turned(__reduce_max_sync(kAllLanes, turned(__float_as_int(x)))));
#else
  return max_of_lanes(x);
#endif
}

// clamp(round_half_even(x), low, high) for integers low and high; NaN gives 0.
__device__ inline int round_clamped(float x, float low, float high) {
  return x == x ? static_cast<int>(rintf(fmaxf(low, fminf(high, x)))) : 0;
}

}  // namespace tern::cuda
