// SPDX-License-Identifier: Apache-2.0
// Strided operands for kernel tests: layouts over a buffer, and where each element of a shape lies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "device/kernels.h"

namespace tern::testing {

using Axes = std::vector<int64_t>;

inline Dims dims(const Axes& axes) {
  Dims d{};
  d.rank = static_cast<int>(axes.size());
  for (size_t i = 0; i < axes.size(); ++i) d.at[i] = axes[i];
  return d;
}

inline int64_t count_of(const Axes& shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return count;
}

// The strides of a dense array whose axes lie in memory in the given order, outermost first.
inline Axes strides_in_order(const Axes& shape, const std::vector<size_t>& order) {
  Axes strides(shape.size());
  int64_t stride = 1;
  for (size_t k = order.size(); k-- > 0;) {
    strides[order[k]] = stride;
    stride *= shape[order[k]];
  }
  return strides;
}

inline Axes dense_strides(const Axes& shape) {
  std::vector<size_t> order;
  for (size_t k = 0; k < shape.size(); ++k) order.push_back(k);
  return strides_in_order(shape, order);
}

// Where the flat-th element of the shape lies.
inline size_t offset_of(const Axes& shape, const Axes& strides, int64_t flat) {
  int64_t offset = 0;
  for (size_t axis = shape.size(); axis-- > 0;) {
    offset += flat % shape[axis] * strides[axis];
    flat /= shape[axis];
  }
  return static_cast<size_t>(offset);
}

// Elements a buffer needs for the shape under the strides.
inline int64_t span_of(const Axes& shape, const Axes& strides) {
  int64_t span = 1;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == 0) return 0;
    span += (shape[axis] - 1) * strides[axis];
  }
  return span;
}

}  // namespace tern::testing
