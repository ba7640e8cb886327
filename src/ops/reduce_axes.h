// SPDX-License-Identifier: Apache-2.0
// Which axes a reduction goes over, and one along an axis: what all reductions are made of.
#pragma once

#include <array>
#include <span>

#include "device/array_reduce.h"
#include "tern/shape.h"
#include "tern/tensor.h"

namespace tern {

using AxisSet = std::array<bool, kMaxRank>;

// The given axes, or all where none are given. Throws Error in the name of op for one that is not there or is given
// twice.
AxisSet axis_set(const char* op, std::span<const int> axes, int rank);

// `shape` with extents of 1 on the axes of the set, or without them.
Shape reduced_shape(const Shape& shape, const AxisSet& set, bool keep);

// x with the axes of the set as one, `axis`: a view where they are neighbours and strides allow. Differentiable.
struct Merged {
  Tensor x;
  int axis;
};
Merged merge_set(const Tensor& x, const AxisSet& set);

// The extreme along one axis as the ops say, kept as 1, by a kernel for arrays. x is made dense first. Leaves no trace
// in the graph.
struct ReduceOptions {
  DType result;
  Tensor center = {};  // of sum_squares: f64, contiguous, of the result's shape
  double divisor = 1;
};
Tensor reduce_along(ArrayReduceOp op, const Tensor& x, int axis, const ReduceOptions& options);

}  // namespace tern
