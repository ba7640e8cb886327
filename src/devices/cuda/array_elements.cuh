// SPDX-License-Identifier: Apache-2.0
// The element types of arrays, and conversions between them as array_pointwise.h has them.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "devices/cuda/convert.cuh"
#include "tern/dtype.h"

namespace tern::cuda {

// Not aligned to more than its parts, as arrays of complex numbers are not.
template <class R>
struct Complex {
  R re, im;
};

template <class T>
inline constexpr bool is_half_element = std::is_same_v<T, bf16> || std::is_same_v<T, f16>;
template <class T>
inline constexpr bool is_complex_element = false;
template <class R>
inline constexpr bool is_complex_element<Complex<R>> = true;

// The DType that stores a type of here.
template <class T>
inline constexpr DType dtype_of_element = dtype_of<T>;
template <>
inline constexpr DType dtype_of_element<Bool> = DType::boolean;
template <>
inline constexpr DType dtype_of_element<Complex<float>> = DType::c64;
template <>
inline constexpr DType dtype_of_element<Complex<double>> = DType::c128;

// Calls fn(T{}) with the element type T of any dtype, and returns what it returns. On the device as well, where all
// threads of a warp go one way.
#pragma nv_exec_check_disable
template <class Fn>
__host__ __device__ auto with_array_element(DType dtype, const Fn& fn) {
  switch (dtype) {
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
    case DType::i16:
      return fn(int16_t{});
    case DType::u16:
      return fn(uint16_t{});
    case DType::u32:
      return fn(uint32_t{});
    case DType::u64:
      return fn(uint64_t{});
    case DType::f64:
      return fn(double{});
    case DType::c64:
      return fn(Complex<float>{});
    case DType::c128:
      return fn(Complex<double>{});
    default:
      return fn(float{});
  }
}

template <class T>
__device__ bool is_below_zero(T x) {
  if constexpr (std::is_unsigned_v<T>) {
    return false;
  } else {
    return x < 0;
  }
}

// A double that is rounded to f16 and bf16 as x is: of bits that it cannot hold, its last one says whether there are
// any.
__device__ inline double double_for_halves(uint64_t x) {
  constexpr uint64_t kCut = 0xfff;
  return static_cast<double>(x >> 53 != 0 ? (x & ~kCut) | ((x & kCut) != 0 ? kCut + 1 : 0) : x);
}

// A float, an integer or a double in a real float type, rounded once.
template <class To, class From>
__device__ To rounded(From x) {
  if constexpr (!is_half_element<To>) {
    return static_cast<To>(x);
  } else if constexpr (std::is_same_v<From, float> || sizeof(From) <= 2) {
    return element_of<To>(static_cast<float>(x));
  } else if constexpr (std::is_integral_v<From> && sizeof(From) == 8) {
    const auto bits = static_cast<uint64_t>(x);
    return is_below_zero(x) ? rounded<To>(-double_for_halves(0 - bits)) : rounded<To>(double_for_halves(bits));
  } else {
    To y;
    const auto number = static_cast<double>(x);
    if constexpr (std::is_same_v<To, bf16>) {
      y.bits = __bfloat16_as_ushort(__double2bfloat16(number));
    } else {
      y.bits = __half_as_ushort(__double2half(number));
    }
    return y;
  }
}

// An element as one of another type: integers wrap, floats become integers by truncation that saturates.
template <class To, class From>
__device__ To converted(From x) {
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else if constexpr (is_half_element<From> || std::is_same_v<From, Bool>) {
    return converted<To>(number_of(x));
  } else if constexpr (std::is_same_v<To, Bool>) {
    if constexpr (is_complex_element<From>) {
      return {static_cast<uint8_t>(x.re != 0 || x.im != 0)};
    } else {
      return {static_cast<uint8_t>(x != 0)};
    }
  } else if constexpr (is_complex_element<To>) {
    using R = decltype(To::re);
    if constexpr (is_complex_element<From>) {
      return {static_cast<R>(x.re), static_cast<R>(x.im)};
    } else {
      return {static_cast<R>(x), R{0}};
    }
  } else if constexpr (is_complex_element<From>) {
    return converted<To>(x.re);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return saturate<To>(x);
  } else if constexpr (std::is_integral_v<To>) {
    return static_cast<To>(x);
  } else {
    return rounded<To>(x);
  }
}

// The integer of To nearest to x.
template <std::integral To, std::integral From>
__device__ To nearest_integer(From x) {
  using Limits = std::numeric_limits<To>;
  if (is_below_zero(x)) {
    return static_cast<int64_t>(x) < static_cast<int64_t>(Limits::min()) ? Limits::min() : static_cast<To>(x);
  }
  return static_cast<uint64_t>(x) > static_cast<uint64_t>(Limits::max()) ? Limits::max() : static_cast<To>(x);
}

// Element i of an array of `dtype` as a T, and the reverse.
template <class T>
__device__ T load_as(const void* x, DType dtype, int64_t i) {
  return with_array_element(dtype,
                            [=](auto element) { return converted<T>(static_cast<const decltype(element)*>(x)[i]); });
}
template <class T>
__device__ void store_as(void* y, DType dtype, int64_t i, T value) {
  with_array_element(
      dtype, [=](auto element) { static_cast<decltype(element)*>(y)[i] = converted<decltype(element)>(value); });
}

}  // namespace tern::cuda
