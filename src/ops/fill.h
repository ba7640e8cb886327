// SPDX-License-Identifier: Apache-2.0
// One number in every element.
#pragma once

#include "tern/scalar.h"
#include "tern/tensor.h"

namespace tern {

// Every element of y, which is contiguous, becomes `value`, which its dtype holds (Scalar::element, in the name of op).
void fill(const char* op, const Tensor& y, const Scalar& value);

}  // namespace tern
