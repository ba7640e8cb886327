// SPDX-License-Identifier: Apache-2.0
// Token ids of Python: a tensor, an array, or lists of ints.
#pragma once

#include <cstdint>
#include <vector>

#include "casters.h"
#include "tern/tensor.h"

namespace tern::python {

// As i64; a copy only where they are something else.
Tensor ids_tensor(nb::handle source, const Device& device);
// One sequence. Throws Error for more axes, and OutOfRange for what is no int32.
std::vector<int32_t> ids_vector(nb::handle source);

}  // namespace tern::python
