// SPDX-License-Identifier: Apache-2.0
// One kernel call each of the array table's pointwise functions, and what dtypes they work in.
#pragma once

#include <initializer_list>

#include "device/array_pointwise.h"
#include "ops/checks.h"
#include "tern/promotion.h"
#include "tern/tensor.h"

namespace tern {

bool has_arrays(const Tensor& x);

// Kinds of dtypes that a function takes.
enum Kinds : unsigned {
  kBools = 1,
  kIntegers = 2,
  kReals = 4,
  kComplexes = 8,
  kNumbers = kIntegers | kReals | kComplexes,
  kRealNumbers = kIntegers | kReals,
  kFloats = kReals | kComplexes,
  kBits = kBools | kIntegers,
  kAll = kBools | kNumbers,
};
void check_kinds(const char* op, std::initializer_list<Input> inputs, unsigned kinds);

// The float dtype in which a function of real or complex numbers takes its inputs: kDefaultFloat for integers and bool.
DType float_dtype(DType dtype);

// Throws where a gradient would be lost: an input requires one, and the result's dtype carries none.
void check_gradients(const char* op, std::initializer_list<Input> inputs, DType result);

// y = op(x), worked out in `dtype` (f32 for bf16 and f16); y of x's shape / of the shape that a and b broadcast to.
// Throws Error where the device has no kernels for arrays.
void run(const char* name, ArrayUnaryOp op, DType dtype, const Tensor& x, const Tensor& y);
void run(const char* name, ArrayBinaryOp op, DType dtype, const Tensor& a, const Tensor& b, const Tensor& y);

// The same into a new tensor of dtype `result`.
Tensor made(const char* name, ArrayUnaryOp op, DType dtype, const Tensor& x, DType result);
Tensor made(const char* name, ArrayBinaryOp op, DType dtype, const Tensor& a, const Tensor& b, DType result);

}  // namespace tern
