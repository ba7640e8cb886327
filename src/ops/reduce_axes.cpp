// SPDX-License-Identifier: Apache-2.0
#include "ops/reduce_axes.h"

#include <vector>

#include "ops/array_call.h"
#include "ops/checks.h"
#include "ops/copy.h"

namespace tern {
namespace {

// Room that lets the device's threads share outputs, or nothing where there are enough outputs, or too little to do.
Tensor shared_room(const Tensor& x, int64_t outer, int64_t extent, int64_t inner) {
  constexpr int64_t kLeast = 1 << 16, kWide = 128;  // elements to share; outputs that go together
  const int threads = x.device().backend().threads();
  if (threads == 1 || x.numel() < kLeast || outer * ((inner + kWide - 1) / kWide) >= 4 * threads) return {};
  const int64_t partials = outer * inner * reduce_blocks(extent, inner);
  return Tensor::empty({partials * static_cast<int64_t>(kReducePartialBytes)}, DType::u8, x.device());
}

}  // namespace

AxisSet axis_set(const char* op, std::span<const int> axes, int rank) {
  AxisSet set{};
  for (int axis = 0; axis < rank && axes.empty(); ++axis) set[static_cast<size_t>(axis)] = true;
  for (const int given : axes) {
    const int axis = normalize_axis(op, given, rank);
    bool& chosen = set[static_cast<size_t>(axis)];
    check(!chosen, op, "expected each axis once, got axis {} twice", axis);
    chosen = true;
  }
  return set;
}

Shape reduced_shape(const Shape& shape, const AxisSet& set, bool keep) {
  Shape out;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (!set[static_cast<size_t>(axis)]) {
      out.push_back(shape[axis]);
    } else if (keep) {
      out.push_back(1);
    }
  }
  return out;
}

Merged merge_set(const Tensor& x, const AxisSet& set) {
  std::vector<int> order, reduced;
  bool neighbours = true;
  int64_t extent = 1;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (!set[static_cast<size_t>(axis)]) {
      order.push_back(axis);
      continue;
    }
    neighbours = neighbours && (reduced.empty() || reduced.back() == axis - 1);
    reduced.push_back(axis);
    extent *= x.shape()[axis];
  }
  if (neighbours && reduced.size() == 1) return {x, reduced[0]};
  const int at = neighbours && !reduced.empty() ? reduced[0] : static_cast<int>(order.size());
  Shape shape = reduced_shape(x.shape(), set, false);
  shape.insert(at, extent);
  if (neighbours) return {reshape(x, shape), at};
  order.insert(order.end(), reduced.begin(), reduced.end());
  return {reshape(permute(x, order), shape), at};
}

Tensor reduce_along(ArrayReduceOp op, const Tensor& x, int axis, const ReduceOptions& options) {
  const Tensor from = dense(x.detach());
  int64_t outer = 1, inner = 1;
  for (int i = 0; i < axis; ++i) outer *= x.shape()[i];
  for (int i = axis + 1; i < x.rank(); ++i) inner *= x.shape()[i];
  Shape shape = x.shape();
  shape[axis] = 1;
  const Tensor y = Tensor::empty(shape, options.result, x.device());
  const Tensor room = shared_room(x, outer, x.shape()[axis], inner);
  call(x.device(), &ArrayReduceKernels::reduce,
       {.op = op,
        .dtype = x.dtype(),
        .result = options.result,
        .outer = outer,
        .extent = x.shape()[axis],
        .inner = inner,
        .x = from.raw(),
        .center = options.center.defined() ? options.center.data<double>() : nullptr,
        .divisor = options.divisor,
        .y = y.raw(),
        .room = room.defined() ? room.raw() : nullptr});
  return y;
}

}  // namespace tern
