// SPDX-License-Identifier: Apache-2.0
// Element by element. Each op is one line of kernel and, below it, its gradient as a function of what the forward
// saved.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "ops/call.h"
#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/dims.h"
#include "ops/gradients.h"
#include "tern/ops.h"

namespace tern {
namespace {

// What a gradient may look at: the inputs and the output, those that its op says it saves.
struct Saved {
  Tensor a, b, y;
};

enum Saves : unsigned { kNothing = 0, kA = 1, kB = 2, kY = 4 };

// The gradient to one input, of the output's shape.
struct Side {
  unsigned saves;
  Tensor (*gradient)(const Saved& saved, const Tensor& dy);
};

Tensor scalar_like(const Tensor& x, double value) { return Tensor::full({}, value, x.dtype(), x.device()); }

// dy where condition holds, 0 elsewhere.
Tensor masked(const Tensor& condition, const Tensor& dy) { return where(condition, dy, scalar_like(dy, 0)); }

Tensor unary(const char* name, UnaryOp op, const Tensor& x, Side side, bool integers = false) {
  integers ? check_arithmetic(name, {{"x", x}}) : check_floats(name, {{"x", x}});
  if (is_half(x.dtype())) return through_f32([&](const Tensor& wide) { return unary(name, op, wide, side); }, x);
  const Tensor from = dense(x);
  const Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  call(x.device(), &Kernels::unary, {.op = op, .dtype = x.dtype(), .count = x.numel(), .x = from.raw(), .y = y.raw()});
  if (needs_grad(x)) {
    const Saved values{saved(x, side.saves & kA), {}, saved(y, side.saves & kY)};
    record(y, name, {x}, [side, values](const Tensor& dy) { return Gradients{side.gradient(values, dy)}; });
  }
  return y;
}

// The shape and dtype checks of two-input ops.
Shape check_pair(const char* name, const Tensor& a, const Tensor& b) {
  check_arithmetic(name, {{"a", a}, {"b", b}});
  return broadcast_shapes(name, a.shape(), b.shape());
}

void record_binary(const char* name, const Tensor& a, const Tensor& b, const Tensor& y, Side to_a, Side to_b) {
  const unsigned saves = (a.requires_grad() ? to_a.saves : 0) | (b.requires_grad() ? to_b.saves : 0);
  const Saved values{saved(a, saves & kA), saved(b, saves & kB), saved(y, saves & kY)};
  record(y, name, {a, b},
         [to_a, to_b, values, need_a = a.requires_grad(), need_b = b.requires_grad(), a_shape = a.shape(),
          b_shape = b.shape()](const Tensor& dy) {
           return Gradients{need_a ? sum_to(to_a.gradient(values, dy), a_shape) : Tensor(),
                            need_b ? sum_to(to_b.gradient(values, dy), b_shape) : Tensor()};
         });
}

Tensor binary(const char* name, BinaryOp op, const Tensor& a, const Tensor& b, Side to_a, Side to_b) {
  const Shape shape = check_pair(name, a, b);
  if (is_half(a.dtype())) {
    return through_f32([&](const Tensor& x, const Tensor& y) { return binary(name, op, x, y, to_a, to_b); }, a, b);
  }
  const Tensor y = Tensor::empty(shape, a.dtype(), a.device());
  const auto loop = make_loop<3>(shape, {broadcast_strides(a, shape), broadcast_strides(b, shape), y.strides()});
  call(a.device(), &Kernels::binary,
       {.op = op,
        .dtype = a.dtype(),
        .shape = loop.shape,
        .a = {a.raw(), loop.strides[0]},
        .b = {b.raw(), loop.strides[1]},
        .y = y.raw()});
  if (needs_grad(a, b)) record_binary(name, a, b, y, to_a, to_b);
  return y;
}

Tensor compare(const char* name, CompareOp op, const Tensor& a, const Tensor& b) {
  const Shape shape = check_pair(name, a, b);
  if (is_half(a.dtype())) return compare(name, op, converted(a, DType::f32), converted(b, DType::f32));
  const Tensor y = Tensor::empty(shape, DType::boolean, a.device());
  const auto loop = make_loop<3>(shape, {broadcast_strides(a, shape), broadcast_strides(b, shape), y.strides()});
  call(a.device(), &Kernels::compare,
       {.op = op,
        .dtype = a.dtype(),
        .shape = loop.shape,
        .a = {a.raw(), loop.strides[0]},
        .b = {b.raw(), loop.strides[1]},
        .y = static_cast<uint8_t*>(y.raw())});
  return y;
}

// A number as a tensor of x's dtype.
Tensor number_like(const char* name, const Tensor& x, double value) {
  check_arithmetic(name, {{"a", x}});
  const double limit = x.dtype() == DType::i32 ? 0x1p31 : 0x1p63;
  check(has_gradient(x.dtype()) || (value == std::trunc(value) && value >= -limit && value < limit), name,
        "expected a number that fits {}, got {}", name_of(x.dtype()), value);
  return scalar_like(x, value);
}

// Throws when an integer divisor holds a 0. Reads it on the host, so it waits for an asynchronous device.
void check_divisor(const Tensor& b) {
  if (!b.defined() || (b.dtype() != DType::i32 && b.dtype() != DType::i64)) return;
  std::vector<std::byte> zeros(static_cast<size_t>(b.numel()));
  equal(b, scalar_like(b, 0)).copy_to_host(zeros);
  const bool any = std::any_of(zeros.begin(), zeros.end(), [](std::byte zero) { return zero != std::byte{0}; });
  check(!any, "div", "expected b without zeros, got one among its {} {} elements", b.numel(), name_of(b.dtype()));
}

// The gradient of an extremum: dy where the side was chosen, half of it where both are equal.
Tensor chosen(const Tensor& wins, const Tensor& ties, const Tensor& dy) {
  return where(wins, dy, masked(ties, mul(dy, 0.5)));
}

}  // namespace

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
  check_divisor(b);
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
  return unary("neg", UnaryOp::neg, x, {kNothing, [](const Saved&, const Tensor& dy) { return neg(dy); }}, true);
}

// The gradient is 0 at 0.
Tensor abs(const Tensor& x) {
  return unary("abs", UnaryOp::abs, x,
               {kA,
                [](const Saved& s, const Tensor& dy) {
                  const Tensor zero = scalar_like(s.a, 0);
                  return where(greater(s.a, zero), dy, masked(less(s.a, zero), neg(dy)));
                }},
               true);
}

Tensor exp(const Tensor& x) {
  return unary("exp", UnaryOp::exp, x, {kY, [](const Saved& s, const Tensor& dy) { return dy * s.y; }});
}

Tensor log(const Tensor& x) {
  return unary("log", UnaryOp::log, x, {kA, [](const Saved& s, const Tensor& dy) { return dy / s.a; }});
}

Tensor sqrt(const Tensor& x) {
  return unary("sqrt", UnaryOp::sqrt, x, {kY, [](const Saved& s, const Tensor& dy) { return mul(dy, 0.5) / s.y; }});
}

Tensor rsqrt(const Tensor& x) {
  return unary("rsqrt", UnaryOp::rsqrt, x,
               {kA | kY, [](const Saved& s, const Tensor& dy) { return mul(dy, -0.5) * (s.y / s.a); }});
}

Tensor reciprocal(const Tensor& x) {
  return unary("reciprocal", UnaryOp::reciprocal, x,
               {kY, [](const Saved& s, const Tensor& dy) { return neg(dy * square(s.y)); }});
}

Tensor square(const Tensor& x) {
  return unary("square", UnaryOp::square, x, {kA, [](const Saved& s, const Tensor& dy) { return mul(dy, 2.0) * s.a; }},
               true);
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
  return unary("tanh", UnaryOp::tanh, x,
               {kY, [](const Saved& s, const Tensor& dy) { return dy * add(neg(square(s.y)), 1.0); }});
}

Tensor equal(const Tensor& a, const Tensor& b) { return compare("equal", CompareOp::eq, a, b); }
Tensor not_equal(const Tensor& a, const Tensor& b) { return compare("not_equal", CompareOp::ne, a, b); }
Tensor less(const Tensor& a, const Tensor& b) { return compare("less", CompareOp::lt, a, b); }
Tensor less_equal(const Tensor& a, const Tensor& b) { return compare("less_equal", CompareOp::le, a, b); }
Tensor greater(const Tensor& a, const Tensor& b) { return compare("greater", CompareOp::gt, a, b); }
Tensor greater_equal(const Tensor& a, const Tensor& b) { return compare("greater_equal", CompareOp::ge, a, b); }

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  check_inputs("where", DType::boolean, {{"condition", condition}});
  check_inputs("where", {{"condition", condition}, {"a", a}});
  const Shape shape = broadcast_shapes("where", condition.shape(), check_pair("where", a, b));
  if (is_half(a.dtype())) {
    return through_f32([&](const Tensor& x, const Tensor& y) { return where(condition, x, y); }, a, b);
  }
  const Tensor y = Tensor::empty(shape, a.dtype(), a.device());
  const auto loop = make_loop<4>(shape, {broadcast_strides(condition, shape), broadcast_strides(a, shape),
                                         broadcast_strides(b, shape), y.strides()});
  call(a.device(), &Kernels::select,
       {.dtype = a.dtype(),
        .shape = loop.shape,
        .condition = {condition.raw(), loop.strides[0]},
        .a = {a.raw(), loop.strides[1]},
        .b = {b.raw(), loop.strides[2]},
        .y = y.raw()});
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
