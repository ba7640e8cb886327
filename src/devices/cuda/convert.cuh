// SPDX-License-Identifier: Apache-2.0
// The element types of models, and conversions between them.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <limits>
#include <type_traits>

#include "tern/dtype.h"

namespace tern::cuda {

// A byte that is true unless 0.
struct Bool {
  uint8_t byte;
};

// Calls fn(T{}) with the element type T of a dtype.
template <class Fn>
void with_element(DType dtype, const Fn& fn) {
  switch (dtype) {
    case DType::f32:
      return fn(float{});
    case DType::bf16:
      return fn(bf16{});
    case DType::f16:
      return fn(f16{});
    case DType::i8:
      return fn(int8_t{});
    case DType::u8:
      return fn(uint8_t{});
    case DType::i32:
      return fn(int32_t{});
    case DType::i64:
      return fn(int64_t{});
    case DType::boolean:
      return fn(Bool{});
    default:  // not of models
      return;
  }
}

// Truncates toward zero and saturates; NaN gives 0. A greatest integer that F lacks rounds up to a power of two, which
// itself saturates.
template <class T, class F>
constexpr T saturate(F x) {
  using Limits = std::numeric_limits<T>;
  if (x != x) return 0;
  if (x >= static_cast<F>(Limits::max())) return Limits::max();
  if (x <= static_cast<F>(Limits::min())) return Limits::min();
  return static_cast<T>(x);
}

// The value of an element as a float or an integer.
template <class T>
__device__ T number_of(T x) {
  return x;
}
__device__ inline float number_of(bf16 x) { return __uint_as_float(static_cast<uint32_t>(x.bits) << 16); }
__device__ inline float number_of(f16 x) { return __half2float(__ushort_as_half(x.bits)); }
__device__ inline int32_t number_of(Bool x) { return x.byte != 0; }

// The element that a number becomes.
template <class To, class N>
__device__ To element_of(N x) {
  To y;
  if constexpr (std::is_same_v<To, bf16>) {
    y.bits = __bfloat16_as_ushort(__float2bfloat16_rn(static_cast<float>(x)));
  } else if constexpr (std::is_same_v<To, f16>) {
    y.bits = __half_as_ushort(__float2half_rn(static_cast<float>(x)));
  } else if constexpr (std::is_same_v<To, Bool>) {
    y.byte = x != 0;
  } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<N>) {
    y = saturate<To>(x);
  } else {
    y = static_cast<To>(x);
  }
  return y;
}

// The same on the host for a value that is given in double.
template <class To>
To element_of_double(double x) {
  if constexpr (std::is_same_v<To, Bool>) {
    return {x != 0};
  } else if constexpr (std::is_integral_v<To>) {
    return saturate<To>(x);
  } else {
    return To(static_cast<float>(x));
  }
}

}  // namespace tern::cuda
