// SPDX-License-Identifier: Apache-2.0
// Sums and products of floats along an axis: the CPU's bits, but for those of a NaN.
#include "devices/cuda/array_reduce.cuh"
#include "devices/cuda/array_reduce_parts.h"
#include "devices/cuda/folds.cuh"

namespace tern::cuda {
namespace {

template <class A>
__device__ A divided(A a, double divisor) {
  return a / static_cast<A>(divisor);
}
template <class R>
__device__ Complex<R> divided(Complex<R> a, double divisor) {
  return {divided(a.re, divisor), divided(a.im, divisor)};
}

template <class Fn, class A>
struct FloatResults {
  using Acc = A;
  A* y;
  double divisor;

  explicit FloatResults(const ArrayReduceArgs& args) : y(static_cast<A*>(args.y)), divisor(args.divisor) {}

  static __device__ A start() { return Fn::template start<A>(); }
  static __device__ A join(A a, A b) { return Fn::of(a, b); }
  __device__ void put(int64_t i, A acc) const { y[i] = divided(acc, divisor); }
};

// kLanes of a block's elements are folded apart.
template <class Fn, class T, class A, int kLaneCount = static_cast<int>(kLaneBytes / sizeof(A))>
struct FoldFloats : FloatResults<Fn, A> {
  using In = T;
  using Results = FloatResults<Fn, A>;
  using Results::Results;
  static constexpr int kLanes = kLaneCount;

  __device__ A of(T x, int64_t, int64_t) const { return x; }
};

// A lane of complex numbers are two of their reals.
template <class T>
using SumComplex = FoldFloats<Plus, T, T>;
template <class T>
using ProdComplex = FoldFloats<Times, T, T, 1>;

template <class T>
struct SumSquares : FloatResults<Plus, double> {
  using In = T;
  using Results = FloatResults<Plus, double>;
  static constexpr int kLanes = kLaneBytes / sizeof(double);
  const double* center;

  explicit SumSquares(const ArrayReduceArgs& args) : Results(args), center(args.center) {}

  __device__ double of(T x, int64_t, int64_t i) const {
    const double d = static_cast<double>(x) - center[i];
    return d * d;
  }
};

void sum(const Exec& exec, const ArrayReduceArgs& args) {
  switch (args.dtype) {
    case DType::f32:
      if (args.result == DType::f32) return reduce_as(exec, args, FoldFloats<Plus, float, float>(args));
      return reduce_as(exec, args, FoldFloats<Plus, float, double>(args));
    case DType::f64:
      return reduce_as(exec, args, FoldFloats<Plus, double, double>(args));
    case DType::c64:
      return reduce_as(exec, args, SumComplex<Complex<float>>(args));
    case DType::c128:
      return reduce_as(exec, args, SumComplex<Complex<double>>(args));
    default:  // halves, which are summed as f32
      return;
  }
}

void prod(const Exec& exec, const ArrayReduceArgs& args) {
  switch (args.dtype) {
    case DType::f32:
      return reduce_as(exec, args, FoldFloats<Times, float, float>(args));
    case DType::f64:
      return reduce_as(exec, args, FoldFloats<Times, double, double>(args));
    case DType::c64:
      return reduce_as(exec, args, ProdComplex<Complex<float>>(args));
    case DType::c128:
      return reduce_as(exec, args, ProdComplex<Complex<double>>(args));
    default:
      return;
  }
}

}  // namespace

void reduce_floats(const Exec& exec, const ArrayReduceArgs& args) {
  if (args.op == ArrayReduceOp::sum) return sum(exec, args);
  if (args.op == ArrayReduceOp::prod) return prod(exec, args);
  if (args.dtype == DType::f32) return reduce_as(exec, args, SumSquares<float>(args));
  reduce_as(exec, args, SumSquares<double>(args));
}

}  // namespace tern::cuda
