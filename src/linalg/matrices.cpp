// SPDX-License-Identifier: Apache-2.0
#include "linalg/matrices.h"

#include "base/check.h"
#include "ops/copy.h"
#include "tern/ops.h"

namespace tern::linalg {

Shape leading(const Shape& shape, int count) {
  return Shape(std::span<const int64_t>(shape.begin(), static_cast<size_t>(shape.rank() - count)));
}

Shape with_axes(Shape batch, std::initializer_list<int64_t> extents) {
  for (const int64_t extent : extents) batch.push_back(extent);
  return batch;
}

Matrices::Matrices(const Shape& shape)
    : batch(leading(shape, 2)),
      count(batch.numel()),
      rows(static_cast<int>(shape.back(1))),
      columns(static_cast<int>(shape.back())) {}

std::string name_of_matrix(const Shape& batch, int64_t index) {
  if (batch.rank() == 0) return "the matrix";
  Shape at = batch;
  for (int axis = batch.rank() - 1; axis >= 0; --axis) {
    at[axis] = index % batch[axis];
    index /= batch[axis];
  }
  return "matrix " + to_string(at);
}

std::vector<int64_t> broadcast_indices(const Shape& batch, const Shape& to) {
  std::vector<int64_t> out(static_cast<size_t>(to.numel()));
  const Shape own = contiguous_strides(batch);
  for (size_t index = 0; index < out.size(); ++index) {
    auto rest = static_cast<int64_t>(index);
    for (int axis = 0; axis < to.rank(); ++axis) {
      const int64_t at = rest % to.back(axis);
      rest /= to.back(axis);
      if (axis < batch.rank() && batch.back(axis) != 1) out[index] += at * own.back(axis);
    }
  }
  return out;
}

Tensor row_major(const Tensor& x, DType dtype) { return converted(x, dtype); }

Tensor column_major(const Tensor& x, DType dtype) { return converted(transpose(x.detach()), dtype); }

Tensor from_column_major(const Tensor& x) { return converted(transpose(x), x.dtype()); }

}  // namespace tern::linalg
