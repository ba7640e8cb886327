// SPDX-License-Identifier: Apache-2.0
// Reverse-mode differentiation.
//
// An op (ops.h) whose input requires a gradient records how to pull a gradient back; backward() walks that graph once.
// Detached tensors, and tensors that never had set_requires_grad(true), record nothing.
#pragma once

#include <functional>

#include "tern/tensor.h"

namespace tern {

// Adds d(output)/d(leaf), weighted by `grad`, to grad() of every leaf that requires a gradient, and releases the graph
// as it goes: a second call on the same output, or on another result of what was released, throws Error. `grad` has
// output's shape and dtype f32; it may be left out for an output of one element (then it is 1). Throws Error when
// output requires no gradient. Where gradients meet they are summed in a fixed order: that of the graph walked depth
// first from output, an op's inputs from first to last, in reverse. A gradient takes its memory for itself, but adds in
// place to a grad() that nobody else holds. When memory runs out midway, the graph is spent and the gradients are
// incomplete.
void backward(const Tensor& output, const Tensor& grad = {});

// fn(x, false), of whose graph only x is kept: backward() calls fn(x, true) for the same elements x, now a leaf, and
// walks what that records. Where fn(x, true) gives the same elements, so are the gradients, bit for bit, but for sums
// at leaves that other parts of the graph use as well, which are taken in another order. What fn reads must not change
// before backward(). Throws Error unless x requires a gradient.
Tensor recomputed(const Tensor& x, std::function<Tensor(const Tensor& x, bool with_grad)> fn);

}  // namespace tern
