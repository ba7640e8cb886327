// SPDX-License-Identifier: Apache-2.0
// Products, extremes over several axes, and counts of what is not 0.
#include "tern/reductions.h"

#include "ops/checks.h"
#include "ops/gradients.h"
#include "ops/reduce_axes.h"

namespace tern {
namespace {

// A result along one axis, kept as 1, in the shape that was asked for.
Tensor shaped(const Tensor& kept, const Shape& from, const AxisSet& set, bool keep) {
  return reshape(kept, reduced_shape(from, set, keep));
}

// any, all and count_nonzero.
Tensor truths(const char* name, ArrayReduceOp op, DType result, const Tensor& x, std::span<const int> axes, bool keep) {
  check_inputs(name, {{"x", x}});
  check_arrays(name, x, {x.dtype()});
  const AxisSet set = axis_set(name, axes, x.rank());
  const Merged merged = merge_set(x.detach(), set);
  return shaped(reduce_along(op, merged.x, merged.axis, {.result = result}), x.shape(), set, keep);
}

// max and min over the axes as one.
Tensor extreme(const char* name, Tensor (*along)(const Tensor&, int, bool), const Tensor& x, std::span<const int> axes,
               bool keep) {
  check_inputs(name, {{"x", x}});
  const AxisSet set = axis_set(name, axes, x.rank());
  const Merged merged = merge_set(x, set);
  return shaped(along(merged.x, merged.axis, true), x.shape(), set, keep);
}

// What the elements on one side of each multiply to: 1 at the near end.
Tensor products_before(const Tensor& x, int axis) {
  return slice(cumulative_prod(x, axis, {}, true), axis, 0, x.shape()[axis]);
}

Tensor reversed(const Tensor& x, int axis) { return slice(x, axis, -1, -x.shape()[axis] - 1, -1); }

// The product along an axis, whose gradient is that of the others: no division, so that zeros are no exception.
Tensor prod_along(const Tensor& x, int axis, DType result) {
  const Tensor y = reduce_along(ArrayReduceOp::prod, x, axis, {.result = result});
  if (needs_grad(x)) {
    record(y, "prod", {x}, [x = saved(x), axis](const Tensor& dy) {
      const Tensor after = reversed(products_before(reversed(x, axis), axis), axis);
      return Gradients{dy * (products_before(x, axis) * after)};
    });
  }
  return y;
}

}  // namespace

Tensor prod(const Tensor& x, std::span<const int> axes, bool keep, std::optional<DType> dtype) {
  check_inputs("prod", {{"x", x}});
  const DType result = dtype.value_or(sum_dtype(x.dtype()));
  check(result != DType::boolean, "prod", "expected a dtype of numbers, got bool");
  check_arrays("prod", x, {x.dtype(), result});
  if (is_half(result)) return cast(prod(cast(x, DType::f32), axes, keep), result);
  const AxisSet set = axis_set("prod", axes, x.rank());
  const bool integers = is_integer(result) && (is_integer(x.dtype()) || x.dtype() == DType::boolean);
  const Merged merged = merge_set(integers ? x : cast(x, result), set);
  // Modulo 2^64 first, then modulo what `result` holds.
  const Tensor kept = prod_along(merged.x, merged.axis, sum_dtype(merged.x.dtype()));
  return cast(shaped(kept, x.shape(), set, keep), result);
}

Tensor max(const Tensor& x, std::span<const int> axes, bool keep) { return extreme("max", max, x, axes, keep); }

Tensor min(const Tensor& x, std::span<const int> axes, bool keep) { return extreme("min", min, x, axes, keep); }

Tensor any(const Tensor& x, std::span<const int> axes, bool keep) {
  return truths("any", ArrayReduceOp::any, DType::boolean, x, axes, keep);
}

Tensor all(const Tensor& x, std::span<const int> axes, bool keep) {
  return truths("all", ArrayReduceOp::all, DType::boolean, x, axes, keep);
}

Tensor count_nonzero(const Tensor& x, std::span<const int> axes, bool keep) {
  return truths("count_nonzero", ArrayReduceOp::count_nonzero, DType::i64, x, axes, keep);
}

}  // namespace tern
