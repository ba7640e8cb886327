// SPDX-License-Identifier: Apache-2.0
// Functions of a real number that are more than a few instructions. All are worked out in double: the library's float
// functions err by up to 4 ulps, where a double that is rounded errs by hardly more than half of one. The library's
// double functions err by 2 ulps at most, all but two.
#include <cmath>

#include "devices/cuda/array_functions.h"
#include "devices/cuda/array_pointwise.cuh"

namespace tern::cuda {
namespace {

constexpr double kLn2 = 0x1.62e42fefa39efp-1;
// From there on sqrt(x² ± 1) is x.
constexpr double kFar = 0x1p28;

// The root of square + low, of which `low` is small, and what it lacks.
struct Root {
  double value, low;
};
__device__ Root root_of(double square, double low) {
  const double root = sqrt(square);
  return {root, square > 0 ? (fma(-root, root, square) + low) / (2 * root) : 0};
}

// log(1 + x + low), of which `low` is small.
__device__ double log_one_plus(double x, double low) { return log1p(x) + low / (1 + x); }

// log1p(x + x² / (1 + sqrt(x² + 1))) with what the sums and the quotient round away: the library's errs by 3 ulps.
__device__ double asinh_of(double x) {
  const double size = fabs(x);
  if (!(size < kFar)) return copysign(log(size) + kLn2, x);
  const double square = size * size, square_low = fma(size, size, -square);
  const double sum = square + 1, sum_low = square > 1 ? (square - sum) + 1 : (1 - sum) + square;
  const Root root = root_of(sum, sum_low + square_low);
  const double under = root.value + 1, under_low = ((root.value - under) + 1) + root.low;
  const double part = square / under, part_low = (fma(-part, under, square) + (square_low - part * under_low)) / under;
  const double grown = size + part, grown_low = ((size - grown) + part) + part_low;
  return copysign(log_one_plus(grown, grown_low), x);
}

// The same of log1p(t + sqrt(t² + 2t)), t = x - 1, which is exact.
__device__ double acosh_of(double x) {
  if (!(x < kFar)) return log(x) + kLn2;
  const double t = x - 1, square = t * t, twice = 2 * t;
  const double sum = square + twice, of_twice = sum - square;
  const double sum_low = (square - (sum - of_twice)) + (twice - of_twice) + fma(t, t, -square);
  const Root root = root_of(x < 1 ? -1 : sum, sum_low);  // NaN where there is none
  const double grown = root.value + t, grown_low = ((root.value - grown) + t) + root.low;
  return log_one_plus(grown, grown_low);
}

// Called: one code for both dtypes.
__device__ __noinline__ double function_of(ArrayUnaryOp op, double x) {
  switch (op) {
    case ArrayUnaryOp::exp:
      return exp(x);
    case ArrayUnaryOp::expm1:
      return expm1(x);
    case ArrayUnaryOp::log:
      return log(x);
    case ArrayUnaryOp::log1p:
      return log1p(x);
    case ArrayUnaryOp::log2:
      return log2(x);
    case ArrayUnaryOp::log10:
      return log10(x);
    case ArrayUnaryOp::sin:
      return sin(x);
    case ArrayUnaryOp::cos:
      return cos(x);
    case ArrayUnaryOp::tan:
      return tan(x);
    case ArrayUnaryOp::asin:
      return asin(x);
    case ArrayUnaryOp::acos:
      return acos(x);
    case ArrayUnaryOp::atan:
      return atan(x);
    case ArrayUnaryOp::sinh:
      return sinh(x);
    case ArrayUnaryOp::cosh:
      return cosh(x);
    case ArrayUnaryOp::tanh:
      return tanh(x);
    case ArrayUnaryOp::asinh:
      return asinh_of(x);
    case ArrayUnaryOp::acosh:
      return acosh_of(x);
    default:
      return atanh(x);
  }
}

struct Function {
  ArrayUnaryOp op;

  template <class R>
  __device__ R operator()(R x) const {
    return static_cast<R>(function_of(op, static_cast<double>(x)));
  }
};

template <class R>
void run(const Exec& exec, const ArrayUnaryArgs& args) {
  map_any<R, R>(exec, "array_unary", args.shape, Function{args.op}, arrays_of(args));
}

}  // namespace

void real_function(const Exec& exec, const ArrayUnaryArgs& args) noexcept {
  args.dtype == DType::f64 ? run<double>(exec, args) : run<float>(exec, args);
}

}  // namespace tern::cuda
