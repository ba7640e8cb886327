// SPDX-License-Identifier: Apache-2.0
// The numbers of a case's inputs and their layouts in memory.
#include <cmath>
#include <limits>
#include <utility>

#include "conformance/op_cases.h"
#include "tern/ops.h"

namespace tern::conformance {
namespace {

using reference::Array;

float value(Values values, size_t which, size_t i, size_t count) {
  uint64_t state = (which + 1) * 0x9e3779b97f4a7c15u + i * 0xbf58476d1ce4e5b9u;
  state ^= state >> 31;
  state *= 0x94d049bb133111ebu;
  state ^= state >> 29;
  const double unit = static_cast<double>(state >> 11) * 0x1p-53;
  switch (values) {
    case Values::any:
      return static_cast<float>((i == 0 || (state & 1) != 0 ? 1 : -1) * (0.1 + 1.9 * unit));
    case Values::positive:
      return static_cast<float>(0.5 + 1.5 * unit);
    case Values::grid:
      return static_cast<float>(std::floor(unit * 16 - 8) / 4 + 0.125 * static_cast<double>(which % 2));
    case Values::distinct:
      break;
  }
  // 383 is a prime: i -> 383·i mod count is a permutation of counts below it.
  return static_cast<float>(383 * i % count) / 8 - 4;
}

}  // namespace

std::vector<std::vector<float>> values_of(const OpCase& c) {
  std::vector<std::vector<float>> out;
  for (size_t which = 0; which < c.inputs.size(); ++which) {
    std::vector<float> values(static_cast<size_t>(c.inputs[which].shape.numel()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = value(c.inputs[which].values, which, i, values.size());
    out.push_back(std::move(values));
  }
  return out;
}

const char* name_of(Layout layout) {
  constexpr const char* kNames[] = {"contiguous", "transposed", "reversed", "strided"};
  return kNames[static_cast<size_t>(layout)];
}

Tensor base(const std::vector<float>& values, const Shape& shape, Layout layout, const Device& device) {
  if (layout == Layout::reversed)
    return Tensor::from(std::vector<float>(values.rbegin(), values.rend()), shape, device);
  if (layout == Layout::strided && shape.rank() > 0) {
    std::vector<float> spread(values.size() * 2, std::numeric_limits<float>::quiet_NaN());
    for (size_t i = 0; i < values.size(); ++i) spread[2 * i] = values[i];
    Shape wide = shape;
    wide[shape.rank() - 1] *= 2;
    return Tensor::from(spread, wide, device);
  }
  if (layout == Layout::transposed) {
    const Array x{{shape.begin(), shape.end()}, {values.begin(), values.end()}};
    std::vector<size_t> axes;
    for (size_t axis = x.shape.size(); axis-- > 0;) axes.push_back(axis);
    const Array turned = reference::permute(x, axes);
    return Tensor::from(std::vector<float>(turned.values.begin(), turned.values.end()), Shape(turned.shape), device);
  }
  return Tensor::from(values, shape, device);
}

Tensor view(const Tensor& base, const Shape& shape, Layout layout) {
  Tensor x = base;
  if (layout == Layout::reversed) {
    for (int axis = 0; axis < shape.rank(); ++axis) x = slice(x, axis, shape[axis], -shape[axis] - 1, -1);
  } else if (layout == Layout::strided && shape.rank() > 0) {
    x = slice(x, -1, 0, 2 * shape.back(), 2);
  } else if (layout == Layout::transposed) {
    std::vector<int> axes;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) axes.push_back(axis);
    x = permute(x, axes);
  }
  return x;
}

std::vector<Tensor> bases(const OpCase& c, Layout layout, const Device& device) {
  const std::vector<std::vector<float>> values = values_of(c);
  std::vector<Tensor> out;
  for (size_t i = 0; i < values.size(); ++i) out.push_back(base(values[i], c.inputs[i].shape, layout, device));
  return out;
}

Tensor run(const OpCase& c, Layout layout, const std::vector<Tensor>& bases) {
  std::vector<Tensor> views;
  for (size_t i = 0; i < bases.size(); ++i) views.push_back(view(bases[i], c.inputs[i].shape, layout));
  return c.op(views);
}

}  // namespace tern::conformance
