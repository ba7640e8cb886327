// SPDX-License-Identifier: Apache-2.0
// Python's numbers and the elements of tensors.
#pragma once

#include <cstddef>

#include "casters.h"
#include "tern/scalar.h"
#include "tern/tensor.h"

namespace tern::python {

// Python's own number behind an object: itself, or item() of a NumPy scalar or an array without axes. An invalid object
// for what is no number.
nb::object number_from(nb::handle object);
// The same as a Scalar. Throws Error in the name of `op` for an integer beyond 64 bits.
Scalar scalar_of(nb::handle number, const char* op);
// What number_from and scalar_of give. Throws WrongType for what is no number.
Scalar scalar_from(nb::handle object, const char* op);
// The dtype that numbers get where nothing else says: bool, int64, float32, complex64.
DType default_dtype(Scalar::Kind kind);

// An element as Python's bool, int, float or complex.
nb::object read_number(const std::byte* from, DType dtype);
// The only element.
nb::object item(const Tensor& tensor);

}  // namespace tern::python
