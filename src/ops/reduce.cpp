// SPDX-License-Identifier: Apache-2.0
// Sums and extremes over axes.
#include "ops/array_pointwise.h"
#include "ops/call.h"
#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/gradients.h"
#include "ops/reduce_axes.h"
#include "tern/creation.h"
#include "tern/reductions.h"

namespace tern {
namespace {

bool is_index(ReduceOp op) { return op == ReduceOp::argmax || op == ReduceOp::argmin; }

ArrayReduceOp array_op(ReduceOp op) {
  switch (op) {
    case ReduceOp::sum:
      return ArrayReduceOp::sum;
    case ReduceOp::max:
      return ArrayReduceOp::max;
    case ReduceOp::min:
      return ArrayReduceOp::min;
    case ReduceOp::argmax:
      return ArrayReduceOp::argmax;
    case ReduceOp::argmin:
      break;
  }
  return ArrayReduceOp::argmin;
}

// Whether models' kernels are to reduce this: f32, whose order of sums is theirs, and integers where there are no
// others.
bool takes_model_kernel(const Tensor& x) {
  const bool known = x.dtype() == DType::f32 || x.dtype() == DType::i32 || x.dtype() == DType::i64;
  return x.dtype() == DType::f32 || (known && !x.device().backend().kernels().array);
}

// Rows that are longer than those of models, which are left to the kernels for arrays: by several accumulators, blocks
// and threads. One accumulator takes 15 us for the greatest of 100,000 and 8 for their sum, four take 8 and 5, and the
// sum of 10^7 numbers of one sign is off by 4e-5 in lanes order.
bool is_long(ReduceOp op, const Tensor& x, int64_t extent, int64_t inner) {
  constexpr int64_t kLongSum = 1 << 16, kLongExtreme = 1 << 12;
  return inner == 1 && extent >= (op == ReduceOp::sum ? kLongSum : kLongExtreme) && x.device().backend().kernels().array;
}

// Reduces the adjacent axes [begin, end) of a contiguous tensor, no half, to extents of 1. `result` is the dtype of a
// sum.
Tensor reduce_run(ReduceOp op, const Tensor& x, int begin, int end, DType result) {
  int64_t outer = 1, extent = 1, inner = 1;
  Shape shape = x.shape();
  for (int axis = 0; axis < x.rank(); ++axis) (axis < begin ? outer : axis < end ? extent : inner) *= x.shape()[axis];
  for (int axis = begin; axis < end; ++axis) shape[axis] = 1;
  const DType dtype = is_index(op) ? DType::i64 : op == ReduceOp::sum ? result : x.dtype();
  if (!takes_model_kernel(x) || is_long(op, x, extent, inner)) {
    return reduce_middle(array_op(op), x, {outer, extent, inner}, shape, {.result = dtype});
  }
  const Tensor y = Tensor::empty(shape, dtype, x.device());
  call(x.device(), &Kernels::reduce,
       {.op = op, .dtype = x.dtype(), .outer = outer, .extent = extent, .inner = inner, .x = x.raw(), .y = y.raw()});
  return y;
}

// The sum over the axes of the set, kept as 1: one kernel call per run of adjacent axes, from the last to the first.
Tensor sum_kept(const Tensor& x, const AxisSet& set, DType result) {
  Tensor y = dense(x.detach());
  for (int end = x.rank(); end > 0; --end) {
    int begin = end;
    while (begin > 0 && set[static_cast<size_t>(begin - 1)]) --begin;
    if (begin == end) continue;
    y = reduce_run(ReduceOp::sum, y, begin, end, result);
    end = begin + 1;
  }
  return y.shares_storage_with(x) || y.dtype() != result ? converted(y, result) : y;
}

// Real numbers and bool, of which those that models do not have need kernels of the device's.
void check_ordered(const char* op, const Tensor& x) {
  check_inputs(op, {{"x", x}});
  check(!is_complex(x.dtype()), op, "expected x of a real dtype or bool, got {}", name_of(x.dtype()));
  if (!is_half(x.dtype()) && !takes_model_kernel(x)) check_arrays(op, x, {x.dtype()});
}

// max and min: the extreme along one axis.
Tensor extreme(const char* name, ReduceOp op, ReduceOp index_op, const Tensor& x, int axis, bool keep) {
  check_ordered(name, x);
  if (is_half(x.dtype())) {
    return through_f32([&](const Tensor& wide) { return extreme(name, op, index_op, wide, axis, keep); }, x);
  }
  const int at = normalize_axis(name, axis, x.rank());
  check(x.shape()[at] > 0, name, "expected at least one element on axis {}, got shape {}", at, x.shape());
  const Tensor from = dense(x);
  const Tensor kept = reduce_run(op, from, at, at + 1, x.dtype());
  const Tensor y = keep ? kept : squeeze(kept, at);
  if (needs_grad(x)) {
    record(y, name, {x},
           [first = reduce_run(index_op, from, at, at + 1, x.dtype()), shape = x.shape(), at](const Tensor& dy) {
             Shape column;
             for (int i = 0; i < shape.rank(); ++i) column.push_back(i == at ? shape[i] : 1);
             const Tensor here = equal(reshape(Tensor::arange(shape[at], DType::i64, dy.device()), column), first);
             return Gradients{where(here, reshape(dy, first.shape()), Tensor::zeros({}, DType::f32, dy.device()))};
           });
  }
  return y;
}

Tensor extreme_index(const char* name, ReduceOp op, const Tensor& x, int axis, bool keep) {
  check_ordered(name, x);
  const int at = normalize_axis(name, axis, x.rank());
  check(x.shape()[at] > 0, name, "expected at least one element on axis {}, got shape {}", at, x.shape());
  const Tensor from = is_half(x.dtype()) ? converted(x, DType::f32) : dense(x);
  const Tensor kept = reduce_run(op, from.detach(), at, at + 1, x.dtype());
  return keep ? kept : squeeze(kept, at);
}

}  // namespace

DType sum_dtype(DType dtype) {
  if (is_signed_integer(dtype) || dtype == DType::boolean) return DType::i64;
  return is_unsigned_integer(dtype) ? DType::u64 : dtype;
}

Tensor sum(const Tensor& x, std::span<const int> axes, bool keep) {
  check_inputs("sum", {{"x", x}});
  if (is_half(x.dtype())) return through_f32([&](const Tensor& wide) { return sum(wide, axes, keep); }, x);
  if (!takes_model_kernel(x)) check_arrays("sum", x, {x.dtype()});
  const AxisSet set = axis_set("sum", axes, x.rank());
  const Tensor kept = sum_kept(x, set, x.dtype() == DType::i32 ? DType::i32 : sum_dtype(x.dtype()));
  const Tensor y =
      kept.as_strided(reduced_shape(x.shape(), set, keep), contiguous_strides(reduced_shape(x.shape(), set, keep)), 0);
  if (needs_grad(x)) {
    record_linear(y, "sum", {x}, [kept_shape = kept.shape(), shape = x.shape()](const Tensor& dy) {
      return Gradients{expand(reshape(dy, kept_shape), shape)};
    });
  }
  return y;
}

Tensor sum(const Tensor& x, std::span<const int> axes, bool keep, DType dtype) {
  check_inputs("sum", {{"x", x}});
  check(dtype != DType::boolean, "sum", "expected a dtype of numbers, got bool");
  const bool integers = (is_integer(x.dtype()) || x.dtype() == DType::boolean) && is_integer(dtype);
  if (!integers || (x.dtype() == DType::i32 && dtype == DType::i32)) return sum(cast(x, dtype), axes, keep);
  // Modulo 2^64 first, then modulo what `dtype` holds.
  check_arrays("sum", x, {x.dtype()});
  const AxisSet set = axis_set("sum", axes, x.rank());
  const Shape shape = reduced_shape(x.shape(), set, keep);
  return cast(sum_kept(x, set, sum_dtype(x.dtype())).as_strided(shape, contiguous_strides(shape), 0), dtype);
}

namespace {

// The mean of what has no gradient: integers give f32.
Tensor array_mean(const Tensor& x, std::span<const int> axes, bool keep) {
  check_arrays("mean", x, {x.dtype()});
  check_gradients("mean", {{"x", x}}, x.dtype());
  const AxisSet set = axis_set("mean", axes, x.rank());
  const Merged merged = merge_set(x, set);
  const DType result = is_complex(x.dtype()) ? x.dtype() : DType::f64;
  const auto count = static_cast<double>(merged.x.shape()[merged.axis]);
  const Tensor y = reduce_along(ArrayReduceOp::sum, merged.x, merged.axis, {.result = result, .divisor = count});
  const bool real = is_float(x.dtype()) || is_complex(x.dtype());
  return cast(reshape(y, reduced_shape(x.shape(), set, keep)), real ? x.dtype() : DType::f32);
}

}  // namespace

Tensor mean(const Tensor& x, std::span<const int> axes, bool keep) {
  check_inputs("mean", {{"x", x}});
  if (!has_gradient(x.dtype())) return array_mean(x, axes, keep);
  if (is_half(x.dtype())) return through_f32([&](const Tensor& wide) { return mean(wide, axes, keep); }, x);
  const Tensor total = sum(x, axes, keep);
  double count = 1;
  const AxisSet set = axis_set("mean", axes, x.rank());
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (set[static_cast<size_t>(axis)]) count *= static_cast<double>(x.shape()[axis]);
  }
  return total / full({}, count, DType::f32, x.device());  // by a kernel: a copy from the host would be waited for
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
  return sum_kept(x, set, x.dtype()).as_strided(shape, contiguous_strides(shape), 0);
}

}  // namespace tern
