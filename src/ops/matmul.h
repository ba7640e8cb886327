// SPDX-License-Identifier: Apache-2.0
// The dense product behind matmul, and behind the gradients of linear and ternary_linear_ste.
#pragma once

#include "tern/tensor.h"

namespace tern {

// a [..., m, k] · b [..., k, n] with equal leading extents, as f32, detached. Operands f32 or i8 (codes count as
// floats), any views: none is copied.
Tensor product(const Tensor& a, const Tensor& b);

}  // namespace tern
