// SPDX-License-Identifier: Apache-2.0
// Views and copies.
#include <algorithm>
#include <numeric>
#include <optional>

#include "base/check_kind.h"
#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/dims.h"
#include "ops/gradients.h"
#include "ops/slice_range.h"
#include "ops/view.h"
#include "tern/ops.h"
#include "tern/promotion.h"

namespace tern {
namespace {

// `shape` with its extent of -1, if any, set to what is left of `count` elements.
Shape resolved(const Shape& shape, int64_t count) {
  Shape out = shape;
  int64_t known = 1;
  int open_axis = -1;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    check(shape[axis] >= -1 && (shape[axis] >= 0 || open_axis < 0), "reshape",
          "expected extents of 0 or more and at most one -1, got {}", shape);
    if (shape[axis] == -1) {
      open_axis = axis;
    } else {
      check(!__builtin_mul_overflow(known, shape[axis], &known), "reshape", "expected a shape of {} elements, got {}",
            count, shape);
    }
  }
  const bool fits = open_axis < 0 ? known == count : known != 0 && count % known == 0;
  check(fits, "reshape", "expected a shape of {} elements, got {}", count, shape);
  if (open_axis >= 0) out[open_axis] = count / known;
  return out;
}

// Strides that show x under `shape` without a copy, if there are any. Splits merged axes from the last to the first.
std::optional<Shape> view_strides(const Tensor& x, const Shape& shape) {
  if (x.numel() == 0) return contiguous_strides(shape);
  Shape extents = x.shape(), steps = x.strides();
  merge_axes(extents, std::span(&steps, 1));
  Shape strides = shape;
  int run = extents.rank() - 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    if (run > 0 && extents[run] == 1) --run;
    if (extents[run] % shape[axis] != 0) return std::nullopt;
    strides[axis] = steps[run];
    extents[run] /= shape[axis];
    steps[run] *= shape[axis];
  }
  return strides;
}

}  // namespace

Tensor reshape(const Tensor& x, const Shape& shape) {
  check_inputs("reshape", {{"x", x}});
  const Shape to = resolved(shape, x.numel());
  const std::optional<Shape> strides = view_strides(x, to);
  const Tensor y = strides ? x.as_strided(to, *strides, 0) : dense(x).as_strided(to, contiguous_strides(to), 0);
  return differentiable("reshape", x, y, [from = x.shape()](const Tensor& dy) { return reshape(dy, from); });
}

Tensor permute(const Tensor& x, std::span<const int> axes) {
  check_inputs("permute", {{"x", x}});
  check(static_cast<int>(axes.size()) == x.rank(), "permute", "expected {} axes, got {}", x.rank(), axes.size());
  Shape shape = x.shape(), strides = x.strides();
  std::vector<int> inverse(axes.size(), -1);
  for (size_t i = 0; i < axes.size(); ++i) {
    const int axis = normalize_axis("permute", axes[i], x.rank());
    int& place = inverse[static_cast<size_t>(axis)];
    check(place < 0, "permute", "expected each axis once, got axis {} twice", axis);
    place = static_cast<int>(i);
    shape[static_cast<int>(i)] = x.shape()[axis];
    strides[static_cast<int>(i)] = x.strides()[axis];
  }
  const auto back = [inverse](const Tensor& dy) { return permute(dy, inverse); };
  return differentiable("permute", x, x.as_strided(shape, strides, 0), back);
}

Tensor transpose(const Tensor& x, int axis0, int axis1) {
  check_inputs("transpose", {{"x", x}});
  Shape shape = x.shape(), strides = x.strides();
  const int first = normalize_axis("transpose", axis0, x.rank()), second = normalize_axis("transpose", axis1, x.rank());
  std::swap(shape[first], shape[second]);
  std::swap(strides[first], strides[second]);
  const auto back = [first, second](const Tensor& dy) { return transpose(dy, first, second); };
  return differentiable("transpose", x, x.as_strided(shape, strides, 0), back);
}

Tensor slice(const Tensor& x, int axis, int64_t begin, int64_t end, int64_t step) {
  check_inputs("slice", {{"x", x}});
  check(step != 0, "slice", "expected a step other than 0, got 0");
  const int at = normalize_axis("slice", axis, x.rank());
  const SliceRange range = slice_range(begin, end, step, x.shape()[at]);
  Shape shape = x.shape(), strides = x.strides();
  shape[at] = range.count;
  if (range.count > 1) strides[at] *= step;
  const Tensor y = x.as_strided(shape, strides, range.count > 0 ? range.first * x.strides()[at] : 0);
  const auto view = [=](const Tensor& dx) { return slice(dx, at, begin, end, step); };
  return differentiable("slice", x, y, scattered(x, view));
}

Tensor select(const Tensor& x, int axis, int64_t index) {
  check_inputs("select", {{"x", x}});
  const int at = normalize_axis("select", axis, x.rank());
  const int64_t extent = x.shape()[at];
  check_as<OutOfRange>(index >= -extent && index < extent, "select", "expected an index in [{}, {}) of axis {}, got {}",
                       -extent, extent, at, index);
  Shape shape = x.shape(), strides = x.strides();
  shape.erase(at);
  strides.erase(at);
  const int64_t offset = (index < 0 ? index + extent : index) * x.strides()[at];
  const auto view = [=](const Tensor& dx) { return select(dx, at, index); };
  return differentiable("select", x, x.as_strided(shape, strides, offset), scattered(x, view));
}

Tensor squeeze(const Tensor& x, int axis) {
  check_inputs("squeeze", {{"x", x}});
  const int at = normalize_axis("squeeze", axis, x.rank());
  check(x.shape()[at] == 1, "squeeze", "expected an extent of 1 on axis {}, got shape {}", at, x.shape());
  Shape shape = x.shape(), strides = x.strides();
  shape.erase(at);
  strides.erase(at);
  const auto back = [at](const Tensor& dy) { return unsqueeze(dy, at); };
  return differentiable("squeeze", x, x.as_strided(shape, strides, 0), back);
}

Tensor unsqueeze(const Tensor& x, int axis) {
  check_inputs("unsqueeze", {{"x", x}});
  const int at = normalize_axis("unsqueeze", axis, x.rank() + 1);
  Shape shape = x.shape(), strides = x.strides();
  shape.insert(at, 1);
  strides.insert(at, 1);
  const auto back = [at](const Tensor& dy) { return squeeze(dy, at); };
  return differentiable("unsqueeze", x, x.as_strided(shape, strides, 0), back);
}

Tensor expand(const Tensor& x, const Shape& shape) {
  check_inputs("expand", {{"x", x}});
  check(broadcast_shapes("expand", x.shape(), shape) == shape, "expand",
        "expected a shape that {} broadcasts to, got {}", x.shape(), shape);
  const auto back = [from = x.shape()](const Tensor& dy) { return sum_to(dy, from); };
  return differentiable("expand", x, x.as_strided(shape, broadcast_strides(x, shape), 0), back);
}

Tensor contiguous(const Tensor& x) {
  check_inputs("contiguous", {{"x", x}});
  return x.is_contiguous() ? x : clone(x);
}

Tensor clone(const Tensor& x) {
  check_inputs("clone", {{"x", x}});
  return differentiable("clone", x, converted(x, x.dtype()), [](const Tensor& dy) { return dy; });
}

Tensor cast(const Tensor& x, DType dtype) {
  check_inputs("cast", {{"x", x}});
  if (x.dtype() == dtype) return x;
  const Tensor y = converted(x, dtype);
  if (is_integer(dtype) || dtype == DType::boolean) return y;
  return differentiable("cast", x, y, [](const Tensor& dy) { return dy; });
}

Tensor concat(std::span<const Tensor> parts, int axis) {
  check(!parts.empty(), "concat", "expected at least one part, got none");
  check_inputs("concat", {{"part 0", parts[0]}});
  const int at = normalize_axis("concat", axis, parts[0].rank());
  Shape shape = parts[0].shape();
  std::vector<int64_t> ends;
  std::vector<DType> dtypes;
  for (const Tensor& part : parts) {
    check_inputs("concat", {{"part 0", parts[0]}, {"part", part}});
    check_rank("concat", {"part", part}, shape.rank());
    Shape expected = shape;
    expected[at] = part.shape()[at];
    check_shape("concat", {"part", part}, expected);
    ends.push_back((ends.empty() ? 0 : ends.back()) + part.shape()[at]);
    dtypes.push_back(part.dtype());
  }
  shape[at] = ends.back();
  const Tensor y = Tensor::empty(shape, result_type(dtypes), parts[0].device());
  for (size_t i = 0; i < parts.size(); ++i) {
    copy_into(parts[i], slice(y, at, ends[i] - parts[i].shape()[at], ends[i]));
  }
  if (needs_grad(parts)) {
    record_linear(y, "concat", parts, [at, ends](const Tensor& dy) {
      Gradients out;
      for (size_t i = 0; i < ends.size(); ++i) out.push_back(slice(dy, at, i == 0 ? 0 : ends[i - 1], ends[i]));
      return out;
    });
  }
  return y;
}

void assign(const Tensor& dst, const Tensor& src) {
  check_inputs("assign", {{"dst", dst}, {"src", src}});
  check(!needs_grad(dst, src), "assign", "expected tensors outside any graph, got one that requires a gradient");
  check_own_elements("assign", {"dst", dst});
  const Tensor from = expand(src, dst.shape());
  copy_into(dst.shares_storage_with(src) ? clone(from) : from, dst);
}

Tensor to_device(const Tensor& x, const Device& device) {
  check_inputs("to_device", {{"x", x}});
  check(static_cast<bool>(device), "to_device", "expected an open device, got none");
  std::vector<std::byte> host(static_cast<size_t>(x.numel()) * size_of(x.dtype()));
  x.copy_to_host(host);
  return Tensor::from_bytes(host, x.shape(), x.dtype(), device);
}

}  // namespace tern
