// SPDX-License-Identifier: Apache-2.0
// Python's numbers and the elements of tensors.
#pragma once

#include <cstddef>
#include <optional>

#include "casters.h"
#include "tern/tensor.h"

namespace tern::python {

// In the order of promotion.
enum class NumberKind { boolean, integer, real, complex };

// Python's own number behind an object: itself, or item() of a NumPy scalar or an array without axes. None's handle for
// what is no number.
nb::object number_from(nb::handle object);
NumberKind kind_of(nb::handle number);
// The dtype that numbers get where nothing else says: bool, int64, float32, complex64.
DType default_dtype(NumberKind kind);

// Writes a number as an element. Throws Error in the name of `op` for one that an integer dtype has no room for, and
// for a fraction, or a complex number, where dtype has none.
void write_number(nb::handle number, DType dtype, std::byte* to, const char* op);
// An element as Python's bool, int, float or complex.
nb::object read_number(const std::byte* from, DType dtype);

// A tensor without axes.
Tensor full_of(nb::handle number, DType dtype, const Device& device, const char* op);
// The only element.
nb::object item(const Tensor& tensor);

}  // namespace tern::python
