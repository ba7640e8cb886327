// SPDX-License-Identifier: Apache-2.0
#include "operand.h"

#include <fmt/format.h>
#include <algorithm>

#include "interop.h"
#include "number.h"

namespace tern::python {
namespace {

DType complex_of(DType dtype) { return dtype == DType::f64 ? DType::c128 : DType::c64; }

// What a number of a kind becomes beside a tensor of a dtype.
DType dtype_beside(DType dtype, NumberKind kind) {
  const NumberKind own = dtype == DType::boolean ? NumberKind::boolean
                         : is_integer(dtype)     ? NumberKind::integer
                         : is_float(dtype)       ? NumberKind::real
                                                 : NumberKind::complex;
  if (kind <= own) return dtype;
  if (kind == NumberKind::complex && own == NumberKind::real) return complex_of(dtype);
  return default_dtype(kind);
}

}  // namespace

bool operand_from(nb::handle source, Operand& operand) {
  if (nb::inst_check(source)) return nb::try_cast(source, operand.tensor);
  if (PyLong_Check(source.ptr()) || PyFloat_Check(source.ptr()) || PyComplex_Check(source.ptr())) {
    operand.number = nb::borrow(source);
    return true;
  }
  if (!nb::ndarray_check(source)) {
    // A NumPy scalar has an item(); a text, a list or None is no operand.
    if (!nb::hasattr(source, "item")) return false;
    operand.number = number_from(source);
    return operand.number.is_valid();
  }
  operand.tensor = tensor_over(source, default_device(), std::nullopt);
  return true;
}

Tensor as_tensor_like(const char* op, const Operand& operand, const Tensor& like) {
  if (operand.tensor.defined()) return operand.tensor;
  return full_of(operand.number, dtype_beside(like.dtype(), kind_of(operand.number)), like.device(), op);
}

std::pair<Tensor, Tensor> as_tensors(const char* op, const Operand& a, const Operand& b) {
  if (a.tensor.defined()) return {a.tensor, as_tensor_like(op, b, a.tensor)};
  if (b.tensor.defined()) return {as_tensor_like(op, a, b.tensor), b.tensor};
  throw Error(fmt::format("[{}] expected a tensor among the operands, got two numbers", op));
}

}  // namespace tern::python
