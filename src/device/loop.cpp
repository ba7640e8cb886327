// SPDX-License-Identifier: Apache-2.0
#include "device/loop.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "core/format_shape.h"

namespace tern {
namespace {

// Whether the axis `outer` continues where `inner` ends, for every operand.
bool steps_evenly(const Shape& shape, std::span<const Shape> strides, int outer, int inner) {
  return std::all_of(strides.begin(), strides.end(),
                     [&](const Shape& s) { return s[outer] == s[inner] * shape[inner]; });
}

}  // namespace

Dims to_dims(const Shape& shape) {
  Dims dims{shape.rank(), {}};
  constexpr int kMost = static_cast<int>(std::size(Dims{}.at));
  check(shape.rank() <= kMost, "shape", "expected at most {} axes that do not merge into fewer, got {}", kMost, shape);
  std::copy(shape.begin(), shape.end(), dims.at);
  return dims;
}

Shape broadcast_strides(const Tensor& x, const Shape& shape) {
  Shape strides = shape;
  for (int i = 0; i < shape.rank(); ++i) {
    const bool repeats = i >= x.rank() || (x.shape().back(i) == 1 && shape.back(i) != 1);
    strides[shape.rank() - 1 - i] = repeats ? 0 : x.strides().back(i);
  }
  return strides;
}

void merge_axes(Shape& shape, std::span<Shape> strides) {
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    if (shape[axis] != 1) continue;
    shape.erase(axis);
    for (Shape& s : strides) s.erase(axis);
  }
  for (int axis = shape.rank() - 2; axis >= 0; --axis) {
    if (!steps_evenly(shape, strides, axis, axis + 1)) continue;
    shape[axis + 1] *= shape[axis];
    shape.erase(axis);
    for (Shape& s : strides) s.erase(axis);
  }
  if (shape.rank() > 0) return;
  shape.push_back(1);
  for (Shape& s : strides) s.push_back(1);
}

}  // namespace tern
