// SPDX-License-Identifier: Apache-2.0
// Quotients and powers of complex numbers.
#include "devices/cuda/array_functions.h"
#include "devices/cuda/array_pointwise.cuh"
#include "devices/cuda/complex_functions.cuh"

namespace tern::cuda {
namespace {

// Called: one code for both dtypes.
__device__ __noinline__ Complex128 called_power(Complex128 a, Complex128 b) { return power(a, b); }

struct Function {
  ArrayBinaryOp op;

  template <class R>
  __device__ Complex<R> operator()(Complex<R> a, Complex<R> b) const {
    if (op == ArrayBinaryOp::divide) return quotient(a, b);
    return converted<Complex<R>>(called_power(converted<Complex128>(a), converted<Complex128>(b)));
  }
};

template <class R>
void run(const Exec& exec, const ArrayBinaryArgs& args) {
  map_any<Complex<R>, Complex<R>>(exec, "array_binary", args.shape, Function{args.op}, arrays_of(args));
}

}  // namespace

void complex_function(const Exec& exec, const ArrayBinaryArgs& args) noexcept {
  args.dtype == DType::c128 ? run<double>(exec, args) : run<float>(exec, args);
}

}  // namespace tern::cuda
