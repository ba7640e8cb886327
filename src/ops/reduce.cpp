// SPDX-License-Identifier: Apache-2.0
// Sums and extremes over axes.
#include <array>

#include "ops/call.h"
#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/gradients.h"
#include "tern/ops.h"

namespace tern {
namespace {

using AxisSet = std::array<bool, kMaxRank>;

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

// `shape` with extents of 1 on the axes of the set, or without them.
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

// Reduces the adjacent axes [begin, end) of a contiguous f32, i32 or i64 tensor to extents of 1.
Tensor reduce_run(ReduceOp op, const Tensor& x, int begin, int end) {
  int64_t outer = 1, extent = 1, inner = 1;
  Shape shape = x.shape();
  for (int axis = 0; axis < x.rank(); ++axis) (axis < begin ? outer : axis < end ? extent : inner) *= x.shape()[axis];
  for (int axis = begin; axis < end; ++axis) shape[axis] = 1;
  const bool index = op == ReduceOp::argmax || op == ReduceOp::argmin;
  const Tensor y = Tensor::empty(shape, index ? DType::i64 : x.dtype(), x.device());
  call(x.device(), &Kernels::reduce,
       {.op = op, .dtype = x.dtype(), .outer = outer, .extent = extent, .inner = inner, .x = x.raw(), .y = y.raw()});
  return y;
}

// The sum over the axes of the set, kept as 1: one kernel call per run of adjacent axes, from the last to the first.
Tensor sum_kept(const Tensor& x, const AxisSet& set) {
  Tensor y = dense(x.detach());
  for (int end = x.rank(); end > 0; --end) {
    int begin = end;
    while (begin > 0 && set[static_cast<size_t>(begin - 1)]) --begin;
    if (begin == end) continue;
    y = reduce_run(ReduceOp::sum, y, begin, end);
    end = begin + 1;
  }
  return y.shares_storage_with(x) ? converted(y, y.dtype()) : y;
}

// max and min: the extreme along one axis.
Tensor extreme(const char* name, ReduceOp op, ReduceOp index_op, const Tensor& x, int axis, bool keep) {
  check_arithmetic(name, {{"x", x}});
  if (is_half(x.dtype())) {
    return through_f32([&](const Tensor& wide) { return extreme(name, op, index_op, wide, axis, keep); }, x);
  }
  const int at = normalize_axis(name, axis, x.rank());
  check(x.shape()[at] > 0, name, "expected at least one element on axis {}, got shape {}", at, to_string(x.shape()));
  const Tensor from = dense(x);
  const Tensor kept = reduce_run(op, from, at, at + 1);
  const Tensor y = keep ? kept : squeeze(kept, at);
  if (needs_grad(x)) {
    record(y, name, {x}, [first = reduce_run(index_op, from, at, at + 1), shape = x.shape(), at](const Tensor& dy) {
      Shape column;
      for (int i = 0; i < shape.rank(); ++i) column.push_back(i == at ? shape[i] : 1);
      const Tensor here = equal(reshape(Tensor::arange(shape[at], DType::i64, dy.device()), column), first);
      return Gradients{where(here, reshape(dy, first.shape()), Tensor::zeros({}, DType::f32, dy.device()))};
    });
  }
  return y;
}

Tensor extreme_index(const char* name, ReduceOp op, const Tensor& x, int axis, bool keep) {
  check_arithmetic(name, {{"x", x}});
  const int at = normalize_axis(name, axis, x.rank());
  check(x.shape()[at] > 0, name, "expected at least one element on axis {}, got shape {}", at, to_string(x.shape()));
  const Tensor from = is_half(x.dtype()) ? converted(x, DType::f32) : dense(x);
  const Tensor kept = reduce_run(op, from.detach(), at, at + 1);
  return keep ? kept : squeeze(kept, at);
}

}  // namespace

Tensor sum(const Tensor& x, std::span<const int> axes, bool keep) {
  check_arithmetic("sum", {{"x", x}});
  if (is_half(x.dtype())) return through_f32([&](const Tensor& wide) { return sum(wide, axes, keep); }, x);
  const AxisSet set = axis_set("sum", axes, x.rank());
  const Tensor kept = sum_kept(x, set);
  const Tensor y =
      kept.as_strided(reduced_shape(x.shape(), set, keep), contiguous_strides(reduced_shape(x.shape(), set, keep)), 0);
  if (needs_grad(x)) {
    record(y, "sum", {x}, [kept_shape = kept.shape(), shape = x.shape()](const Tensor& dy) {
      return Gradients{expand(reshape(dy, kept_shape), shape)};
    });
  }
  return y;
}

Tensor mean(const Tensor& x, std::span<const int> axes, bool keep) {
  check_floats("mean", {{"x", x}});
  if (is_half(x.dtype())) return through_f32([&](const Tensor& wide) { return mean(wide, axes, keep); }, x);
  const Tensor total = sum(x, axes, keep);
  check(x.numel() > 0, "mean", "expected at least one element, got shape {}", to_string(x.shape()));
  const auto count = static_cast<double>(x.numel() / total.numel());
  return total / Tensor::full({}, count, DType::f32, x.device());
}

Tensor max(const Tensor& x, int axis, bool keep) {
  return extreme("max", ReduceOp::max, ReduceOp::argmax, x, axis, keep);
}

Tensor min(const Tensor& x, int axis, bool keep) {
  return extreme("min", ReduceOp::min, ReduceOp::argmin, x, axis, keep);
}

Tensor argmax(const Tensor& x, int axis, bool keep) { return extreme_index("argmax", ReduceOp::argmax, x, axis, keep); }

Tensor argmin(const Tensor& x, int axis, bool keep) { return extreme_index("argmin", ReduceOp::argmin, x, axis, keep); }

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  AxisSet set{};
  for (int i = 0; i < x.rank(); ++i) {
    set[static_cast<size_t>(x.rank() - 1 - i)] = i >= shape.rank() || (shape.back(i) == 1 && x.shape().back(i) != 1);
  }
  return sum_kept(x, set).as_strided(shape, contiguous_strides(shape), 0);
}

}  // namespace tern
