// SPDX-License-Identifier: Apache-2.0
// Memory shared with NumPy and with whatever speaks DLPack or has a buffer.
#pragma once

#include <nanobind/ndarray.h>

#include <optional>

#include "casters.h"
#include "tern/tensor.h"

namespace tern::python {

// A tensor over the memory of an array: of NumPy, DLPack or the buffer protocol. `copy`: true copies, false throws
// Error where memory cannot be shared (it is read-only, unaligned, or on another device); unset copies where it must.
// Throws Error for elements that no dtype holds.
Tensor tensor_over(nb::handle array, const Device& device, std::optional<bool> copy);

// An argument that is such an array, and neither a tensor nor Python's bytes.
struct ArrayArgument {
  nb::object source;
};

}  // namespace tern::python

namespace nanobind::detail {

template <>
struct type_caster<tern::python::ArrayArgument> {
  NB_TYPE_CASTER(tern::python::ArrayArgument, const_name("typing.Any"))
  bool from_python(handle source, uint32_t, cleanup_list*) {
    if (isinstance<tern::Tensor>(source) || PyBytes_Check(source.ptr()) || !ndarray_check(source)) return false;
    value.source = borrow(source);
    return true;
  }
};

}  // namespace nanobind::detail
