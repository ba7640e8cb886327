// SPDX-License-Identifier: Apache-2.0
// Functions of two real numbers that are more than a few instructions. Where results are those of a library they are
// worked out in double, as functions of one number are (array_unary_functions.cu).
#include <bit>
#include <cmath>
#include <concepts>
#include <type_traits>

#include "base/integer_functions.h"
#include "base/step_towards.h"
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
