// SPDX-License-Identifier: Apache-2.0
// Matrix products in every dtype that is computed.
#pragma once

#include "tern/tensor.h"

namespace tern::linalg {

// a·b of matrices of one dtype, whose batches broadcast; differentiable in f32, where it is matmul().
Tensor product(const Tensor& a, const Tensor& b);

// xᴴ of the last two axes; a view of real x.
Tensor adjoint(const Tensor& x);

// The identity [n, n] for each matrix of the batch.
Tensor identity(const Shape& batch, int64_t n, DType dtype, const Device& device);

}  // namespace tern::linalg
