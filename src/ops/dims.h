// SPDX-License-Identifier: Apache-2.0
// Loop nests over strided tensors, with as few axes as their strides allow.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "device/kernels.h"
#include "tern/shape.h"
#include "tern/tensor.h"

namespace tern {

// The plain-data form of a shape.
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

// Product of all extents but the last: how many rows there are.
int64_t rows_of(const Shape& shape);

// `shape` with another last extent.
Shape with_last(Shape shape, int64_t extent);

}  // namespace tern
