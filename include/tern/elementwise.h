// SPDX-License-Identifier: Apache-2.0
// Functions of elements: those of the Python array API standard 2024.12, under its names, beyond what ops.h has (abs,
// add, exp, log, sqrt, square, reciprocal, tanh, minimum, maximum, the comparisons and where are there).
//
// Conventions. Inputs may be any strided views on one device, which must have kernels for arrays (CPUs do). Two-input
// functions broadcast, and promote as promotion.h says; the computation is done in the promoted dtype (f16 and bf16: in
// f32, rounded once at the end). Functions of real numbers take integers and bool as f32. Special values are those of
// the standard. Integers wrap. Results are contiguous. A dtype that a function has no meaning for is an Error that
// names it. Float functions are differentiable (f32, f16 and bf16) unless the comment says otherwise; those that are
// constant almost everywhere give gradients of 0.
#pragma once

#include "tern/ops.h"
#include "tern/promotion.h"
#include "tern/scalar.h"
#include "tern/tensor.h"

namespace tern {

// ---------------------------------------------------------------- numbers and dtypes

// The number as every two-input function takes it beside x: a tensor [] of result_type(x.dtype(), value.kind()), so
// that add(x, beside(x, 2)) is x + 2 of Python. Throws Error in the name of op for a number that an integer dtype
// lacks.
Tensor beside(const Tensor& x, const Scalar& value, const char* op = "scalar");

// A copy of another dtype, or of the same; with copy = false x itself if it has the dtype. From a complex dtype to
// a real one is an Error: take real() or imag(). Otherwise as cast (ops.h).
Tensor astype(const Tensor& x, DType dtype, bool copy = true);
// cast, but that an integer that another integer dtype lacks becomes the nearest that it has, instead of wrapping.
// Floats saturate in both. Not differentiable to integers.
Tensor cast_saturating(const Tensor& x, DType dtype);

// ---------------------------------------------------------------- arithmetic

Tensor subtract(const Tensor& a, const Tensor& b);  // sub of ops.h
Tensor multiply(const Tensor& a, const Tensor& b);  // mul
Tensor negative(const Tensor& x);                   // neg
// A copy of x.
Tensor positive(const Tensor& x);
// True division: of integers it gives a float, unlike div of ops.h, which truncates.
Tensor divide(const Tensor& a, const Tensor& b);
// The quotient rounded down, and what it leaves: of b's sign, as Python has it. A divisor of 0 is an Error between
// integers. Between floats floor_divide of an infinity is an infinity, and of a finite number by one a 0 (the
// standard's preference; Python has NaN and -1). Real numbers.
Tensor floor_divide(const Tensor& a, const Tensor& b);
Tensor remainder(const Tensor& a, const Tensor& b);
// a to the b. A negative power of an integer is 0 but for those of 1 and -1: 1/aᵇ truncated.
Tensor pow(const Tensor& a, const Tensor& b);
// sqrt(a² + b²) without overflow in between; the angle of the point (b, a); log(exp(a) + exp(b)). Floats.
Tensor hypot(const Tensor& a, const Tensor& b);
Tensor atan2(const Tensor& a, const Tensor& b);
Tensor logaddexp(const Tensor& a, const Tensor& b);
// |a| with b's sign; the neighbour of a on the way to b (not differentiable). Floats.
Tensor copysign(const Tensor& a, const Tensor& b);
Tensor nextafter(const Tensor& a, const Tensor& b);
// -1, 0 or 1, NaN for NaN; of a complex number x / |x|.
Tensor sign(const Tensor& x);
// x, or the bound that it is beyond; NaN where any of the three is. Bounds broadcast and are converted to x's dtype,
// which the result has; an undefined one bounds nothing. The gradient goes to x within the bounds and on them, else
// to the bound.
Tensor clip(const Tensor& x, const Tensor& min, const Tensor& max);

// ---------------------------------------------------------------- rounding: copies of integers

Tensor floor(const Tensor& x);
Tensor ceil(const Tensor& x);
Tensor trunc(const Tensor& x);
// To the nearest integer, ties to even; of complex numbers both parts.
Tensor round(const Tensor& x);

// ---------------------------------------------------------------- exponentials, logarithms, circular, hyperbolic

Tensor expm1(const Tensor& x);
Tensor log1p(const Tensor& x);
Tensor log2(const Tensor& x);
Tensor log10(const Tensor& x);
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor tan(const Tensor& x);
Tensor asin(const Tensor& x);
Tensor acos(const Tensor& x);
Tensor atan(const Tensor& x);
Tensor sinh(const Tensor& x);
Tensor cosh(const Tensor& x);
Tensor asinh(const Tensor& x);
Tensor acosh(const Tensor& x);
Tensor atanh(const Tensor& x);

// ---------------------------------------------------------------- complex numbers

// Views of the parts: real(x) of a real tensor is x, imag(x) of one is an Error.
Tensor real(const Tensor& x);
Tensor imag(const Tensor& x);
Tensor conj(const Tensor& x);

// ---------------------------------------------------------------- questions, logic, bits: not differentiable

Tensor isfinite(const Tensor& x);
Tensor isinf(const Tensor& x);
Tensor isnan(const Tensor& x);
// Of real numbers: also of -0 and of NaN.
Tensor signbit(const Tensor& x);
// Of what is not 0; results are bool.
Tensor logical_not(const Tensor& x);
Tensor logical_and(const Tensor& a, const Tensor& b);
Tensor logical_or(const Tensor& a, const Tensor& b);
Tensor logical_xor(const Tensor& a, const Tensor& b);
// Of integers or bool.
Tensor bitwise_invert(const Tensor& x);
Tensor bitwise_and(const Tensor& a, const Tensor& b);
Tensor bitwise_or(const Tensor& a, const Tensor& b);
Tensor bitwise_xor(const Tensor& a, const Tensor& b);
// Of integers; a shift by less than 0 or by more bits than there are shifts all of them out.
Tensor bitwise_left_shift(const Tensor& a, const Tensor& b);
Tensor bitwise_right_shift(const Tensor& a, const Tensor& b);

// ---------------------------------------------------------------- in place

// x = function(x, y), as Python's +=, -=, … have it. y broadcasts to x's shape, and x keeps its dtype: an Error where
// the result is of a higher kind (a float into integers). x may be any view with elements of its own; y may overlap it.
// Not differentiable: an Error if either requires a gradient.
void add_(const Tensor& x, const Tensor& y);
void subtract_(const Tensor& x, const Tensor& y);
void multiply_(const Tensor& x, const Tensor& y);
void divide_(const Tensor& x, const Tensor& y);
void floor_divide_(const Tensor& x, const Tensor& y);
void remainder_(const Tensor& x, const Tensor& y);
void pow_(const Tensor& x, const Tensor& y);
void bitwise_and_(const Tensor& x, const Tensor& y);
void bitwise_or_(const Tensor& x, const Tensor& y);
void bitwise_xor_(const Tensor& x, const Tensor& y);
void bitwise_left_shift_(const Tensor& x, const Tensor& y);
void bitwise_right_shift_(const Tensor& x, const Tensor& y);

}  // namespace tern
