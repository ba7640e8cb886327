// SPDX-License-Identifier: Apache-2.0
// Functions of a complex number that are more than a few instructions, worked out in double.
#include "devices/cuda/array_functions.h"
#include "devices/cuda/array_pointwise.cuh"
#include "devices/cuda/complex_functions.cuh"

namespace tern::cuda {
namespace {

constexpr const char* kName = "array_unary";

// Called: one code for both dtypes. Functions of angles are hyperbolic ones, turned by a quarter.
__device__ __noinline__ Complex128 function_of(ArrayUnaryOp op, Complex128 x) {
  const auto times = [](Complex128 y, double factor) { return Complex128{y.re * factor, y.im * factor}; };
  switch (op) {
    case ArrayUnaryOp::sqrt:
      return square_root(x);
    case ArrayUnaryOp::sign:
      return direction(x);
    case ArrayUnaryOp::exp:
      return exponential(x);
    case ArrayUnaryOp::expm1:
      return exp_minus_one(x);
    case ArrayUnaryOp::log:
      return logarithm(x);
    case ArrayUnaryOp::log1p:
      return log_one_plus(x);
    case ArrayUnaryOp::log2:
      return times(logarithm(x), kLog2OfE);
    case ArrayUnaryOp::log10:
      return times(logarithm(x), kLog10OfE);
    case ArrayUnaryOp::sin:
      return over_i(hyperbolic_sine(times_i(x)));
    case ArrayUnaryOp::cos:
      return hyperbolic_cosine(times_i(x));
    case ArrayUnaryOp::tan:
      return over_i(hyperbolic_tangent(times_i(x)));
    case ArrayUnaryOp::asin:
      return over_i(inverse_hyperbolic_sine(times_i(x)));
    case ArrayUnaryOp::acos:
      return inverse_cosine(x);
    case ArrayUnaryOp::atan:
      return over_i(inverse_hyperbolic_tangent(times_i(x)));
    case ArrayUnaryOp::sinh:
      return hyperbolic_sine(x);
    case ArrayUnaryOp::cosh:
      return hyperbolic_cosine(x);
    case ArrayUnaryOp::tanh:  // by the array API standard an infinite real part leaves 0 of the imaginary one's sign
      if (isinf(x.re) && isfinite(x.im)) return {copysign(1.0, x.re), copysign(0.0, x.im)};
      return hyperbolic_tangent(x);
    case ArrayUnaryOp::asinh:
      return inverse_hyperbolic_sine(x);
    case ArrayUnaryOp::acosh:
      return inverse_hyperbolic_cosine(x);
    default:
      return inverse_hyperbolic_tangent(x);
  }
}

struct Function {
  ArrayUnaryOp op;

  template <class R>
  __device__ Complex<R> operator()(Complex<R> x) const {
    if (op == ArrayUnaryOp::reciprocal) return quotient(Complex<R>{1, 0}, x);
    return converted<Complex<R>>(function_of(op, converted<Complex128>(x)));
  }
};

struct Size {
  template <class R>
  __device__ R operator()(Complex<R> x) const {
    return static_cast<R>(hypot(static_cast<double>(x.re), static_cast<double>(x.im)));
  }
};

template <class R>
void run(const Exec& exec, const ArrayUnaryArgs& args) {
  if (args.op == ArrayUnaryOp::absolute) {
    return map_any<Complex<R>, R>(exec, kName, args.shape, Size{}, arrays_of(args));
  }
  map_any<Complex<R>, Complex<R>>(exec, kName, args.shape, Function{args.op}, arrays_of(args));
}

}  // namespace

void complex_function(const Exec& exec, const ArrayUnaryArgs& args) noexcept {
  args.dtype == DType::c128 ? run<double>(exec, args) : run<float>(exec, args);
}

}  // namespace tern::cuda
