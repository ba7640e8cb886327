// SPDX-License-Identifier: Apache-2.0
// Loop nests over strided tensors, with as few axes as their strides allow.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "device/kernels.h"
#include "tern/shape.h"
#include "tern/tensor.h"

namespace tern {

// The plain-data form of a shape. Throws Error for more axes than kernels loop over.
Dims to_dims(const Shape& shape);

// Strides of x seen under `shape`, to which it broadcasts: 0 on the axes that it lacks or repeats.
Shape broadcast_strides(const Tensor& x, const Shape& shape);

// Drops axes of extent 1 and merges adjacent axes that every operand steps through evenly; one axis is left at least.
void merge_axes(Shape& shape, std::span<Shape> strides);

template <size_t kOperands>
struct Loop {
  Dims shape;
  std::array<Dims, kOperands> strides;
};

// The merged loop over `shape` with these strides, one per operand.
template <size_t kOperands>
Loop<kOperands> make_loop(Shape shape, std::array<Shape, kOperands> strides) {
  merge_axes(shape, strides);
  Loop<kOperands> loop{to_dims(shape), {}};
  for (size_t i = 0; i < kOperands; ++i) loop.strides[i] = to_dims(strides[i]);
  return loop;
}

// One axis; the numbers beyond it are nobody's. (To set and copy those of three operands took 45 of an add's 280 ns.)
inline void set_axis(Dims& dims, int64_t number) {
  dims.rank = 1;
  dims.at[0] = number;
}

// The same of tensors that broadcast to `shape`. Most often they lie as the shape does, and the loop is one axis.
template <size_t kOperands>
Loop<kOperands> make_loop(const Shape& shape, const std::array<const Tensor*, kOperands>& operands) {
  const bool flat = std::all_of(operands.begin(), operands.end(),
                                [&](const Tensor* x) { return x->shape() == shape && x->is_contiguous(); });
  if (flat) {
    Loop<kOperands> loop;
    set_axis(loop.shape, shape.numel());
    for (Dims& strides : loop.strides) set_axis(strides, 1);
    return loop;
  }
  std::array<Shape, kOperands> strides;
  for (size_t i = 0; i < kOperands; ++i) strides[i] = broadcast_strides(*operands[i], shape);
  return make_loop<kOperands>(shape, strides);
}

}  // namespace tern
