// SPDX-License-Identifier: Apache-2.0
#include "tern/manipulation.h"

#include <algorithm>
#include <numeric>

#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/dims.h"
#include "ops/fill.h"
#include "ops/view.h"
#include "tern/indexing.h"

namespace tern {
namespace {

// axes in [0, rank), each once.
std::vector<int> distinct_axes(const char* op, std::span<const int> axes, int rank) {
  std::vector<int> out;
  for (const int axis : axes) {
    const int at = normalize_axis(op, axis, rank);
    check(std::find(out.begin(), out.end(), at) == out.end(), op, "expected each axis once, got axis {} twice", at);
    out.push_back(at);
  }
  return out;
}

// x as [before, extent, after]: what is before an axis, it, and what is after.
Tensor around(const Tensor& x, int axis) {
  int64_t before = 1, after = 1;
  for (int i = 0; i < x.rank(); ++i) {
    if (i < axis) before *= x.shape()[i];
    if (i > axis) after *= x.shape()[i];
  }
  return reshape(x, {before, x.shape()[axis], after});
}

Shape with_extent(Shape shape, int axis, int64_t extent) {
  shape[axis] = extent;
  return shape;
}

Tensor rolled(const Tensor& x, int64_t shift, int axis) {
  const int64_t extent = x.shape()[axis];
  const int64_t cut = extent == 0 ? 0 : ((-shift % extent) + extent) % extent;
  const Tensor parts[] = {slice(x, axis, cut, extent), slice(x, axis, 0, cut)};
  return concat(parts, axis);
}

// Where padding takes its elements from: the index of x for each position from -before on.
std::vector<int64_t> padded_indices(PadMode mode, int64_t extent, int64_t before, int64_t after) {
  const auto modulo = [](int64_t i, int64_t period) { return (i % period + period) % period; };
  std::vector<int64_t> indices;
  for (int64_t i = -before; i < extent + after; ++i) {
    if (mode == PadMode::edge) {
      indices.push_back(std::clamp<int64_t>(i, 0, extent - 1));
    } else if (mode == PadMode::wrap) {
      indices.push_back(modulo(i, extent));
    } else {
      const int64_t last = mode == PadMode::reflect ? extent - 1 : extent;
      const int64_t period = std::max<int64_t>(2 * last, 1), at = modulo(i, period);
      indices.push_back(at < extent ? at : mode == PadMode::reflect ? period - at : period - 1 - at);
    }
  }
  return indices;
}

Tensor padded_with(const Tensor& x, std::span<const std::pair<int64_t, int64_t>> widths, const Scalar& value) {
  Shape shape = x.shape();
  for (int axis = 0; axis < x.rank(); ++axis) {
    const auto [before, after] = widths[static_cast<size_t>(axis)];
    shape[axis] += before + after;
  }
  const std::vector<std::pair<int64_t, int64_t>> kept(widths.begin(), widths.end());
  const auto inner = [kept, from = x.shape()](Tensor y) {
    for (int axis = 0; axis < from.rank(); ++axis) {
      const int64_t begin = kept[static_cast<size_t>(axis)].first;
      y = slice(y, axis, begin, begin + from[axis]);
    }
    return y;
  };
  const Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  fill("pad", y, value);
  copy_into(x, inner(y));
  return differentiable("pad", x, y, inner);
}

}  // namespace

Shape broadcast_shapes(std::span<const Shape> shapes) {
  Shape out;
  for (const Shape& shape : shapes) out = broadcast_shapes("broadcast_shapes", out, shape);
  return out;
}

std::vector<Tensor> broadcast_arrays(std::span<const Tensor> arrays) {
  Shape shape;
  for (const Tensor& array : arrays) {
    check_inputs("broadcast_arrays", {{"array 0", arrays[0]}, {"array", array}});
    shape = broadcast_shapes("broadcast_arrays", shape, array.shape());
  }
  std::vector<Tensor> out;
  for (const Tensor& array : arrays) out.push_back(expand(array, shape));
  return out;
}

Tensor squeeze(const Tensor& x, std::span<const int> axes) {
  check_inputs("squeeze", {{"x", x}});
  std::vector<int> from_last = distinct_axes("squeeze", axes, x.rank());
  std::sort(from_last.rbegin(), from_last.rend());
  for (const int axis : from_last) {
    check(x.shape()[axis] == 1, "squeeze", "expected an extent of 1 on axis {}, got shape {}", axis, x.shape());
  }
  Tensor y = x;
  for (const int axis : from_last) y = squeeze(y, axis);
  return y;
}

Tensor moveaxis(const Tensor& x, std::span<const int> sources, std::span<const int> destinations) {
  check_inputs("moveaxis", {{"x", x}});
  check(sources.size() == destinations.size(), "moveaxis", "expected as many destinations as sources, {}, got {}",
        sources.size(), destinations.size());
  const std::vector<int> from = distinct_axes("moveaxis", sources, x.rank());
  const std::vector<int> to = distinct_axes("moveaxis", destinations, x.rank());
  std::vector<int> order(static_cast<size_t>(x.rank()), -1);
  for (size_t i = 0; i < from.size(); ++i) order[static_cast<size_t>(to[i])] = from[i];
  int next = 0;
  for (int& axis : order) {
    if (axis >= 0) continue;
    while (std::find(from.begin(), from.end(), next) != from.end()) ++next;
    axis = next++;
  }
  return permute(x, order);
}

Tensor flip(const Tensor& x, std::optional<std::span<const int>> axes) {
  check_inputs("flip", {{"x", x}});
  std::vector<int> all(static_cast<size_t>(x.rank()));
  std::iota(all.begin(), all.end(), 0);
  Shape strides = x.strides();
  int64_t offset = 0;
  const std::vector<int> flipped = axes ? distinct_axes("flip", *axes, x.rank()) : all;
  for (const int axis : flipped) {
    if (x.numel() > 0) offset += (x.shape()[axis] - 1) * strides[axis];
    strides[axis] = -strides[axis];
  }
  return differentiable("flip", x, x.as_strided(x.shape(), strides, offset),
                        [flipped](const Tensor& dy) { return flip(dy, flipped); });
}

std::vector<Tensor> unstack(const Tensor& x, int axis) {
  check_inputs("unstack", {{"x", x}});
  const int at = normalize_axis("unstack", axis, x.rank());
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < x.shape()[at]; ++i) parts.push_back(select(x, at, i));
  return parts;
}

std::vector<Tensor> split(const Tensor& x, std::span<const int64_t> cuts, int axis) {
  check_inputs("split", {{"x", x}});
  const int at = normalize_axis("split", axis, x.rank());
  std::vector<Tensor> parts;
  int64_t begin = 0;
  for (const int64_t cut : cuts) {
    parts.push_back(slice(x, at, begin, cut));
    begin = cut;
  }
  parts.push_back(slice(x, at, begin, x.shape()[at]));
  return parts;
}

std::vector<Tensor> split(const Tensor& x, int64_t parts, int axis) {
  check_inputs("split", {{"x", x}});
  check(parts > 0, "split", "expected at least one part, got {}", parts);
  const int at = normalize_axis("split", axis, x.rank());
  const int64_t least = x.shape()[at] / parts, longer = x.shape()[at] % parts;
  std::vector<int64_t> cuts;
  for (int64_t i = 1; i < parts; ++i) cuts.push_back(i * least + std::min(i, longer));
  return split(x, cuts, at);
}

Tensor reshape(const Tensor& x, const Shape& shape, std::optional<bool> copy) {
  const Tensor y = reshape(x, shape);
  if (!copy) return y;
  const bool shares = y.shares_storage_with(x);
  check(*copy || shares, "reshape", "expected a view of shape {}, got strides {} of {}, which need a copy", shape,
        x.strides(), x.shape());
  return *copy && shares ? clone(y) : y;
}

Tensor ravel(const Tensor& x) {
  check_inputs("ravel", {{"x", x}});
  return reshape(x, {x.numel()});
}

Tensor flatten(const Tensor& x) {
  check_inputs("flatten", {{"x", x}});
  return reshape(x, {x.numel()}, true);
}

Tensor stack(std::span<const Tensor> parts, int axis) {
  check(!parts.empty(), "stack", "expected at least one part, got none");
  std::vector<Tensor> columns;
  int at = 0;
  for (const Tensor& part : parts) {
    check_inputs("stack", {{"part 0", parts[0]}, {"part", part}});
    check_shape("stack", {"part", part}, parts[0].shape());
    at = normalize_axis("stack", axis, part.rank() + 1);
    columns.push_back(unsqueeze(part, at));
  }
  return concat(columns, at);
}

Tensor concat(std::span<const Tensor> parts, std::nullopt_t) {
  std::vector<Tensor> flat;
  for (const Tensor& part : parts) {
    check_inputs("concat", {{"part", part}});
    flat.push_back(ravel(part));
  }
  return concat(flat, 0);
}

Tensor roll(const Tensor& x, std::span<const int64_t> shifts, std::span<const int> axes) {
  check_inputs("roll", {{"x", x}});
  check(shifts.size() == axes.size() || shifts.size() == 1, "roll", "expected one shift or {}, got {}", axes.size(),
        shifts.size());
  std::vector<int> at;
  for (const int axis : axes) at.push_back(normalize_axis("roll", axis, x.rank()));
  if (at.empty()) return clone(x);
  Tensor y = x;
  for (size_t i = 0; i < at.size(); ++i) y = rolled(y, shifts[shifts.size() == 1 ? 0 : i], at[i]);
  return y;
}

Tensor roll(const Tensor& x, int64_t shift) {
  check_inputs("roll", {{"x", x}});
  return reshape(rolled(ravel(x), shift, 0), x.shape());
}

Tensor repeat(const Tensor& x, int64_t repeats, std::optional<int> axis) {
  check_inputs("repeat", {{"x", x}});
  check(repeats >= 0, "repeat", "expected repeats of 0 or more, got {}", repeats);
  if (!axis) return repeat(ravel(x), repeats, 0);
  const int at = normalize_axis("repeat", *axis, x.rank());
  const Tensor parts = unsqueeze(around(x, at), 2);
  const Tensor repeated = clone(expand(parts, with_extent(parts.shape(), 2, repeats)));
  return reshape(repeated, with_extent(x.shape(), at, x.shape()[at] * repeats));
}

Tensor repeat(const Tensor& x, const Tensor& repeats, std::optional<int> axis) {
  check_inputs("repeat", {{"x", x}, {"repeats", repeats}});
  check(is_integer(repeats.dtype()), "repeat", "expected repeats of an integer dtype, got {}",
        name_of(repeats.dtype()));
  if (!axis) return repeat(ravel(x), repeats, 0);
  const int at = normalize_axis("repeat", *axis, x.rank());
  const int64_t extent = x.shape()[at];
  check(repeats.rank() == 0 || (repeats.rank() == 1 && (repeats.numel() == 1 || repeats.numel() == extent)), "repeat",
        "expected repeats of shape [{}], [1] or [], got {}", extent, repeats.shape());
  const std::vector<int64_t> counts = cast(repeats, DType::i64).to_vector<int64_t>();
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < extent; ++i) {
    const int64_t count = counts[counts.size() == 1 ? 0 : static_cast<size_t>(i)];
    check(count >= 0, "repeat", "expected repeats of 0 or more, got {} at [{}]", count, i);
    indices.insert(indices.end(), static_cast<size_t>(count), i);
  }
  return take(x, Tensor::from(indices, {static_cast<int64_t>(indices.size())}, x.device()), at);
}

Tensor tile(const Tensor& x, std::span<const int64_t> repetitions) {
  check_inputs("tile", {{"x", x}});
  Shape counts(repetitions), shape = x.shape();
  for (const int64_t count : counts) check(count >= 0, "tile", "expected repetitions of 0 or more, got {}", count);
  while (counts.rank() < shape.rank()) counts.insert(0, 1);
  while (shape.rank() < counts.rank()) shape.insert(0, 1);
  Tensor y = reshape(x, shape);
  // One copy an axis: axis and repetitions are neighbours.
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    if (counts[axis] == 1) continue;
    const Tensor parts = unsqueeze(around(y, axis), 1);
    shape[axis] *= counts[axis];
    y = reshape(clone(expand(parts, with_extent(parts.shape(), 1, counts[axis]))), shape);
  }
  return y.shares_storage_with(x) ? clone(y) : y;
}

Tensor pad(const Tensor& x, std::span<const std::pair<int64_t, int64_t>> widths, PadMode mode, const Scalar& value) {
  check_inputs("pad", {{"x", x}});
  check(static_cast<int>(widths.size()) == x.rank(), "pad", "expected widths for {} axes, got {}", x.rank(),
        widths.size());
  for (int axis = 0; axis < x.rank(); ++axis) {
    const auto [before, after] = widths[static_cast<size_t>(axis)];
    check(before >= 0 && after >= 0, "pad", "expected widths of 0 or more, got {} and {} for axis {}", before, after,
          axis);
    check(mode == PadMode::constant || x.shape()[axis] > 0 || before + after == 0, "pad",
          "expected elements to pad with on axis {}, got shape {}", axis, x.shape());
  }
  if (mode == PadMode::constant) return padded_with(x, widths, value);
  Tensor y = x;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const auto [before, after] = widths[static_cast<size_t>(axis)];
    if (before + after == 0) continue;
    const std::vector<int64_t> indices = padded_indices(mode, x.shape()[axis], before, after);
    y = take(y, Tensor::from(indices, {static_cast<int64_t>(indices.size())}, x.device()), axis);
  }
  return y.shares_storage_with(x) ? clone(y) : y;
}

}  // namespace tern
