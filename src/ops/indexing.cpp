// SPDX-License-Identifier: Apache-2.0
#include "tern/indexing.h"

#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/dims.h"
#include "ops/gather.h"
#include "ops/index_list.h"
#include "ops/view.h"
#include "tern/creation.h"
#include "tern/ops.h"

namespace tern {
namespace {

// The elements of x that locate(x) finds, under `shape`, with their gradient: locate(dx) finds where it is added.
template <class Locate>
Tensor gathered(const char* op, const Tensor& x, const Shape& shape, const Locate& locate) {
  const Tensor y = gather(locate(x.detach())).as_strided(shape, contiguous_strides(shape), 0);
  return differentiable(op, x, y, [x_shape = x.shape(), locate](const Tensor& dy) {
    const Tensor dx = Tensor::zeros(x_shape, DType::f32, dy.device());
    const IndexedAxis at = locate(dx);
    scatter_add(at, reshape(dy, at.base.shape()));
    return dx;
  });
}

void check_writable(const char* op, const Tensor& x, const Tensor& value) {
  check(!needs_grad(x, value), op, "expected tensors outside any graph, got one that requires a gradient");
  check_own_elements(op, {"x", x});
}

bool broadcasts_to(const Shape& from, const Shape& to) {
  if (from.rank() > to.rank()) return false;
  for (int i = 0; i < from.rank(); ++i) {
    if (from.back(i) != 1 && from.back(i) != to.back(i)) return false;
  }
  return true;
}

// value as what is written to elements of x under `shape`: of x's dtype, in memory of its own, broadcast.
Tensor source(const char* op, const Tensor& x, const Tensor& value, const Shape& shape) {
  Tensor from = value;
  while (from.rank() > shape.rank() && from.shape()[0] == 1) from = squeeze(from, 0);
  check(broadcasts_to(from.shape(), shape), op, "expected a value that broadcasts to {}, got {}", shape, value.shape());
  if (from.dtype() != x.dtype() || from.shares_storage_with(x)) from = converted(from, x.dtype());
  return expand(from, shape);
}

// Everything along one axis that `index` replaces by its own axes, which are taken as one.
IndexedAxis along(const Tensor& x, int axis, const Tensor& index, const IndexNames& names) {
  Shape shape = x.shape(), strides = x.strides(), column;
  shape[axis] = index.numel();
  strides[axis] = 0;
  for (int i = 0; i < shape.rank(); ++i) column.push_back(i == axis ? index.numel() : 1);
  return {x.as_strided(shape, strides, 0),
          axis,
          index.as_strided(column, contiguous_strides(column), 0),
          x.shape()[axis],
          x.strides()[axis],
          names};
}

// Every element of an axis that an index of its own finds.
IndexedAxis each_along(const Tensor& x, int axis, const Tensor& index, const Shape& shape, const IndexNames& names) {
  Shape strides = broadcast_strides(x, shape);
  strides[axis] = 0;
  return {x.as_strided(shape, strides, 0), axis, index, x.shape()[axis], x.strides()[axis], names};
}

// The shape to which x and indices broadcast but for x's extent of the axis.
Shape shape_along(const char* op, const Tensor& x, const Tensor& indices, int axis) {
  check(x.rank() == indices.rank(), op, "expected indices with {} axes, got shape {}", x.rank(), indices.shape());
  Shape other = x.shape();
  other[axis] = 1;
  Shape shape = broadcast_shapes(op, other, indices.shape());
  shape[axis] = indices.shape()[axis];
  return shape;
}

}  // namespace

Tensor index(const Tensor& x, std::span<const Index> indices) {
  check_inputs("index", {{"x", x}});
  const IndexList list("index", x, indices);
  const std::vector<Index> kept(x.requires_grad() ? indices.begin() : indices.end(), indices.end());
  if (!list.has_arrays()) {
    const auto view = [kept](const Tensor& dx) { return IndexList("index", dx, kept).view(); };
    return differentiable("index", x, list.view(), scattered(x, view));
  }
  const Tensor y = gather(list.elements()).as_strided(list.shape(), contiguous_strides(list.shape()), 0);
  return differentiable("index", x, y, [kept, shape = x.shape()](const Tensor& dy) {
    const Tensor dx = Tensor::zeros(shape, DType::f32, dy.device());
    const IndexedAxis at = IndexList("index", dx, kept).elements();
    scatter_add(at, reshape(dy, at.base.shape()));
    return dx;
  });
}

void assign_index(const Tensor& x, std::span<const Index> indices, const Tensor& value) {
  check_inputs("assign_index", {{"x", x}, {"value", value}});
  check_writable("assign_index", x, value);
  const IndexList list("assign_index", x, indices);
  const Tensor from = source("assign_index", x, value, list.shape());
  if (!list.has_arrays()) return copy_into(from, list.view());
  const IndexedAxis at = list.elements();
  scatter(at, reshape(from, at.base.shape()));
}

void assign_index(const Tensor& x, std::span<const Index> indices, const Scalar& value) {
  check_inputs("assign_index", {{"x", x}});
  value.element(x.dtype(), "assign_index");
  assign_index(x, indices, full({}, value, x.dtype(), x.device()));
}

Tensor take(const Tensor& x, const Tensor& indices, std::optional<int> axis) {
  check_inputs("take", {{"x", x}, {"indices", indices}});
  if (!axis) return take(reshape(x, {-1}), indices, 0);
  const int at = normalize_axis("take", *axis, x.rank());
  const IndexNames names = {"take", "indices", at};
  const Tensor flat = dense(integer_index(names, indices));
  Shape shape = x.shape();
  shape.erase(at);
  for (int i = 0; i < indices.rank(); ++i) shape.insert(at + i, indices.shape()[i]);
  return gathered("take", x, shape, [=](const Tensor& from) { return along(from, at, flat, names); });
}

Tensor take_along_axis(const Tensor& x, const Tensor& indices, int axis) {
  check_inputs("take_along_axis", {{"x", x}, {"indices", indices}});
  const int at = normalize_axis("take_along_axis", axis, x.rank());
  const IndexNames names = {"take_along_axis", "indices", at};
  const Shape shape = shape_along("take_along_axis", x, indices, at);
  const Tensor index = integer_index(names, indices);
  // Elements of x that several positions share are summed by expand's gradient: scatter_add adds along `axis` alone.
  Shape own = shape;
  own[at] = x.shape()[at];
  return gathered("take_along_axis", own == x.shape() ? x : expand(x, own), shape,
                  [=](const Tensor& from) { return each_along(from, at, index, shape, names); });
}

void put_along_axis(const Tensor& x, const Tensor& indices, const Tensor& values, int axis) {
  check_inputs("put_along_axis", {{"x", x}, {"indices", indices}, {"values", values}});
  check_writable("put_along_axis", x, values);
  const int at = normalize_axis("put_along_axis", axis, x.rank());
  const IndexNames names = {"put_along_axis", "indices", at};
  const Shape shape = shape_along("put_along_axis", x, indices, at);
  Shape own = x.shape();
  own[at] = shape[at];
  check(own == shape, "put_along_axis", "expected indices that broadcast to {}, got {}", own, indices.shape());
  const Tensor index = integer_index(names, indices);
  scatter(each_along(x, at, index, shape, names), source("put_along_axis", x, values, shape));
}

}  // namespace tern
