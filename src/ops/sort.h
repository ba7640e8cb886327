// SPDX-License-Identifier: Apache-2.0
// What ops that sort are made of. Nothing here leaves a trace in the graph.
#pragma once

#include <span>

#include "tern/tensor.h"

namespace tern {

// x with an axis in the last place, contiguous; and back.
Tensor rows_of_axis(const Tensor& x, int axis);
Tensor axis_of_rows(const Tensor& rows, int axis);

// The places of a contiguous tensor's elements in order, along the last axis: i64.
Tensor order_in_rows(const Tensor& x, bool descending);

// sort(x, axis) for places along the axis in ascending order, at least one; elsewhere it may be anything. x is real.
Tensor sorted_at(const Tensor& x, int axis, std::span<const int64_t> places);

// y[..., k] = x[..., index[..., k]]; both contiguous, index i64.
Tensor gather_in_rows(const Tensor& x, const Tensor& index);

// y[..., index[..., k]] = x[..., k], the rest 0, in rows of `extent`; both contiguous.
Tensor scatter_in_rows(const Tensor& x, const Tensor& index, int64_t extent);

// Where a contiguous tensor is not 0, counted through all elements: i64.
Tensor flat_nonzero(const Tensor& x);

}  // namespace tern
