// SPDX-License-Identifier: Apache-2.0
// Elementwise functions, and the operators of Tensor.
#include "tern/elementwise.h"

#include "keywords.h"
#include "module.h"
#include "tern/indexing.h"

namespace tern::python {
namespace {

using Unary = Tensor (*)(const Tensor&);
using Binary = Tensor (*)(const Tensor&, const Tensor&);
using InPlace = void (*)(const Tensor&, const Tensor&);

// ---------------------------------------------------------------- functions

void unary(nb::module_& m, const char* name, Unary op, const char* doc) {
  m.def(
      name, [op](const Tensor& x) { return without_gil({&x}, [&] { return op(x); }); }, nb::arg(),
      nb::sig(signature(name, "x: Tensor, /").c_str()), doc);
}

void binary(nb::module_& m, const char* name, Binary op, const char* doc) {
  m.def(
      name,
      [name, op](const Operand& x1, const Operand& x2) {
        const Tensor& like = tensor_among(name, x1, x2);
        const TensorOf a(name, x1, like), b(name, x2, like);
        return without_gil({&*a, &*b}, [&] { return op(*a, *b); });
      },
      nb::arg(), nb::arg(), nb::sig(signature(name, "x1: Tensor | complex, x2: Tensor | complex, /").c_str()), doc);
}

void bind_arithmetic(nb::module_& m) {
  unary(m, "abs", &abs, "|x|");
  unary(m, "negative", &negative, "-x");
  unary(m, "positive", &positive, "A copy of x.");
  unary(m, "sign", &sign, "-1, 0 or 1; x / |x| of complex numbers.");
  unary(m, "square", &square, "x * x");
  unary(m, "sqrt", &sqrt, "The square root.");
  unary(m, "reciprocal", &reciprocal, "1 / x");
  unary(m, "floor", &floor, "Rounded down.");
  unary(m, "ceil", &ceil, "Rounded up.");
  unary(m, "trunc", &trunc, "Rounded towards 0.");
  unary(m, "round", &round, "Rounded to the nearest integer, ties to even.");
  binary(m, "add", &add, "x1 + x2");
  binary(m, "subtract", &subtract, "x1 - x2");
  binary(m, "multiply", &multiply, "x1 * x2");
  binary(m, "divide", &divide, "x1 / x2");
  binary(m, "floor_divide", &floor_divide, "x1 // x2");
  binary(m, "remainder", &remainder, "x1 % x2, of the divisor's sign.");
  binary(m, "pow", &pow, "x1 ** x2");
  binary(m, "hypot", &hypot, "sqrt(x1**2 + x2**2), without overflow in between.");
  binary(m, "copysign", &copysign, "|x1| with the sign of x2.");
  binary(m, "nextafter", &nextafter, "The neighbour of x1 on the way to x2.");
  binary(m, "minimum", &minimum, "The smaller of two; NaN if either is.");
  binary(m, "maximum", &maximum, "The larger of two; NaN if either is.");
  m.def(
      "clip",
      [](const Tensor& x, const std::optional<Operand>& min, const std::optional<Operand>& max) {
        const auto bound = [&](const std::optional<Operand>& operand) {
          return operand ? *TensorOf("clip", *operand, x) : Tensor();
        };
        const Tensor low = bound(min), high = bound(max);
        return without_gil([&] { return clip(x, low, high); });
      },
      nb::arg(), nb::arg("min").none() = nb::none(), nb::arg("max").none() = nb::none(),
      nb::sig(signature("clip", "x: Tensor, /, min: Tensor | float | None = None, max: Tensor | float | None = None")
                  .c_str()),
      "x, or the bound that it is beyond.");
  m.def(
      "where",
      [](const Tensor& condition, const Operand& x1, const Operand& x2) {
        const Tensor& like = tensor_among("where", x1, x2);
        const TensorOf a("where", x1, like), b("where", x2, like);
        return without_gil({&condition, &*a, &*b}, [&] { return where(condition, *a, *b); });
      },
      nb::arg(), nb::arg(), nb::arg(),
      nb::sig(signature("where", "condition: Tensor, x1: Tensor | complex, x2: Tensor | complex, /").c_str()),
      "x1 where condition is true, else x2.");
}

void bind_analysis(nb::module_& m) {
  unary(m, "exp", &exp, "e to the power of x.");
  unary(m, "expm1", &expm1, "exp(x) - 1, exact near 0.");
  unary(m, "log", &log, "The natural logarithm.");
  unary(m, "log1p", &log1p, "log(1 + x), exact near 0.");
  unary(m, "log2", &log2, "The logarithm to base 2.");
  unary(m, "log10", &log10, "The logarithm to base 10.");
  unary(m, "sin", &sin, "The sine.");
  unary(m, "cos", &cos, "The cosine.");
  unary(m, "tan", &tan, "The tangent.");
  unary(m, "asin", &asin, "The inverse sine.");
  unary(m, "acos", &acos, "The inverse cosine.");
  unary(m, "atan", &atan, "The inverse tangent.");
  unary(m, "sinh", &sinh, "The hyperbolic sine.");
  unary(m, "cosh", &cosh, "The hyperbolic cosine.");
  unary(m, "tanh", &tanh, "The hyperbolic tangent.");
  unary(m, "asinh", &asinh, "The inverse hyperbolic sine.");
  unary(m, "acosh", &acosh, "The inverse hyperbolic cosine.");
  unary(m, "atanh", &atanh, "The inverse hyperbolic tangent.");
  unary(m, "real", &real, "The real part, as a view.");
  unary(m, "imag", &imag, "The imaginary part, as a view.");
  unary(m, "conj", &conj, "The complex conjugate.");
  binary(m, "atan2", &atan2, "The angle of the point (x2, x1).");
  binary(m, "logaddexp", &logaddexp, "log(exp(x1) + exp(x2))");
}

void bind_logic(nb::module_& m) {
  unary(m, "isfinite", &isfinite, "Whether x is neither infinite nor NaN.");
  unary(m, "isinf", &isinf, "Whether x is infinite.");
  unary(m, "isnan", &isnan, "Whether x is NaN.");
  unary(m, "signbit", &signbit, "Whether the sign is negative, of -0 and NaN, too.");
  unary(m, "logical_not", &logical_not, "Whether x is 0.");
  unary(m, "bitwise_invert", &bitwise_invert, "~x");
  binary(m, "equal", &equal, "x1 == x2");
  binary(m, "not_equal", &not_equal, "x1 != x2");
  binary(m, "less", &less, "x1 < x2");
  binary(m, "less_equal", &less_equal, "x1 <= x2");
  binary(m, "greater", &greater, "x1 > x2");
  binary(m, "greater_equal", &greater_equal, "x1 >= x2");
  binary(m, "logical_and", &logical_and, "Whether both are other than 0.");
  binary(m, "logical_or", &logical_or, "Whether one is other than 0.");
  binary(m, "logical_xor", &logical_xor, "Whether just one is other than 0.");
  binary(m, "bitwise_and", &bitwise_and, "x1 & x2");
  binary(m, "bitwise_or", &bitwise_or, "x1 | x2");
  binary(m, "bitwise_xor", &bitwise_xor, "x1 ^ x2");
  binary(m, "bitwise_left_shift", &bitwise_left_shift, "x1 << x2");
  binary(m, "bitwise_right_shift", &bitwise_right_shift, "x1 >> x2");
}

// ---------------------------------------------------------------- operators

// x.__add__(y) and, where the operator has one, y.__radd__(x).
void infix(TensorClass& tensor, const std::string& name, Binary op, bool reflected) {
  const auto define = [&](const std::string& method, bool swapped) {
    tensor.def(
        method.c_str(),
        [op, swapped](const Tensor& self, const Operand& other) {
          const TensorOf b("operator", other, self);
          return without_gil({&self, &*b}, [&] { return swapped ? op(*b, self) : op(self, *b); });
        },
        nb::is_operator(), nb::arg(), nb::sig(signature(method, "self, other: Tensor | complex, /").c_str()));
  };
  define("__" + name + "__", false);
  if (reflected) define("__r" + name + "__", true);
}

// x += y: into x's elements. What belongs to a graph cannot be overwritten: there the name gets a new tensor.
void in_place(TensorClass& tensor, const std::string& name, Binary op, InPlace into) {
  const std::string method = "__i" + name + "__";
  tensor.def(
      method.c_str(),
      [op, into](nb::handle self, const Operand& other) -> nb::object {
        const auto& x = nb::cast<const Tensor&>(self);
        const TensorOf b("operator", other, x);
        if (x.requires_grad() || (*b).requires_grad()) return nb::cast(without_gil([&] { return op(x, *b); }));
        without_gil([&] { into(x, *b); });
        return nb::borrow(self);
      },
      nb::is_operator(), nb::arg(), nb::sig(signature(method, "self, other: Tensor | complex, /").c_str()));
}

void operation(TensorClass& tensor, const char* name, Binary op, InPlace into) {
  infix(tensor, name, op, true);
  in_place(tensor, name, op, into);
}

void matmul_(const Tensor& x, const Tensor& y) { assign_index(x, {kEllipsis}, matmul(x, y)); }

void bind_operators(TensorClass& tensor) {
  operation(tensor, "add", &add, &add_);
  operation(tensor, "sub", &subtract, &subtract_);
  operation(tensor, "mul", &multiply, &multiply_);
  operation(tensor, "truediv", &divide, &divide_);
  operation(tensor, "floordiv", &floor_divide, &floor_divide_);
  operation(tensor, "mod", &remainder, &remainder_);
  operation(tensor, "and", &bitwise_and, &bitwise_and_);
  operation(tensor, "or", &bitwise_or, &bitwise_or_);
  operation(tensor, "xor", &bitwise_xor, &bitwise_xor_);
  operation(tensor, "lshift", &bitwise_left_shift, &bitwise_left_shift_);
  operation(tensor, "rshift", &bitwise_right_shift, &bitwise_right_shift_);
  operation(tensor, "matmul", &matmul, &matmul_);
  operation(tensor, "pow", &pow, &pow_);
  infix(tensor, "eq", &equal, false);
  infix(tensor, "ne", &not_equal, false);
  infix(tensor, "lt", &less, false);
  infix(tensor, "le", &less_equal, false);
  infix(tensor, "gt", &greater, false);
  infix(tensor, "ge", &greater_equal, false);
  tensor.def("__neg__", &negative).def("__abs__", &abs).def("__pos__", &positive).def("__invert__", &bitwise_invert);
  // Elements are compared, so that a tensor is no key of a dict but by being the same object.
  tensor.attr("__hash__") = nb::handle(reinterpret_cast<PyObject*>(&PyBaseObject_Type)).attr("__hash__");
}

}  // namespace

void bind_elementwise(nb::module_& m, TensorClass& tensor) {
  bind_operators(tensor);
  bind_arithmetic(m);
  bind_analysis(m);
  bind_logic(m);
}

}  // namespace tern::python
