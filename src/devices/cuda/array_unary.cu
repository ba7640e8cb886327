// SPDX-License-Identifier: Apache-2.0
// Functions of one element that are a few instructions.
#include <cmath>
#include <concepts>
#include <type_traits>

#include "devices/cuda/array_entries.h"
#include "devices/cuda/array_functions.h"
#include "devices/cuda/array_pointwise.cuh"
#include "devices/cuda/folds.cuh"
#include "devices/cuda/numbers.cuh"

namespace tern::cuda {
namespace {

constexpr const char* kName = "array_unary";

// Of any dtype but bool; halves are worked out in f32.
struct Function {
  ArrayUnaryOp op;

  __device__ float operator()(float x) const { return of_real(x); }
  __device__ double operator()(double x) const { return of_real(x); }

  template <class R>
  __device__ Complex<R> operator()(Complex<R> x) const {
    switch (op) {
      case ArrayUnaryOp::conj:
        return {x.re, -x.im};
      case ArrayUnaryOp::square:
        return Times::of(x, x);
      case ArrayUnaryOp::round:
        return {rint(x.re), rint(x.im)};
      default:
        return {-x.re, -x.im};
    }
  }

  template <std::integral T>
  __device__ T operator()(T x) const {
    using U = Wrapping<T>;
    const auto negative = static_cast<T>(U{0} - static_cast<U>(x));
    switch (op) {
      case ArrayUnaryOp::absolute:
        return is_below_zero(x) ? negative : x;
      case ArrayUnaryOp::square:  // as unsigned from the start: two u16 would multiply as int
        return static_cast<T>((0u + static_cast<U>(x)) * static_cast<U>(x));
      case ArrayUnaryOp::sign:
        return static_cast<T>(is_below_zero(x) ? -1 : x != 0);
      case ArrayUnaryOp::bitwise_invert:
        return static_cast<T>(~x);
      default:
        return negative;
    }
  }

 private:
  template <class R>
  __device__ R of_real(R x) const {
    switch (op) {
      case ArrayUnaryOp::absolute:
        return fabs(x);
      case ArrayUnaryOp::square:
        return x * x;
      case ArrayUnaryOp::reciprocal:
        return R{1} / x;
      case ArrayUnaryOp::sqrt:
        return sqrt(x);
      case ArrayUnaryOp::sign:
        return x > 0 ? R{1} : x < 0 ? R{-1} : x == 0 ? R{0} : x;
      case ArrayUnaryOp::floor:
        return floor(x);
      case ArrayUnaryOp::ceil:
        return ceil(x);
      case ArrayUnaryOp::trunc:
        return trunc(x);
      case ArrayUnaryOp::round:
        return rint(x);
      default:
        return -x;
    }
  }
};

struct Question {
  ArrayUnaryOp op;

  template <class T>
  __device__ Bool operator()(T x) const {
    return {static_cast<uint8_t>(answer(x))};
  }

 private:
  template <class R>
  __device__ bool answer(Complex<R> x) const {
    const bool re = answer(x.re), im = answer(x.im);
    return op == ArrayUnaryOp::isfinite || op == ArrayUnaryOp::logical_not ? re && im : re || im;
  }
  __device__ bool answer(Bool x) const { return x.byte == 0; }
  template <std::integral T>
  __device__ bool answer(T x) const {
    return x == 0;
  }
  template <std::floating_point R>
  __device__ bool answer(R x) const {
    switch (op) {
      case ArrayUnaryOp::isfinite:
        return isfinite(x);
      case ArrayUnaryOp::isinf:
        return isinf(x);
      case ArrayUnaryOp::isnan:
        return isnan(x);
      case ArrayUnaryOp::signbit:
        return signbit(x);
      default:
        return x == 0;
    }
  }
};

bool is_complex_function(ArrayUnaryOp op) {
  switch (op) {
    case ArrayUnaryOp::absolute:
    case ArrayUnaryOp::reciprocal:
    case ArrayUnaryOp::sqrt:
    case ArrayUnaryOp::sign:
      return true;
    default:
      return false;
  }
}

template <class T>
void run(const Exec& exec, const ArrayUnaryArgs& args) {
  if (args.op >= ArrayUnaryOp::isfinite) {
    return map_fast<T, Bool>(exec, kName, args.shape, Question{args.op}, arrays_of(args));
  }
  map_fast<T, T>(exec, kName, args.shape, Function{args.op}, arrays_of(args));
}

}  // namespace

void array_unary(const Exec& exec, const ArrayUnaryArgs& args) noexcept {
  const bool is_function = args.op >= ArrayUnaryOp::exp && args.op <= ArrayUnaryOp::atanh;
  if (is_complex(args.dtype) && (is_function || is_complex_function(args.op))) return complex_function(exec, args);
  if (is_function) return real_function(exec, args);
  with_array_element(args.dtype, [&](auto element) {
    using T = decltype(element);
    if constexpr (std::is_same_v<T, Bool>) {  // both kinds of not
      map_fast<Bool, Bool>(exec, kName, args.shape, Question{ArrayUnaryOp::logical_not}, arrays_of(args));
    } else if constexpr (!is_half_element<T>) {
      run<T>(exec, args);
    }
  });
}

}  // namespace tern::cuda
