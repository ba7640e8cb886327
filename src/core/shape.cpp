// SPDX-License-Identifier: Apache-2.0
#include "tern/shape.h"

#include <algorithm>

#include "base/check_kind.h"
#include "core/format_shape.h"

namespace tern {

Shape::Shape(std::span<const int64_t> dims) : rank_(static_cast<int>(dims.size())) {
  check(dims.size() <= kMaxRank, "shape", "expected at most {} axes, got {}", kMaxRank, dims.size());
  std::copy(dims.begin(), dims.end(), dims_.begin());
}

int64_t Shape::numel() const {
  int64_t count = 1;
  for (int64_t dim : *this) count *= dim;
  return count;
}

void Shape::push_back(int64_t dim) { insert(rank_, dim); }

void Shape::insert(int axis, int64_t dim) {
  check(rank_ < kMaxRank, "shape", "expected at most {} axes, got {}", kMaxRank, rank_ + 1);
  std::copy_backward(dims_.begin() + axis, dims_.begin() + rank_, dims_.begin() + rank_ + 1);
  dims_[static_cast<size_t>(axis)] = dim;
  ++rank_;
}

void Shape::erase(int axis) {
  std::copy(dims_.begin() + axis + 1, dims_.begin() + rank_, dims_.begin() + axis);
  --rank_;
}

// Without std::equal, which calls memcmp for a number or two.
bool operator==(const Shape& a, const Shape& b) {
  if (a.rank_ != b.rank_) return false;
  for (int axis = 0; axis < a.rank_; ++axis) {
    if (a[axis] != b[axis]) return false;
  }
  return true;
}

Shape contiguous_strides(const Shape& shape) {
  Shape strides = shape;
  int64_t step = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[axis] = step;
    step *= shape[axis];
  }
  return strides;
}

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  if (a == b) return a;
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape out = longer;
  for (int i = 0; i < shorter.rank(); ++i) {
    const int64_t x = longer.back(i), y = shorter.back(i);
    check(x == y || x == 1 || y == 1, op, "expected shapes that broadcast, got {} and {}", a, b);
    out[out.rank() - 1 - i] = x == 1 ? y : x;
  }
  return out;
}

std::string to_string(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape.begin(), shape.end(), ", ")); }

int normalize_axis(const char* op, int axis, int rank) {
  check_as<OutOfRange>(axis >= -rank && axis < rank, op, "expected an axis in [{}, {}), got {}", -rank, rank, axis);
  return axis < 0 ? axis + rank : axis;
}

}  // namespace tern
