// SPDX-License-Identifier: Apache-2.0
// NumPy's x[…] position by position: which element of x is each of x[…]. Written from the rules, for tests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace tern::reference {

using Extents = std::vector<int64_t>;

// Integers as they stand, with the shape of an array; `is_number` for one that is no array.
struct IndexArray {
  Extents shape;
  std::vector<int64_t> values;
  bool is_number = false;
};
// Of a slice the indices that it takes, listed.
struct IndexSlice {
  std::vector<int64_t> taken;
};
struct IndexNewAxis {};
// One entry for every axis of x, ellipses and masks replaced by what they stand for. `after_gap` marks an ellipsis of
// no axes: what is on both sides of it is not adjacent.
struct IndexEntry {
  std::variant<IndexArray, IndexSlice, IndexNewAxis> value;
  bool after_gap = false;
};

struct IndexResult {
  Extents shape;
  std::vector<int64_t> sources;  // row-major positions in x
};

// Next index of `shape` in row-major order; false after the last.
inline bool advance(Extents& index, const Extents& shape) {
  for (size_t axis = shape.size(); axis-- > 0;) {
    if (++index[axis] < shape[axis]) return true;
    index[axis] = 0;
  }
  return false;
}

inline int64_t size_of_extents(const Extents& shape) {
  int64_t size = 1;
  for (const int64_t extent : shape) size *= extent;
  return size;
}

inline IndexResult indexed(const Extents& x, const std::vector<IndexEntry>& entries) {
  // The arrays' common shape, and whether they are neighbours.
  Extents common;
  bool any_array = false, ended = false, seen = false, split = false;
  size_t before = 0;  // result axes before the first array
  size_t own_axes = 0;
  for (const IndexEntry& entry : entries) {
    if (entry.after_gap && seen) ended = true;
    const auto* const array = std::get_if<IndexArray>(&entry.value);
    if (!array) {
      ++own_axes;
      ended = ended || seen;
      continue;
    }
    if (!seen) before = own_axes;
    split = split || (seen && ended);
    seen = true;
    if (array->is_number) continue;
    any_array = true;
    while (common.size() < array->shape.size()) common.insert(common.begin(), 1);
    for (size_t i = 0; i < array->shape.size(); ++i) {
      int64_t& extent = common[common.size() - 1 - i];
      const int64_t other = array->shape[array->shape.size() - 1 - i];
      if (extent == 1) extent = other;
    }
  }
  const size_t place = any_array && split ? 0 : before;
  Extents own;
  for (const IndexEntry& entry : entries) {
    if (const auto* slice = std::get_if<IndexSlice>(&entry.value))
      own.push_back(static_cast<int64_t>(slice->taken.size()));
    if (std::holds_alternative<IndexNewAxis>(entry.value)) own.push_back(1);
  }
  IndexResult result;
  result.shape = own;
  if (any_array)
    result.shape.insert(result.shape.begin() + static_cast<std::ptrdiff_t>(place), common.begin(), common.end());
  if (size_of_extents(result.shape) == 0) return result;
  Extents at(result.shape.size(), 0);
  do {
    Extents own_at = at, common_at;
    if (any_array) {
      const auto first = own_at.begin() + static_cast<std::ptrdiff_t>(place);
      common_at.assign(first, first + static_cast<std::ptrdiff_t>(common.size()));
      own_at.erase(first, first + static_cast<std::ptrdiff_t>(common.size()));
    }
    int64_t source = 0;
    size_t axis = 0, own_axis = 0;
    for (const IndexEntry& entry : entries) {
      if (std::holds_alternative<IndexNewAxis>(entry.value)) {
        ++own_axis;
        continue;
      }
      int64_t index = 0;
      if (const auto* slice = std::get_if<IndexSlice>(&entry.value)) {
        index = slice->taken[static_cast<size_t>(own_at[own_axis++])];
      } else {
        const auto& array = std::get<IndexArray>(entry.value);
        int64_t flat = 0;
        for (size_t i = 0; i < array.shape.size(); ++i) {
          const int64_t position = common_at[common.size() - array.shape.size() + i];
          flat = flat * array.shape[i] + (array.shape[i] == 1 ? 0 : position);
        }
        index = array.values[static_cast<size_t>(flat)];
      }
      source = source * x[axis] + (index < 0 ? index + x[axis] : index);
      ++axis;
    }
    result.sources.push_back(source);
  } while (advance(at, result.shape));
  return result;
}

}  // namespace tern::reference
