// SPDX-License-Identifier: Apache-2.0
// The tape: what ops record and backward() (tern/autograd.h) walks. It knows no op.
#pragma once

#include <concepts>
#include <functional>
#include <span>
#include <vector>

#include "core/tensor_impl.h"
#include "tern/tensor.h"

namespace tern {

// True when any of them requires a gradient: an op then records itself.
template <std::same_as<Tensor>... Tensors>
bool needs_grad(const Tensors&... tensors) {
  return (tensors.requires_grad() || ...);
}
bool needs_grad(std::span<const Tensor> tensors);

// Makes `out`, fresh from an op, the result of `op` on `inputs`; records nothing when no input requires a gradient. The
// vjp gets the f32 gradient of out, any strided view, and returns one f32 gradient per input, of the input's shape,
// undefined where it is not needed; it captures detached tensors only (its own output, too: anything else would be a
// cycle). Between ops of mixed precision a gradient is of the result's dtype, which then has one use only. Throws Error
// where an input requires a gradient and out's dtype carries none (has_gradient).
void record(const Tensor& out, const char* op, std::span<const Tensor> inputs, GradState::Vjp vjp);
void record(const Tensor& out, const char* op, const std::vector<Tensor>& inputs, GradState::Vjp vjp);

// The same for an op of one input, most of whose gradient is 0: `add` adds it to a contiguous f32 tensor of the input's
// shape, which is what the input's other uses gave, as a look-up's rows go to a head that is the same table, or zeros.
void record_adding(const Tensor& out, const char* op, const Tensor& input,
                   std::function<void(const Tensor& grad, const Tensor& to)> add);

// The same for an op that is linear and whose vjp reads nothing but the gradient: so out may be f64, too, between a
// cast from f32 and one back, and its gradient is f32 as all are.
void record_linear(const Tensor& out, const char* op, std::span<const Tensor> inputs, GradState::Vjp vjp);
void record_linear(const Tensor& out, const char* op, const std::vector<Tensor>& inputs, GradState::Vjp vjp);

}  // namespace tern
