// SPDX-License-Identifier: Apache-2.0
// Element by element. Each op is one line of kernel and, below it, its gradient as a function of what the forward
// saved.
#include "ops/pointwise.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "base/check_kind.h"
#include "ops/array_call.h"
#include "ops/array_pointwise.h"
#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/dims.h"
#include "tern/ops.h"

namespace tern {
namespace {

Tensor unary(const char* name, UnaryOp op, const Tensor& x, Side side, bool integers = false) {
  integers ? check_arithmetic(name, {{"x", x}}) : check_floats(name, {{"x", x}});
  if (is_half(x.dtype())) return through_f32([&](const Tensor& wide) { return unary(name, op, wide, side); }, x);
  const Tensor from = dense(x);
  const Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  call(x.device(), &Kernels::unary, {.op = op, .dtype = x.dtype(), .count = x.numel(), .x = from.raw(), .y = y.raw()});
  record_unary(name, x, y, side);
  return y;
}

// A function that arrays of other dtypes have, too: integers and bool give a float where the function does.
Tensor unary(const char* name, UnaryOp op, ArrayUnaryOp of_arrays, const Tensor& x, Side side, bool integers = false) {
  check_inputs(name, {{"x", x}});
  check_kinds(name, {{"x", x}}, integers ? kNumbers : kAll);
  const DType dtype = integers ? x.dtype() : float_dtype(x.dtype());
  if (is_arithmetic(dtype)) return unary(name, op, x.dtype() == dtype ? x : cast(x, dtype), side, integers);
  check_gradients(name, {{"x", x}}, dtype);
  const bool real = of_arrays == ArrayUnaryOp::absolute;
  return made(name, of_arrays, dtype, x, real ? real_dtype(dtype) : dtype);
}

// The dtype of the result, to which the inputs are promoted.
DType check_pair(const char* name, const Tensor& a, const Tensor& b) {
  check_inputs(name, {{"a", a}, {"b", b}});
  return result_type(a.dtype(), b.dtype());
}

// Of equal dtypes f32, i32 or i64: what every device computes with.
Tensor model_binary(const char* name, BinaryOp op, const Tensor& a, const Tensor& b, Side to_a, Side to_b) {
  const Shape shape = broadcast_shapes(name, a.shape(), b.shape());
  const Tensor y = Tensor::empty(shape, a.dtype(), a.device());
  BinaryArgs args;
  args.op = op;
  args.dtype = a.dtype();
  args.a.data = a.raw();
  args.b.data = b.raw();
  args.y = y.raw();
  set_loop(args.shape, shape, {{a, args.a.strides}, {b, args.b.strides}});
  call(a.device(), &Kernels::binary, args);
  record_binary(name, a, b, y, to_a, to_b);
  return y;
}

ArrayBinaryOp of_arrays(BinaryOp op) {
  switch (op) {
    case BinaryOp::add:
      return ArrayBinaryOp::add;
    case BinaryOp::sub:
      return ArrayBinaryOp::subtract;
    case BinaryOp::mul:
      return ArrayBinaryOp::multiply;
    case BinaryOp::div:
      return ArrayBinaryOp::divide;
    case BinaryOp::minimum:
      return ArrayBinaryOp::minimum;
    default:
      return ArrayBinaryOp::maximum;
  }
}

// Sums and products of bool are those of its logic, as NumPy and PyTorch have it.
ArrayBinaryOp of_bools(const char* name, BinaryOp op) {
  check_as<WrongType>(op != BinaryOp::sub && op != BinaryOp::div, name,
                      "expected numbers, got two tensors of dtype bool");
  return op == BinaryOp::add || op == BinaryOp::maximum ? ArrayBinaryOp::bitwise_or : ArrayBinaryOp::bitwise_and;
}

Tensor binary(const char* name, BinaryOp op, const Tensor& a, const Tensor& b, Side to_a, Side to_b) {
  const DType dtype = check_pair(name, a, b);
  const bool ordered = op == BinaryOp::minimum || op == BinaryOp::maximum;
  if (ordered) check_kinds(name, {{"a", a}, {"b", b}}, kBools | kRealNumbers);
  check_gradients(name, {{"a", a}, {"b", b}}, dtype);
  // Halves in one pass where nobody asks for their gradient and the device can: the same f32, rounded once.
  const bool at_once = is_half(dtype) && !needs_grad(a, b) && has_arrays(a);
  if (is_arithmetic(dtype) && !at_once) {
    if (a.dtype() == dtype && b.dtype() == dtype && !is_half(dtype)) return model_binary(name, op, a, b, to_a, to_b);
    const DType inner = is_half(dtype) ? DType::f32 : dtype;
    return cast(model_binary(name, op, cast(a, inner), cast(b, inner), to_a, to_b), dtype);
  }
  return made(name, dtype == DType::boolean ? of_bools(name, op) : of_arrays(op), dtype, a, b, dtype);
}

// Of equal dtypes f32, i32 or i64.
Tensor model_compare(const char* name, CompareOp op, const Tensor& a, const Tensor& b) {
  const Shape shape = broadcast_shapes(name, a.shape(), b.shape());
  const Tensor y = Tensor::empty(shape, DType::boolean, a.device());
  CompareArgs args;
  args.op = op;
  args.dtype = a.dtype();
  args.a.data = a.raw();
  args.b.data = b.raw();
  args.y = static_cast<uint8_t*>(y.raw());
  set_loop(args.shape, shape, {{a, args.a.strides}, {b, args.b.strides}});
  call(a.device(), &Kernels::compare, args);
  return y;
}

// The array table knows == != < <=; the others are these with a and b exchanged.
Tensor array_compare(const char* name, CompareOp op, DType dtype, const Tensor& a, const Tensor& b) {
  switch (op) {
    case CompareOp::eq:
      return made(name, ArrayBinaryOp::equal, dtype, a, b, DType::boolean);
    case CompareOp::ne:
      return made(name, ArrayBinaryOp::not_equal, dtype, a, b, DType::boolean);
    case CompareOp::lt:
      return made(name, ArrayBinaryOp::less, dtype, a, b, DType::boolean);
    case CompareOp::le:
      return made(name, ArrayBinaryOp::less_equal, dtype, a, b, DType::boolean);
    case CompareOp::gt:
      return made(name, ArrayBinaryOp::less, dtype, b, a, DType::boolean);
    default:
      return made(name, ArrayBinaryOp::less_equal, dtype, b, a, DType::boolean);
  }
}

Tensor compare(const char* name, CompareOp op, const Tensor& a, const Tensor& b) {
  const DType dtype = check_pair(name, a, b);
  const bool ordered = op != CompareOp::eq && op != CompareOp::ne;
  if (ordered) check_kinds(name, {{"a", a}, {"b", b}}, kBools | kRealNumbers);
  const bool one_pass = has_arrays(a) && (a.dtype() != b.dtype() || is_half(dtype));
  if (!is_arithmetic(dtype) || one_pass) return array_compare(name, op, dtype, a, b);
  const DType inner = is_half(dtype) ? DType::f32 : dtype;
  if (a.dtype() == inner && b.dtype() == inner) return model_compare(name, op, a, b);
  const auto promoted = [&](const Tensor& x) { return x.dtype() == inner ? x : converted(x, inner); };
  return model_compare(name, op, promoted(a), promoted(b));
}

// A number as a tensor of x's dtype.
Tensor number_like(const char* name, const Tensor& x, double value) {
  check_inputs(name, {{"a", x}});
  check_kinds(name, {{"a", x}}, kNumbers);
  if (is_integer(x.dtype())) {
    const IntegerInfo info = iinfo(x.dtype());
    const double end = std::ldexp(1.0, is_signed_integer(x.dtype()) ? info.bits - 1 : info.bits);
    check(value == std::trunc(value) && value >= static_cast<double>(info.min) && value < end, name,
          "expected a number that fits {}, got {}", name_of(x.dtype()), value);
  }
  return scalar_like(x, value);
}

// The gradient of an extremum: dy where the side was chosen, half of it where both are equal.
Tensor chosen(const Tensor& wins, const Tensor& ties, const Tensor& dy) {
  return where(wins, dy, masked(ties, mul(dy, 0.5)));
}

}  // namespace

void record_unary(const char* name, const Tensor& x, const Tensor& y, Side side) {
  if (!needs_grad(x)) return;
  const Saved values{saved(x, side.saves & kA), {}, saved(y, side.saves & kY)};
  record(y, name, {x}, [side, values](const Tensor& dy) { return Gradients{side.gradient(values, dy)}; });
}

void record_binary(const char* name, const Tensor& a, const Tensor& b, const Tensor& y, Side to_a, Side to_b) {
  if (!needs_grad(a, b)) return;
  const unsigned saves = (a.requires_grad() ? to_a.saves : 0) | (b.requires_grad() ? to_b.saves : 0);
  const Saved values{saved(a, saves & kA), saved(b, saves & kB), saved(y, saves & kY)};
  record(y, name, {a, b},
         [to_a, to_b, values, need_a = a.requires_grad(), need_b = b.requires_grad(), a_shape = a.shape(),
          b_shape = b.shape()](const Tensor& dy) {
           return Gradients{need_a ? sum_to(to_a.gradient(values, dy), a_shape) : Tensor(),
                            need_b ? sum_to(to_b.gradient(values, dy), b_shape) : Tensor()};
         });
}

void check_divisor(const char* op, const Tensor& a, const Tensor& b) {
  if (b.defined() && is_float(b.dtype())) return;
  check_inputs(op, {{"a", a}, {"b", b}});
  if (!is_integer(result_type(a.dtype(), b.dtype()))) return;
  std::vector<std::byte> zeros(static_cast<size_t>(b.numel()));
  equal(b, scalar_like(b, 0)).copy_to_host(zeros);
  const bool any = std::any_of(zeros.begin(), zeros.end(), [](std::byte zero) { return zero != std::byte{0}; });
  check(!any, op, "expected b without zeros, got one among its {} {} elements", b.numel(), name_of(b.dtype()));
}

Tensor add(const Tensor& a, const Tensor& b) {
  const Side pass{kNothing, [](const Saved&, const Tensor& dy) { return dy; }};
  return binary("add", BinaryOp::add, a, b, pass, pass);
}

Tensor sub(const Tensor& a, const Tensor& b) {
  return binary("sub", BinaryOp::sub, a, b, {kNothing, [](const Saved&, const Tensor& dy) { return dy; }},
                {kNothing, [](const Saved&, const Tensor& dy) { return neg(dy); }});
}

Tensor mul(const Tensor& a, const Tensor& b) {
  return binary("mul", BinaryOp::mul, a, b, {kB, [](const Saved& s, const Tensor& dy) { return dy * s.b; }},
                {kA, [](const Saved& s, const Tensor& dy) { return dy * s.a; }});
}

Tensor div(const Tensor& a, const Tensor& b) {
  check_divisor("div", a, b);
  return binary("div", BinaryOp::div, a, b, {kB, [](const Saved& s, const Tensor& dy) { return dy / s.b; }},
                {kB | kY, [](const Saved& s, const Tensor& dy) { return neg(dy * (s.y / s.b)); }});
}

Tensor minimum(const Tensor& a, const Tensor& b) {
  return binary(
      "minimum", BinaryOp::minimum, a, b,
      {kA | kB, [](const Saved& s, const Tensor& dy) { return chosen(less(s.a, s.b), equal(s.a, s.b), dy); }},
      {kA | kB, [](const Saved& s, const Tensor& dy) { return chosen(less(s.b, s.a), equal(s.a, s.b), dy); }});
}

Tensor maximum(const Tensor& a, const Tensor& b) {
  return binary(
      "maximum", BinaryOp::maximum, a, b,
      {kA | kB, [](const Saved& s, const Tensor& dy) { return chosen(greater(s.a, s.b), equal(s.a, s.b), dy); }},
      {kA | kB, [](const Saved& s, const Tensor& dy) { return chosen(greater(s.b, s.a), equal(s.a, s.b), dy); }});
}

Tensor add(const Tensor& a, double b) { return add(a, number_like("add", a, b)); }

Tensor mul(const Tensor& a, double b) { return mul(a, number_like("mul", a, b)); }

Tensor neg(const Tensor& x) {
  return unary("neg", UnaryOp::neg, ArrayUnaryOp::negative, x,
               {kNothing, [](const Saved&, const Tensor& dy) { return neg(dy); }}, true);
}

// The gradient is 0 at 0.
Tensor abs(const Tensor& x) {
  return unary("abs", UnaryOp::abs, ArrayUnaryOp::absolute, x,
               {kA,
                [](const Saved& s, const Tensor& dy) {
                  const Tensor zero = scalar_like(s.a, 0);
                  return where(greater(s.a, zero), dy, masked(less(s.a, zero), neg(dy)));
                }},
               true);
}

Tensor exp(const Tensor& x) {
  return unary("exp", UnaryOp::exp, ArrayUnaryOp::exp, x,
               {kY, [](const Saved& s, const Tensor& dy) { return dy * s.y; }});
}

Tensor log(const Tensor& x) {
  return unary("log", UnaryOp::log, ArrayUnaryOp::log, x,
               {kA, [](const Saved& s, const Tensor& dy) { return dy / s.a; }});
}

Tensor sqrt(const Tensor& x) {
  return unary("sqrt", UnaryOp::sqrt, ArrayUnaryOp::sqrt, x,
               {kY, [](const Saved& s, const Tensor& dy) { return mul(dy, 0.5) / s.y; }});
}

Tensor rsqrt(const Tensor& x) {
  return unary("rsqrt", UnaryOp::rsqrt, x,
               {kA | kY, [](const Saved& s, const Tensor& dy) { return mul(dy, -0.5) * (s.y / s.a); }});
}

Tensor reciprocal(const Tensor& x) {
  return unary("reciprocal", UnaryOp::reciprocal, ArrayUnaryOp::reciprocal, x,
               {kY, [](const Saved& s, const Tensor& dy) { return neg(dy * square(s.y)); }});
}

Tensor square(const Tensor& x) {
  return unary("square", UnaryOp::square, ArrayUnaryOp::square, x,
               {kA, [](const Saved& s, const Tensor& dy) { return mul(dy, 2.0) * s.a; }}, true);
}

Tensor relu(const Tensor& x) {
  return unary("relu", UnaryOp::relu, x,
               {kY, [](const Saved& s, const Tensor& dy) { return masked(greater(s.y, scalar_like(s.y, 0)), dy); }});
}

Tensor relu2(const Tensor& x) {
  return unary("relu2", UnaryOp::relu2, x,
               {kA, [](const Saved& s, const Tensor& dy) { return mul(dy, 2.0) * relu(s.a); }});
}

Tensor sigmoid(const Tensor& x) {
  return unary("sigmoid", UnaryOp::sigmoid, x,
               {kY, [](const Saved& s, const Tensor& dy) { return dy * (s.y * add(neg(s.y), 1.0)); }});
}

Tensor silu(const Tensor& x) {
  return unary("silu", UnaryOp::silu, x, {kA, [](const Saved& s, const Tensor& dy) {
                                            const Tensor gate = sigmoid(s.a);
                                            return dy * (gate * add(s.a * add(neg(gate), 1.0), 1.0));
                                          }});
}

Tensor tanh(const Tensor& x) {
  return unary("tanh", UnaryOp::tanh, ArrayUnaryOp::tanh, x,
               {kY, [](const Saved& s, const Tensor& dy) { return dy * add(neg(square(s.y)), 1.0); }});
}

Tensor equal(const Tensor& a, const Tensor& b) { return compare("equal", CompareOp::eq, a, b); }
Tensor not_equal(const Tensor& a, const Tensor& b) { return compare("not_equal", CompareOp::ne, a, b); }
Tensor less(const Tensor& a, const Tensor& b) { return compare("less", CompareOp::lt, a, b); }
Tensor less_equal(const Tensor& a, const Tensor& b) { return compare("less_equal", CompareOp::le, a, b); }
Tensor greater(const Tensor& a, const Tensor& b) { return compare("greater", CompareOp::gt, a, b); }
Tensor greater_equal(const Tensor& a, const Tensor& b) { return compare("greater_equal", CompareOp::ge, a, b); }

namespace {

// a and b of equal dtypes; f32, i32 and i64 on every device, the others where it has kernels for arrays.
Tensor chosen_elements(const Tensor& condition, const Tensor& a, const Tensor& b) {
  const Shape shape = broadcast_shapes("where", condition.shape(), broadcast_shapes("where", a.shape(), b.shape()));
  const Tensor y = Tensor::empty(shape, a.dtype(), a.device());
  ArraySelectArgs args;
  args.dtype = a.dtype();
  args.condition.data = condition.raw();
  args.a.data = a.raw();
  args.b.data = b.raw();
  args.y = y.raw();
  set_loop(args.shape, shape,
           {{condition, args.condition.strides}, {a, args.a.strides}, {b, args.b.strides}, {y, args.y_strides}});
  if (is_arithmetic(a.dtype()) && !is_half(a.dtype())) {
    call(a.device(), &Kernels::select, {args.dtype, args.shape, args.condition, args.a, args.b, args.y});
  } else {
    check_arrays("where", a, {a.dtype()});
    call(a.device(), &ArrayPointwiseKernels::array_select, args);
  }
  return y;
}

}  // namespace

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  check_inputs("where", DType::boolean, {{"condition", condition}});
  check_inputs("where", {{"condition", condition}, {"a", a}, {"b", b}});
  const DType dtype = check_pair("where", a, b);
  check_gradients("where", {{"a", a}, {"b", b}}, dtype);
  if (a.dtype() != dtype || b.dtype() != dtype) return where(condition, cast(a, dtype), cast(b, dtype));
  if (is_half(dtype) && (needs_grad(a, b) || !has_arrays(a))) {
    return through_f32([&](const Tensor& x, const Tensor& y) { return where(condition, x, y); }, a, b);
  }
  const Tensor y = chosen_elements(condition, a, b);
  if (needs_grad(a, b)) {
    record(y, "where", {a, b},
           [mask = saved(condition), need_a = a.requires_grad(), need_b = b.requires_grad(), a_shape = a.shape(),
            b_shape = b.shape()](const Tensor& dy) {
             const Tensor zero = scalar_like(dy, 0);
             return Gradients{need_a ? sum_to(where(mask, dy, zero), a_shape) : Tensor(),
                              need_b ? sum_to(where(mask, zero, dy), b_shape) : Tensor()};
           });
  }
  return y;
}

Tensor relu2_gate(const Tensor& gate, const Tensor& up) {
  check_floats("relu2_gate", {{"gate", gate}, {"up", up}});
  check_shape("relu2_gate", {"up", up}, gate.shape());
  if (is_half(gate.dtype())) return through_f32(relu2_gate, gate, up);
  const Tensor g = dense(gate), u = dense(up);
  const Tensor y = Tensor::empty(gate.shape(), DType::f32, gate.device());
  call(gate.device(), &Kernels::relu2_gate,
       {.count = gate.numel(), .gate = g.data<float>(), .up = u.data<float>(), .y = y.data<float>()});
  if (needs_grad(gate, up)) {
    record(y, "relu2_gate", {gate, up}, [g = saved(g), u = saved(u)](const Tensor& grad) {
      const Tensor dy = dense(grad);
      const Tensor d_gate = Tensor::empty(g.shape(), DType::f32, g.device());
      const Tensor d_up = Tensor::empty(g.shape(), DType::f32, g.device());
      call(g.device(), &Kernels::relu2_gate_backward,
           {.count = g.numel(),
            .gate = g.data<float>(),
            .up = u.data<float>(),
            .dy = dy.data<float>(),
            .d_gate = d_gate.data<float>(),
            .d_up = d_up.data<float>()});
      return Gradients{d_gate, d_up};
    });
  }
  return y;
}

void scale_in_place(const Tensor& y, const Tensor& factor) {
  call(y.device(), &Kernels::binary,
       {.op = BinaryOp::mul,
        .dtype = DType::f32,
        .shape = {1, {y.numel()}},
        .a = {y.raw(), {1, {1}}},
        .b = {factor.raw(), {1, {0}}},
        .y = y.raw()});
}

}  // namespace tern
