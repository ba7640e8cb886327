// SPDX-License-Identifier: Apache-2.0
// Operands of Python: tensors, and numbers that take the other operand's dtype.
#pragma once

#include <utility>

#include "casters.h"
#include "tern/tensor.h"

namespace tern::python {

// A tensor or a number; a NumPy array is taken as a tensor over the same memory.
struct Operand {
  Tensor tensor;      // undefined for
  nb::object number;  // a number
};
bool operand_from(nb::handle source, Operand& operand);

// Both as tensors, by the array API's rule for numbers: one of the tensor's kind or a lower one takes its dtype; a
// float beside integers is float32, a complex number beside floats complex of their precision, an int beside bools
// int64. Throws Error where neither is a tensor.
std::pair<Tensor, Tensor> as_tensors(const char* op, const Operand& a, const Operand& b);
Tensor as_tensor_like(const char* op, const Operand& operand, const Tensor& like);

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
