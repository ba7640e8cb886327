// SPDX-License-Identifier: Apache-2.0
// How functions of elements record their gradients: each as a function of what the forward saved.
#pragma once

#include "ops/gradients.h"
#include "tern/ops.h"
#include "tern/tensor.h"

namespace tern {

// What a gradient may look at: the inputs and the output, those that its op says it saves.
struct Saved {
  Tensor a, b, y;
};

enum Saves : unsigned { kNothing = 0, kA = 1, kB = 2, kY = 4 };

// The gradient to one input, of the output's shape.
struct Side {
  unsigned saves;
  Tensor (*gradient)(const Saved& saved, const Tensor& dy);
};

// Makes y the result of `name` on x (on a and b), where one requires a gradient. All are f32.
void record_unary(const char* name, const Tensor& x, const Tensor& y, Side side);
void record_binary(const char* name, const Tensor& a, const Tensor& b, const Tensor& y, Side to_a, Side to_b);

// Throws when b, the divisor of a by integers, holds a 0. Reads it on the host, so it waits for an asynchronous device.
void check_divisor(const char* op, const Tensor& a, const Tensor& b);

inline Tensor scalar_like(const Tensor& x, double value) { return Tensor::full({}, value, x.dtype(), x.device()); }

// dy where condition holds, 0 elsewhere.
inline Tensor masked(const Tensor& condition, const Tensor& dy) { return where(condition, dy, scalar_like(dy, 0)); }

// Of what is constant almost everywhere.
inline constexpr Side kFlat{
    kNothing, [](const Saved&, const Tensor& dy) { return Tensor::zeros(dy.shape(), dy.dtype(), dy.device()); }};

}  // namespace tern
