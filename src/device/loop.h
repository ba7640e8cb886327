// SPDX-License-Identifier: Apache-2.0
// Loop nests over strided tensors, with as few axes as their strides allow.
#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
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

// An operand that broadcasts to a loop's shape, and where a kernel's arguments have its strides.
struct LoopOperand {
  const Tensor& tensor;
  Dims& strides;
};

// The same, written where a kernel's arguments have it: the merged loop over `shape`, into `extents` and each operand's
// strides. A contiguous result, to which a kernel wants no strides, merges like any and need not be among them. Most
// often all lie as the shape does, and the loop is one axis; numbers beyond the rank are not set. (To set and to copy
// them took 45 of the 290 ns of a call that adds 100 numbers.)
void set_loop(Dims& extents, const Shape& shape, std::initializer_list<LoopOperand> operands);

}  // namespace tern
