// SPDX-License-Identifier: Apache-2.0
// Functions of one element, beyond those of models (pointwise.cpp).
#include <numbers>

#include "core/storage.h"
#include "ops/array_pointwise.h"
#include "ops/copy.h"
#include "ops/pointwise.h"
#include "tern/elementwise.h"

namespace tern {
namespace {

Tensor one_minus(const Tensor& x) { return add(neg(x), 1.0); }

// In x's dtype, or in f32 for what is no float.
Tensor function(const char* name, ArrayUnaryOp op, const Tensor& x, Side side, unsigned kinds = kAll) {
  check_inputs(name, {{"x", x}});
  check_kinds(name, {{"x", x}}, kinds);
  const DType dtype = float_dtype(x.dtype());
  if (is_half(dtype) && needs_grad(x)) {
    return through_f32([&](const Tensor& wide) { return function(name, op, wide, side); }, x);
  }
  const Tensor y = made(name, op, dtype, x, dtype);
  record_unary(name, x, y, side);
  return y;
}

// Integers are round already.
Tensor rounded(const char* name, ArrayUnaryOp op, const Tensor& x, unsigned kinds) {
  check_inputs(name, {{"x", x}});
  check_kinds(name, {{"x", x}}, kinds | kBits);
  return is_float(x.dtype()) || is_complex(x.dtype()) ? function(name, op, x, kFlat) : converted(x, x.dtype());
}

// A question that only floats answer differently.
Tensor question(const char* name, ArrayUnaryOp op, const Tensor& x, bool of_integers) {
  check_inputs(name, {{"x", x}});
  if (kind_of(x.dtype()) <= ScalarKind::integer)
    return Tensor::full(x.shape(), of_integers, DType::boolean, x.device());
  return made(name, op, x.dtype(), x, DType::boolean);
}

// Every other number of a complex tensor, from the first or the second on.
Tensor part(const Tensor& x, int64_t which) {
  const DType dtype = real_dtype(x.dtype());
  Shape strides = x.strides();
  for (int axis = 0; axis < strides.rank(); ++axis) strides[axis] *= 2;
  const int64_t from_start = static_cast<std::byte*>(x.raw()) - static_cast<std::byte*>(x.storage()->data());
  return Tensor::over(x.storage(), from_start + which * static_cast<int64_t>(size_of(dtype)), x.shape(), strides,
                      dtype);
}

}  // namespace

Tensor negative(const Tensor& x) { return neg(x); }

Tensor positive(const Tensor& x) {
  check_inputs("positive", {{"x", x}});
  check_kinds("positive", {{"x", x}}, kNumbers);
  return clone(x);
}

Tensor sign(const Tensor& x) {
  check_inputs("sign", {{"x", x}});
  check_kinds("sign", {{"x", x}}, kNumbers);
  return is_integer(x.dtype()) ? made("sign", ArrayUnaryOp::sign, x.dtype(), x, x.dtype())
                               : function("sign", ArrayUnaryOp::sign, x, kFlat);
}

Tensor floor(const Tensor& x) { return rounded("floor", ArrayUnaryOp::floor, x, kReals); }
Tensor ceil(const Tensor& x) { return rounded("ceil", ArrayUnaryOp::ceil, x, kReals); }
Tensor trunc(const Tensor& x) { return rounded("trunc", ArrayUnaryOp::trunc, x, kReals); }
Tensor round(const Tensor& x) { return rounded("round", ArrayUnaryOp::round, x, kFloats); }

Tensor expm1(const Tensor& x) {
  return function("expm1", ArrayUnaryOp::expm1, x,
                  {kY, [](const Saved& s, const Tensor& dy) { return dy * add(s.y, 1.0); }});
}

Tensor log1p(const Tensor& x) {
  return function("log1p", ArrayUnaryOp::log1p, x,
                  {kA, [](const Saved& s, const Tensor& dy) { return dy / add(s.a, 1.0); }});
}

Tensor log2(const Tensor& x) {
  return function("log2", ArrayUnaryOp::log2, x,
                  {kA, [](const Saved& s, const Tensor& dy) { return mul(dy, std::numbers::log2e) / s.a; }});
}

Tensor log10(const Tensor& x) {
  return function("log10", ArrayUnaryOp::log10, x,
                  {kA, [](const Saved& s, const Tensor& dy) { return mul(dy, std::numbers::log10e) / s.a; }});
}

Tensor sin(const Tensor& x) {
  return function("sin", ArrayUnaryOp::sin, x, {kA, [](const Saved& s, const Tensor& dy) { return dy * cos(s.a); }});
}

Tensor cos(const Tensor& x) {
  return function("cos", ArrayUnaryOp::cos, x,
                  {kA, [](const Saved& s, const Tensor& dy) { return neg(dy * sin(s.a)); }});
}

Tensor tan(const Tensor& x) {
  return function("tan", ArrayUnaryOp::tan, x,
                  {kY, [](const Saved& s, const Tensor& dy) { return dy * add(square(s.y), 1.0); }});
}

// The square roots of the three below are of products, which cancel less at the ends of the domain than 1 - x² does.
Tensor asin(const Tensor& x) {
  return function("asin", ArrayUnaryOp::asin, x,
                  {kA, [](const Saved& s, const Tensor& dy) { return dy * rsqrt(one_minus(s.a) * add(s.a, 1.0)); }});
}

Tensor acos(const Tensor& x) {
  return function("acos", ArrayUnaryOp::acos, x, {kA, [](const Saved& s, const Tensor& dy) {
                                                    return neg(dy * rsqrt(one_minus(s.a) * add(s.a, 1.0)));
                                                  }});
}

Tensor acosh(const Tensor& x) {
  return function("acosh", ArrayUnaryOp::acosh, x, {kA, [](const Saved& s, const Tensor& dy) {
                                                      return dy * (rsqrt(add(s.a, -1.0)) * rsqrt(add(s.a, 1.0)));
                                                    }});
}

Tensor atan(const Tensor& x) {
  return function("atan", ArrayUnaryOp::atan, x,
                  {kA, [](const Saved& s, const Tensor& dy) { return dy / add(square(s.a), 1.0); }});
}

Tensor sinh(const Tensor& x) {
  return function("sinh", ArrayUnaryOp::sinh, x, {kA, [](const Saved& s, const Tensor& dy) { return dy * cosh(s.a); }});
}

Tensor cosh(const Tensor& x) {
  return function("cosh", ArrayUnaryOp::cosh, x, {kA, [](const Saved& s, const Tensor& dy) { return dy * sinh(s.a); }});
}

Tensor asinh(const Tensor& x) {
  return function("asinh", ArrayUnaryOp::asinh, x,
                  {kA, [](const Saved& s, const Tensor& dy) { return dy / hypot(s.a, scalar_like(s.a, 1.0)); }});
}

Tensor atanh(const Tensor& x) {
  return function("atanh", ArrayUnaryOp::atanh, x,
                  {kA, [](const Saved& s, const Tensor& dy) { return dy / (one_minus(s.a) * add(s.a, 1.0)); }});
}

Tensor real(const Tensor& x) {
  check_inputs("real", {{"x", x}});
  check_kinds("real", {{"x", x}}, kNumbers);
  return is_complex(x.dtype()) ? part(x, 0) : x;
}

Tensor imag(const Tensor& x) {
  check_inputs("imag", {{"x", x}});
  check_kinds("imag", {{"x", x}}, kComplexes);
  return part(x, 1);
}

Tensor conj(const Tensor& x) {
  check_inputs("conj", {{"x", x}});
  check_kinds("conj", {{"x", x}}, kNumbers);
  return is_complex(x.dtype()) ? made("conj", ArrayUnaryOp::conj, x.dtype(), x, x.dtype()) : clone(x);
}

Tensor isfinite(const Tensor& x) { return question("isfinite", ArrayUnaryOp::isfinite, x, true); }
Tensor isinf(const Tensor& x) { return question("isinf", ArrayUnaryOp::isinf, x, false); }
Tensor isnan(const Tensor& x) { return question("isnan", ArrayUnaryOp::isnan, x, false); }

Tensor signbit(const Tensor& x) {
  check_inputs("signbit", {{"x", x}});
  check_kinds("signbit", {{"x", x}}, kRealNumbers);
  if (is_integer(x.dtype())) return less(x, scalar_like(x, 0));
  return made("signbit", ArrayUnaryOp::signbit, x.dtype(), x, DType::boolean);
}

Tensor logical_not(const Tensor& x) {
  check_inputs("logical_not", {{"x", x}});
  return made("logical_not", ArrayUnaryOp::logical_not, x.dtype(), x, DType::boolean);
}

Tensor bitwise_invert(const Tensor& x) {
  check_inputs("bitwise_invert", {{"x", x}});
  check_kinds("bitwise_invert", {{"x", x}}, kBits);
  return made("bitwise_invert", ArrayUnaryOp::bitwise_invert, x.dtype(), x, x.dtype());
}

}  // namespace tern
