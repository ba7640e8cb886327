// SPDX-License-Identifier: Apache-2.0
// The dense product behind matmul, and behind the gradients of linear and ternary_linear_ste.
#pragma once

#include "tern/tensor.h"

namespace tern {

// a [..., m, k] · b [..., k, n] with equal leading extents, as f32, detached. Operands f32 or i8 (codes count as
// floats), any views: none is copied.
Tensor product(const Tensor& a, const Tensor& b);

// c = a · b, or c += a · b where `accumulate` is set, which continues the sums of products: chunks of k after each
// other give the bits of product. Matrices; c f32, contiguous.
void product_into(const Tensor& c, const Tensor& a, const Tensor& b, bool accumulate);

// conj(a) · b as matmul has it, of operands with at least two axes.
Tensor conjugate_product(const Tensor& a, const Tensor& b);

}  // namespace tern
