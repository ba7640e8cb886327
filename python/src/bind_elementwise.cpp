// SPDX-License-Identifier: Apache-2.0
// Elementwise functions, and the operators of Tensor.
#include <string>

#include "module.h"
#include "operand.h"
#include "tern/ops.h"

namespace tern::python {
namespace {

using Unary = Tensor (*)(const Tensor&);
using Binary = Tensor (*)(const Tensor&, const Tensor&);

void unary(nb::module_& m, const char* name, Unary op, const char* doc) {
  m.def(
      name, [op](const Tensor& x) { return without_gil([&] { return op(x); }); }, nb::arg(),
      nb::sig(("def " + std::string(name) + "(x: Tensor, /) -> Tensor").c_str()), doc);
}

void binary(nb::module_& m, const char* name, Binary op, const char* doc) {
  m.def(
      name,
      [name, op](const Operand& x1, const Operand& x2) {
        const auto [a, b] = as_tensors(name, x1, x2);
        return without_gil([&] { return op(a, b); });
      },
      nb::arg(), nb::arg(),
      nb::sig(("def " + std::string(name) + "(x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor").c_str()), doc);
}

std::string signature(const char* name, const char* result = "Tensor") {
  return "def " + std::string(name) + "(self, other: Tensor | complex, /) -> " + result;
}

// x.__add__(y) and, where the operator has one, y.__radd__(x).
void arithmetic(TensorClass& tensor, const char* name, Binary op, const char* reflected = nullptr) {
  tensor.def(
      name,
      [name, op](const Tensor& self, const Operand& other) {
        const Tensor b = as_tensor_like(name, other, self);
        return without_gil([&] { return op(self, b); });
      },
      nb::is_operator(), nb::arg(), nb::sig(signature(name).c_str()));
  if (reflected == nullptr) return;
  tensor.def(
      reflected,
      [name, op](const Tensor& self, const Operand& other) {
        const Tensor a = as_tensor_like(name, other, self);
        return without_gil([&] { return op(a, self); });
      },
      nb::is_operator(), nb::arg(), nb::sig(signature(reflected).c_str()));
}

// x += y: into x's elements; a result of a graph cannot be overwritten, so that it is a new tensor.
void in_place(TensorClass& tensor, const char* name, Binary op) {
  tensor.def(
      name,
      [name, op](nb::handle self, const Operand& other) -> nb::object {
        const auto& x = nb::cast<const Tensor&>(self);
        const Tensor b = as_tensor_like(name, other, x);
        const Tensor result = without_gil([&] { return op(x, b); });
        if (result.requires_grad()) return nb::cast(result);
        if (result.dtype() != x.dtype())
          throw Error(std::string("[") + name + "] expected a result of " + array_name(x.dtype()) + ", got " +
                      array_name(result.dtype()));
        without_gil([&] {
          assign(x, result);
          return 0;
        });
        return nb::borrow(self);
      },
      nb::is_operator(), nb::arg(), nb::sig(signature(name).c_str()));
}

void bind_operators(TensorClass& tensor) {
  arithmetic(tensor, "__add__", &add, "__radd__");
  arithmetic(tensor, "__sub__", &sub, "__rsub__");
  arithmetic(tensor, "__mul__", &mul, "__rmul__");
  arithmetic(tensor, "__truediv__", &div, "__rtruediv__");
  arithmetic(tensor, "__matmul__", &matmul, "__rmatmul__");
  arithmetic(tensor, "__eq__", &equal);
  arithmetic(tensor, "__ne__", &not_equal);
  arithmetic(tensor, "__lt__", &less);
  arithmetic(tensor, "__le__", &less_equal);
  arithmetic(tensor, "__gt__", &greater);
  arithmetic(tensor, "__ge__", &greater_equal);
  in_place(tensor, "__iadd__", &add);
  in_place(tensor, "__isub__", &sub);
  in_place(tensor, "__imul__", &mul);
  in_place(tensor, "__itruediv__", &div);
  in_place(tensor, "__imatmul__", &matmul);
  tensor.def("__neg__", &neg).def("__abs__", &abs).def("__pos__", &clone);
  // Elements are compared, so that a tensor is no key of a dict but by being the same object.
  tensor.attr("__hash__") = nb::handle(reinterpret_cast<PyObject*>(&PyBaseObject_Type)).attr("__hash__");
}

}  // namespace

void bind_elementwise(nb::module_& m, TensorClass& tensor) {
  bind_operators(tensor);
  unary(m, "abs", &abs, "|x|");
  unary(m, "negative", &neg, "-x");
  unary(m, "exp", &exp, "e to the power of x.");
  unary(m, "log", &log, "The natural logarithm.");
  unary(m, "sqrt", &sqrt, "The square root.");
  unary(m, "square", &square, "x * x");
  unary(m, "tanh", &tanh, "The hyperbolic tangent.");
  unary(m, "reciprocal", &reciprocal, "1 / x");
  binary(m, "add", &add, "x1 + x2");
  binary(m, "subtract", &sub, "x1 - x2");
  binary(m, "multiply", &mul, "x1 * x2");
  binary(m, "divide", &div, "x1 / x2");
  binary(m, "minimum", &minimum, "The smaller of two; NaN if either is.");
  binary(m, "maximum", &maximum, "The larger of two; NaN if either is.");
  binary(m, "equal", &equal, "x1 == x2");
  binary(m, "not_equal", &not_equal, "x1 != x2");
  binary(m, "less", &less, "x1 < x2");
  binary(m, "less_equal", &less_equal, "x1 <= x2");
  binary(m, "greater", &greater, "x1 > x2");
  binary(m, "greater_equal", &greater_equal, "x1 >= x2");
  m.def(
      "where",
      [](const Tensor& condition, const Operand& x1, const Operand& x2) {
        const auto [a, b] = as_tensors("where", x1, x2);
        return without_gil([&] { return where(condition, a, b); });
      },
      nb::arg(), nb::arg(), nb::arg(),
      nb::sig("def where(condition: Tensor, x1: Tensor | complex, x2: Tensor | complex, /) -> Tensor"),
      "x1 where condition is true, else x2.");
}

}  // namespace tern::python
