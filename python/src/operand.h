// SPDX-License-Identifier: Apache-2.0
// Operands of Python: tensors, and numbers that take the other operand's dtype.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "casters.h"
#include "tern/scalar.h"
#include "tern/tensor.h"

namespace tern::python {

// A tensor or a number; a NumPy array is taken as a tensor over the same memory.
struct Operand {
  Tensor tensor;                 // undefined for
  std::optional<Scalar> number;  // a number
};
bool operand_from(nb::handle source, Operand& operand);

// Both as tensors, a number as beside() of elementwise.h takes it. Throws Error where neither is a tensor.
std::pair<Tensor, Tensor> as_tensors(const char* op, const Operand& a, const Operand& b);
Tensor as_tensor_like(const char* op, const Operand& operand, const Tensor& like);

// Every argument as a tensor, the arrays of NumPy over the same memory; the values of a dictionary, whose keys are
// names. Throw WrongType for anything else.
std::vector<Tensor> tensors_of(const char* op, const nb::args& arguments);
std::vector<std::pair<std::string, Tensor>> named_tensors_of(const char* op, const nb::dict& tensors);

// Runs f without Python's lock, so that other threads go on.
template <class F>
auto without_gil(F&& f) {
  nb::gil_scoped_release released;
  return f();
}

}  // namespace tern::python

namespace nanobind::detail {

template <>
struct type_caster<tern::python::Operand> {
  NB_TYPE_CASTER(tern::python::Operand, const_name("Tensor | complex"))
  bool from_python(handle source, uint32_t, cleanup_list*) { return tern::python::operand_from(source, value); }
};

}  // namespace nanobind::detail
