// SPDX-License-Identifier: Apache-2.0
// Functions of two elements, beyond those of models (pointwise.cpp).
#include "base/check_kind.h"
#include "ops/array_pointwise.h"
#include "ops/pointwise.h"
#include "tern/elementwise.h"

namespace tern {
namespace {

// In the promoted dtype, or where `floats` in f32 for what is no float; bool beside a number is one.
Tensor function(const char* name, ArrayBinaryOp op, const Tensor& a, const Tensor& b, unsigned kinds, bool floats,
                Side to_a = kFlat, Side to_b = kFlat) {
  check_inputs(name, {{"a", a}, {"b", b}});
  const DType promoted = result_type(a.dtype(), b.dtype()), dtype = floats ? float_dtype(promoted) : promoted;
  check_kinds(name, {{"a", a}, {"b", b}}, dtype == DType::boolean ? kinds : kinds | kBools);
  check_gradients(name, {{"a", a}, {"b", b}}, dtype);
  if (needs_grad(a, b) && (a.dtype() != DType::f32 || b.dtype() != DType::f32)) {
    const Tensor y = function(name, op, cast(a, DType::f32), cast(b, DType::f32), kinds, floats, to_a, to_b);
    return cast(y, dtype);
  }
  const Tensor y = made(name, op, dtype, a, b, dtype);
  record_binary(name, a, b, y, to_a, to_b);
  return y;
}

Tensor relation(const char* name, ArrayBinaryOp op, const Tensor& a, const Tensor& b) {
  check_inputs(name, {{"a", a}, {"b", b}});
  return made(name, op, result_type(a.dtype(), b.dtype()), a, b, DType::boolean);
}

Tensor of_bits(const char* name, ArrayBinaryOp op, const Tensor& a, const Tensor& b, unsigned kinds) {
  check_inputs(name, {{"a", a}, {"b", b}});
  check_kinds(name, {{"a", a}, {"b", b}}, kinds);
  const DType dtype = result_type(a.dtype(), b.dtype());
  check_as<WrongType>(!is_float(dtype), name, "expected dtypes that one integer dtype holds, got {} and {}",
                      name_of(a.dtype()), name_of(b.dtype()));
  return made(name, op, dtype, a, b, dtype);
}

// x where it is not 0, else 1.
Tensor nonzero(const Tensor& x) { return where(equal(x, scalar_like(x, 0)), scalar_like(x, 1), x); }

}  // namespace

Tensor subtract(const Tensor& a, const Tensor& b) { return sub(a, b); }
Tensor multiply(const Tensor& a, const Tensor& b) { return mul(a, b); }

Tensor divide(const Tensor& a, const Tensor& b) {
  check_inputs("divide", {{"a", a}, {"b", b}});
  const DType promoted = result_type(a.dtype(), b.dtype());
  if (is_float(promoted) || is_complex(promoted)) return div(a, b);
  return made("divide", ArrayBinaryOp::divide, kDefaultFloat, a, b, kDefaultFloat);
}

Tensor floor_divide(const Tensor& a, const Tensor& b) {
  check_divisor("floor_divide", a, b);
  return function("floor_divide", ArrayBinaryOp::floor_divide, a, b, kRealNumbers, false);
}

Tensor remainder(const Tensor& a, const Tensor& b) {
  check_divisor("remainder", a, b);
  return function("remainder", ArrayBinaryOp::remainder, a, b, kRealNumbers, false,
                  {kNothing, [](const Saved&, const Tensor& dy) { return dy; }},
                  {kA | kB, [](const Saved& s, const Tensor& dy) { return neg(dy * floor_divide(s.a, s.b)); }});
}

// Where a or b is 0 the limits, not 0·∞.
Tensor pow(const Tensor& a, const Tensor& b) {
  return function("pow", ArrayBinaryOp::pow, a, b, kNumbers, false,
                  {kA | kB,
                   [](const Saved& s, const Tensor& dy) {
                     const Tensor slope = s.b * pow(s.a, add(s.b, -1.0));
                     return masked(not_equal(s.b, scalar_like(s.b, 0)), dy * slope);
                   }},
                  {kA | kB | kY, [](const Saved& s, const Tensor& dy) {
                     const Tensor vanishes =
                         logical_and(equal(s.a, scalar_like(s.a, 0)), greater_equal(s.b, scalar_like(s.b, 0)));
                     return masked(logical_not(vanishes), dy * (s.y * log(s.a)));
                   }});
}

// Both gradients are 0 at the origin.
Tensor hypot(const Tensor& a, const Tensor& b) {
  return function("hypot", ArrayBinaryOp::hypot, a, b, kRealNumbers, true,
                  {kA | kY, [](const Saved& s, const Tensor& dy) { return dy * (s.a / nonzero(s.y)); }},
                  {kB | kY, [](const Saved& s, const Tensor& dy) { return dy * (s.b / nonzero(s.y)); }});
}

Tensor atan2(const Tensor& a, const Tensor& b) {
  return function("atan2", ArrayBinaryOp::atan2, a, b, kRealNumbers, true,
                  {kA | kB,
                   [](const Saved& s, const Tensor& dy) {
                     const Tensor length = nonzero(hypot(s.a, s.b));
                     return dy * (s.b / length / length);
                   }},
                  {kA | kB, [](const Saved& s, const Tensor& dy) {
                     const Tensor length = nonzero(hypot(s.a, s.b));
                     return neg(dy * (s.a / length / length));
                   }});
}

// sigmoid(a - b) is exp(a) / (exp(a) + exp(b)); the half of each where both are infinite alike.
Tensor logaddexp(const Tensor& a, const Tensor& b) {
  return function("logaddexp", ArrayBinaryOp::logaddexp, a, b, kRealNumbers, true,
                  {kA | kB,
                   [](const Saved& s, const Tensor& dy) {
                     const Tensor lead = where(equal(s.a, s.b), scalar_like(s.a, 0), s.a - s.b);
                     return dy * sigmoid(lead);
                   }},
                  {kA | kB, [](const Saved& s, const Tensor& dy) {
                     const Tensor lead = where(equal(s.a, s.b), scalar_like(s.a, 0), s.b - s.a);
                     return dy * sigmoid(lead);
                   }});
}

Tensor copysign(const Tensor& a, const Tensor& b) {
  return function("copysign", ArrayBinaryOp::copysign, a, b, kRealNumbers, true,
                  {kA | kY, [](const Saved& s, const Tensor& dy) { return dy * (sign(s.a) * sign(s.y)); }});
}

Tensor nextafter(const Tensor& a, const Tensor& b) {
  check_inputs("nextafter", {{"a", a}, {"b", b}});
  check_kinds("nextafter", {{"a", a}, {"b", b}}, kBits | kReals);
  const DType dtype = float_dtype(result_type(a.dtype(), b.dtype()));
  return made("nextafter", ArrayBinaryOp::nextafter, dtype, a, b, dtype);
}

Tensor logical_and(const Tensor& a, const Tensor& b) {
  return relation("logical_and", ArrayBinaryOp::logical_and, a, b);
}
Tensor logical_or(const Tensor& a, const Tensor& b) { return relation("logical_or", ArrayBinaryOp::logical_or, a, b); }
Tensor logical_xor(const Tensor& a, const Tensor& b) {
  return relation("logical_xor", ArrayBinaryOp::logical_xor, a, b);
}

Tensor bitwise_and(const Tensor& a, const Tensor& b) {
  return of_bits("bitwise_and", ArrayBinaryOp::bitwise_and, a, b, kBits);
}
Tensor bitwise_or(const Tensor& a, const Tensor& b) {
  return of_bits("bitwise_or", ArrayBinaryOp::bitwise_or, a, b, kBits);
}
Tensor bitwise_xor(const Tensor& a, const Tensor& b) {
  return of_bits("bitwise_xor", ArrayBinaryOp::bitwise_xor, a, b, kBits);
}
Tensor bitwise_left_shift(const Tensor& a, const Tensor& b) {
  return of_bits("bitwise_left_shift", ArrayBinaryOp::left_shift, a, b, kIntegers);
}
Tensor bitwise_right_shift(const Tensor& a, const Tensor& b) {
  return of_bits("bitwise_right_shift", ArrayBinaryOp::right_shift, a, b, kIntegers);
}

Tensor clip(const Tensor& x, const Tensor& min, const Tensor& max) {
  check_inputs("clip", {{"x", x}});
  check_kinds("clip", {{"x", x}}, kRealNumbers);
  // The gradient of maximum and minimum goes half to each where they are equal; here it is x's.
  const auto bounded = [](const char* name, const Tensor& y, const Tensor& given, bool from_below) {
    if (!given.defined()) return y;
    check_inputs("clip", {{"x", y}, {name, given}});
    check_kinds("clip", {{name, given}}, kBools | kRealNumbers);
    const Tensor bound = given.dtype() == y.dtype() ? given : cast_saturating(given, y.dtype());
    if (!needs_grad(y, bound)) return from_below ? maximum(y, bound) : minimum(y, bound);
    const Tensor beyond = from_below ? less(y, bound) : greater(y, bound);
    return where(logical_or(beyond, isnan(bound)), bound, y);
  };
  const Tensor y = bounded("min", bounded("max", x, max, false), min, true);
  return min.defined() || max.defined() ? y : clone(x);
}

}  // namespace tern
