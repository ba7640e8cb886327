// SPDX-License-Identifier: Apache-2.0
// Reverse-mode differentiation.
//
// An op (ops.h) whose input requires a gradient records how to pull a gradient back; backward() walks that graph once.
// Detached tensors, and tensors that never had set_requires_grad(true), record nothing.
#pragma once

#include <functional>

#include "tern/tensor.h"

namespace tern {

// Adds d(output)/d(leaf), weighted by `grad`, to grad() of every leaf that requires a gradient, and releases the graph:
// a second call on the same output throws Error. `grad` has output's shape and dtype f32; it may be left out for an
// output of one element (then it is 1). Throws Error when output requires no gradient. The order of summation where
// gradients meet is the reverse of the order in which ops ran.
void backward(const Tensor& output, const Tensor& grad = {});

}  // namespace tern
