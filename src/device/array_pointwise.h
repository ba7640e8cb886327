// SPDX-License-Identifier: Apache-2.0
// Kernels of arrays, element by element.
//
// Integers wrap. Reals are IEEE, rounded once to nearest even; f16 and bf16 are computed in f32 and rounded once at the
// end. Functions of more than + - * / and sqrt are lines of code of ours (devices/cpu/generic/array_vector_math.inl) or
// those of the C library (devices/cpu/array_math.h), the same under every instruction set. Complex quotients and
// functions follow Annex G of C where they are special; products are the plain formula.
#pragma once

#include "device/kernels.h"

namespace tern {

// Results are of x's dtype; absolute of a complex number is real, those from isfinite on are bool.
enum class ArrayUnaryOp : uint8_t {
  negative,
  absolute,
  square,
  reciprocal,
  sqrt,
  sign,
  floor,
  ceil,
  trunc,
  round,
  conj,
  bitwise_invert,
  exp,
  expm1,
  log,
  log1p,
  log2,
  log10,
  sin,
  cos,
  tan,
  asin,
  acos,
  atan,
  sinh,
  cosh,
  tanh,
  asinh,
  acosh,
  atanh,
  isfinite,
  isinf,
  isnan,
  signbit,
  logical_not,
};

// Results are of the inputs' dtype; those from equal on are bool. divide truncates integers.
enum class ArrayBinaryOp : uint8_t {
  add,
  subtract,
  multiply,
  divide,
  minimum,
  maximum,
  bitwise_and,
  bitwise_or,
  bitwise_xor,
  left_shift,
  right_shift,
  copysign,
  floor_divide,
  remainder,
  pow,
  atan2,
  hypot,
  logaddexp,
  nextafter,
  equal,
  not_equal,
  less,
  less_equal,
  logical_and,
  logical_or,
  logical_xor,
};

// y = op(x), both strided. x is converted to `dtype`, in which op works, and the result to y's. Which op works in which
// dtype, ops know (ops/array_pointwise.h). May be in place where x and y have one dtype and the same strides.
struct ArrayUnaryArgs {
  ArrayUnaryOp op;
  DType dtype;
  Dims shape;
  const void* x;
  DType x_dtype;
  Dims x_strides;
  void* y;
  DType y_dtype;
  Dims y_strides;
};

// y = a op b, the same of two.
struct ArrayBinaryArgs {
  ArrayBinaryOp op;
  DType dtype;
  Dims shape;
  const void* a;
  DType a_dtype;
  Dims a_strides;
  const void* b;
  DType b_dtype;
  Dims b_strides;
  void* y;
  DType y_dtype;
  Dims y_strides;
};

// y = condition ? a : b, of one dtype; condition bool bytes; all strided.
struct ArraySelectArgs {
  DType dtype;
  Dims shape;
  StridedInput condition, a, b;
  void* y;
  Dims y_strides;
};

struct ArrayPointwiseKernels {
  // Any of the 15 dtypes to any. Between real numbers as in kernels.h; a complex number becomes a real one by its real
  // part, and bool by being != 0; from f64 to narrower floats rounds to nearest even, once.
  Kernel<CopyArgs> copy;
  // The same, but that integers too large for an integer dtype become its nearest end.
  Kernel<CopyArgs> saturate;
  Kernel<ArrayUnaryArgs> array_unary;
  Kernel<ArrayBinaryArgs> array_binary;
  Kernel<ArraySelectArgs> array_select;
};

constexpr bool complete(const ArrayPointwiseKernels& t) {
  return t.copy && t.saturate && t.array_unary && t.array_binary && t.array_select;
}

}  // namespace tern
