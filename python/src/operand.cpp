// SPDX-License-Identifier: Apache-2.0
#include "operand.h"

#include <fmt/format.h>

#include "interop.h"
#include "number.h"
#include "tern/error_kinds.h"

namespace tern::python {
namespace {

Tensor tensor_of(const char* op, nb::handle source) {
  if (nb::isinstance<Tensor>(source)) return nb::cast<Tensor>(source);
  if (nb::ndarray_check(source)) return tensor_over(source, default_device(), std::nullopt);
  throw WrongType(fmt::format("[{}] expected tensors, got {}", op, nb::repr(source.type()).c_str()));
}

}  // namespace

bool operand_from(nb::handle source, Operand& operand) {
  static const nb::handle tensor_type = nb::type<Tensor>();
  if (source.type().is(tensor_type) || nb::isinstance<Tensor>(source)) {
    operand = Operand(nb::inst_ptr<Tensor>(source));
    return true;
  }
  if (nb::inst_check(source)) return false;
  if (PyLong_Check(source.ptr()) || PyFloat_Check(source.ptr()) || PyComplex_Check(source.ptr())) {
    operand = Operand(scalar_of(source, "number"));
    return true;
  }
  if (!nb::ndarray_check(source)) {
    // A NumPy scalar has an item(); a text, a list or None is no operand.
    if (!nb::hasattr(source, "item")) return false;
    const nb::object number = number_from(source);
    if (number.is_valid()) operand = Operand(scalar_of(number, "number"));
    return number.is_valid();
  }
  operand = Operand(tensor_over(source, default_device(), std::nullopt));
  return true;
}

const Tensor& tensor_among(const char* op, const Operand& a, const Operand& b) {
  if (a.tensor() != nullptr) return *a.tensor();
  if (b.tensor() != nullptr) return *b.tensor();
  throw Error(fmt::format("[{}] expected a tensor among the operands, got two numbers", op));
}

std::vector<Tensor> tensors_of(const char* op, const nb::args& arguments) {
  std::vector<Tensor> tensors;
  for (nb::handle argument : arguments) tensors.push_back(tensor_of(op, argument));
  return tensors;
}

std::vector<std::pair<std::string, Tensor>> named_tensors_of(const char* op, const nb::dict& tensors) {
  std::vector<std::pair<std::string, Tensor>> named;
  for (auto [name, tensor] : tensors) {
    if (!nb::isinstance<nb::str>(name))
      throw WrongType(fmt::format("[{}] expected names of tensors, got {}", op, nb::repr(name).c_str()));
    named.emplace_back(nb::cast<std::string>(name), tensor_of(op, tensor));
  }
  return named;
}

}  // namespace tern::python
