// SPDX-License-Identifier: Apache-2.0
// How views take part in gradients.
#pragma once

#include "ops/copy.h"
#include "ops/gradients.h"

namespace tern {

// `view`, x's elements elsewhere or converted, whose gradient goes back through `back`, which reads nothing else. In
// f64, too.
template <class F>
Tensor differentiable(const char* op, const Tensor& x, const Tensor& view, F back) {
  if (needs_grad(x)) record_linear(view, op, {x}, [back](const Tensor& dy) { return Gradients{back(dy)}; });
  return view;
}

// Zeros of x's shape with dy in the place of the view: the gradient of a view of distinct elements.
template <class F>
auto scattered(const Tensor& x, F view) {
  return [shape = x.shape(), view](const Tensor& dy) {
    const Tensor dx = Tensor::zeros(shape, DType::f32, dy.device());
    copy_into(dy, view(dx));
    return dx;
  };
}

}  // namespace tern
