// SPDX-License-Identifier: Apache-2.0
// Copies that leave no trace in the graph.
#pragma once

#include "tern/tensor.h"

namespace tern {

// Converts the elements of `from` into those of `to`, which has its shape and shares no memory with it.
void copy_into(const Tensor& from, const Tensor& to);

// x if it is contiguous, else a detached contiguous copy: an operand for kernels that know no strides.
Tensor dense(const Tensor& x);

// A detached contiguous copy of another dtype.
Tensor converted(const Tensor& x, DType dtype);

}  // namespace tern
