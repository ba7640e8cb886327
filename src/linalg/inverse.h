// SPDX-License-Identifier: Apache-2.0
// Inverses for functions that want no error.
#pragma once

#include "tern/tensor.h"

namespace tern::linalg {

// The inverses of square matrices of a dtype that is computed; infinity in the place of those that have none.
Tensor inverse_or_infinity(const char* op, const Tensor& x);

}  // namespace tern::linalg
