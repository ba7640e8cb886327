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

void set_axis(Dims& dims, int64_t number) {
  dims.rank = 1;
  dims.at[0] = number;
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

void set_loop(Dims& extents, const Shape& shape, std::initializer_list<LoopOperand> operands) {
  const bool flat = std::all_of(operands.begin(), operands.end(), [&](const LoopOperand& operand) {
    return operand.tensor.shape() == shape && operand.tensor.is_contiguous();
  });
  if (flat) {
    set_axis(extents, shape.numel());
    for (const LoopOperand& operand : operands) set_axis(operand.strides, 1);
    return;
  }
  constexpr size_t kMostOperands = 4;
  std::array<Shape, kMostOperands> all;
  const std::span<Shape> strides = std::span(all).first(operands.size());
  std::transform(operands.begin(), operands.end(), strides.begin(),
                 [&](const LoopOperand& operand) { return broadcast_strides(operand.tensor, shape); });
  Shape merged = shape;
  merge_axes(merged, strides);
  extents = to_dims(merged);
  for (size_t i = 0; i < operands.size(); ++i) operands.begin()[i].strides = to_dims(strides[i]);
}

}  // namespace tern
