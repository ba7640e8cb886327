// SPDX-License-Identifier: Apache-2.0
// Functions of two real numbers that are more than a few instructions. Where results are those of a library they are
// worked out in double, as functions of one number are (array_unary_functions.cu).
#include <bit>
#include <cmath>
#include <concepts>
#include <type_traits>

#include "devices/cuda/array_functions.h"
#include "devices/cuda/array_pointwise.cuh"
#include "devices/cuda/numbers.cuh"

namespace tern::cuda {
namespace {

// ---------------------------------------------------------------- floats

// log(exp(a) + exp(b)).
__device__ double log_sum(double a, double b) {
  if (a == b) return a + 0x1.62e42fefa39efp-1;  // infinities, too
  const double difference = a - b;
  if (isnan(difference)) return difference;
  return difference > 0 ? a + log1p(exp(-difference)) : b + log1p(exp(difference));
}

// Called: one code for both dtypes.
__device__ __noinline__ double function_of(ArrayBinaryOp op, double a, double b) {
  switch (op) {
    case ArrayBinaryOp::pow:
      return pow(a, b);
    case ArrayBinaryOp::atan2:
      return atan2(a, b);
    case ArrayBinaryOp::hypot:
      return hypot(a, b);
    default:
      return log_sum(a, b);
  }
}

// Python's a % b: of b's sign, also where it is 0.
template <class R>
__device__ R remainder_of(R a, R b) {
  const R rest = fmod(a, b);
  if (rest == 0) return copysign(R{0}, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

// floor(a/b) of the exact quotient: a - a % b is a multiple of b but for rounding, so that the division gives an
// integer or its neighbour. Where an operand is infinite, the array API's floor(divide(a, b)), not Python's.
template <class R>
__device__ R floor_quotient(R a, R b) {
  const R near = a / b;
  if (a == 0 || b == 0 || isinf(b) || !isfinite(near)) return near;
  const R rest = fmod(a, b);
  R quotient = (a - rest) / b;
  if (rest != 0 && (rest < 0) != (b < 0)) quotient -= 1;
  if (quotient == 0) return copysign(R{0}, near);
  const R whole = floor(quotient);
  return quotient - whole > R{0.5} ? whole + 1 : whole;
}

// The neighbour of a on the way to b; Bits are those of one sign and a size.
template <class Bits>
__device__ Bits step_towards(Bits a, Bits b, Bits infinity) {
  constexpr Bits kSign = static_cast<Bits>(Bits{1} << (8 * sizeof(Bits) - 1));
  const Bits a_size = static_cast<Bits>(a & ~kSign), b_size = static_cast<Bits>(b & ~kSign);
  if (a_size > infinity) return a;
  if (b_size > infinity || a == b || (a_size == 0 && b_size == 0)) return b;
  if (a_size == 0) return static_cast<Bits>((b & kSign) | 1);
  const bool shrinks = ((a ^ b) & kSign) != 0 || a_size > b_size;
  return static_cast<Bits>(shrinks ? a - 1 : a + 1);
}

// ---------------------------------------------------------------- integers

// Quotients are wrapped, and 0 for a divisor of 0, which ops reject; so are remainders.
template <class T>
__device__ T truncated_quotient(T a, T b) {
  if (b == 0) return 0;
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return static_cast<T>(0 - static_cast<uint64_t>(a));
  }
  return static_cast<T>(a / b);
}

template <class T>
__device__ T remainder_of_integers(T a, T b) {
  if constexpr (std::is_signed_v<T>) {
    if (b == 0 || b == -1) return 0;
    const auto rest = static_cast<T>(a % b);
    return static_cast<T>(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest);
  } else {
    return b == 0 ? T{0} : static_cast<T>(a % b);
  }
}

// Toward minus infinity.
template <class T>
__device__ T floor_quotient_of_integers(T a, T b) {
  const T quotient = truncated_quotient(a, b);
  if constexpr (std::is_signed_v<T>) {
    const bool above = b != 0 && b != -1 && a % b != 0 && (a < 0) != (b < 0);
    return static_cast<T>(quotient - (above ? 1 : 0));
  } else {
    return quotient;
  }
}

// a ** b, wrapped. For a negative exponent the quotient 1 / a ** -b truncates: 0 but for the units (and for 0).
template <class T>
__device__ T power(T a, T b) {
  if constexpr (std::is_signed_v<T>) {
    if (b < 0) return a == 1 ? T{1} : a != -1 ? T{0} : b % 2 == 0 ? T{1} : T{-1};
  }
  uint64_t base = static_cast<uint64_t>(a), result = 1;
  for (auto left = static_cast<uint64_t>(b); left > 0; left >>= 1) {
    if (left & 1) result *= base;
    base *= base;
  }
  return static_cast<T>(result);
}

// ---------------------------------------------------------------- all

struct Function {
  ArrayBinaryOp op;

  template <std::floating_point R>
  __device__ R operator()(R a, R b) const {
    using Bits = std::conditional_t<sizeof(R) == 4, uint32_t, uint64_t>;
    constexpr Bits kInfinity = std::bit_cast<Bits>(std::numeric_limits<R>::infinity());
    switch (op) {
      case ArrayBinaryOp::floor_divide:
        return floor_quotient(a, b);
      case ArrayBinaryOp::remainder:
        return remainder_of(a, b);
      case ArrayBinaryOp::nextafter:
        return std::bit_cast<R>(step_towards(std::bit_cast<Bits>(a), std::bit_cast<Bits>(b), kInfinity));
      default:
        return static_cast<R>(function_of(op, static_cast<double>(a), static_cast<double>(b)));
    }
  }

  template <std::integral T>
  __device__ T operator()(T a, T b) const {
    switch (op) {
      case ArrayBinaryOp::divide:
        return truncated_quotient(a, b);
      case ArrayBinaryOp::floor_divide:
        return floor_quotient_of_integers(a, b);
      case ArrayBinaryOp::remainder:
        return remainder_of_integers(a, b);
      default:
        return power(a, b);
    }
  }

  // nextafter: all that halves are not worked out in f32 for.
  __device__ bf16 operator()(bf16 a, bf16 b) const { return neighbour(a, b, 0x7f80); }
  __device__ f16 operator()(f16 a, f16 b) const { return neighbour(a, b, 0x7c00); }

 private:
  template <class T>
  static __device__ T neighbour(T a, T b, uint16_t infinity) {
    a.bits = step_towards(a.bits, b.bits, infinity);
    return a;
  }
};

}  // namespace

void real_function(const Exec& exec, const ArrayBinaryArgs& args) noexcept {
  with_array_element(args.dtype, [&](auto element) {
    using T = decltype(element);
    if constexpr (!is_complex_element<T> && !std::is_same_v<T, Bool>) {
      map_any<T, T>(exec, "array_binary", args.shape, Function{args.op}, arrays_of(args));
    }
  });
}

}  // namespace tern::cuda
