// SPDX-License-Identifier: Apache-2.0
// What the gradients of several ops need.
#pragma once

#include <vector>

#include "autograd/tape.h"
#include "tern/tensor.h"

namespace tern {

using Gradients = std::vector<Tensor>;

// The gradient of a broadcast: x summed over the axes that `shape` lacks or has as 1. x itself if it has the shape.
Tensor sum_to(const Tensor& x, const Shape& shape);

// y *= the only element of `factor`, in place; both f32, y contiguous.
void scale_in_place(const Tensor& y, const Tensor& factor);

// x for a vjp to capture: its values without its graph, or nothing.
inline Tensor saved(const Tensor& x, bool needed = true) { return needed ? x.detach() : Tensor(); }

}  // namespace tern
