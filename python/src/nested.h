// SPDX-License-Identifier: Apache-2.0
// Nested lists of numbers as tensors, and back.
#pragma once

#include <optional>

#include "casters.h"
#include "tern/tensor.h"

namespace tern::python {

// Numbers, or sequences of what this takes, all of one shape. Without a dtype the highest kind of number decides.
Tensor from_nested(nb::handle source, std::optional<DType> dtype, const Device& device);
// Lists of lists of numbers; a number for a tensor without axes.
nb::object to_nested(const Tensor& tensor);

}  // namespace tern::python
