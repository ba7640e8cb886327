// SPDX-License-Identifier: Apache-2.0
#include "operand.h"

#include <fmt/format.h>

#include "interop.h"
#include "number.h"
#include "tern/elementwise.h"

namespace tern::python {
bool operand_from(nb::handle source, Operand& operand) {
  if (nb::inst_check(source)) return nb::try_cast(source, operand.tensor);
  if (PyLong_Check(source.ptr()) || PyFloat_Check(source.ptr()) || PyComplex_Check(source.ptr())) {
    operand.number = scalar_of(source, "number");
    return true;
  }
  if (!nb::ndarray_check(source)) {
    // A NumPy scalar has an item(); a text, a list or None is no operand.
    if (!nb::hasattr(source, "item")) return false;
    const nb::object number = number_from(source);
    if (number.is_valid()) operand.number = scalar_of(number, "number");
    return number.is_valid();
  }
  operand.tensor = tensor_over(source, default_device(), std::nullopt);
  return true;
}

Tensor as_tensor_like(const char* op, const Operand& operand, const Tensor& like) {
  if (operand.tensor.defined()) return operand.tensor;
  return beside(like, *operand.number, op);
}

std::pair<Tensor, Tensor> as_tensors(const char* op, const Operand& a, const Operand& b) {
  if (a.tensor.defined()) return {a.tensor, as_tensor_like(op, b, a.tensor)};
  if (b.tensor.defined()) return {as_tensor_like(op, a, b.tensor), b.tensor};
  throw Error(fmt::format("[{}] expected a tensor among the operands, got two numbers", op));
}

}  // namespace tern::python
