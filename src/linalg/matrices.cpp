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

Tensor row_major(const Tensor& x, DType dtype) { return converted(x, dtype); }

Tensor column_major(const Tensor& x, DType dtype) { return converted(transpose(x.detach()), dtype); }

Tensor from_column_major(const Tensor& x) { return converted(transpose(x), x.dtype()); }

}  // namespace tern::linalg
