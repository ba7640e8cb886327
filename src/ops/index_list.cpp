// SPDX-License-Identifier: Apache-2.0
#include "ops/index_list.h"

#include <algorithm>

#include "base/check_kind.h"
#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/slice_range.h"
#include "tern/ops.h"

namespace tern {

// Where the list is read.
struct IndexList::Cursor {
  int entry = 0;          // of the list
  int axis = 0;           // of x, the next to be indexed
  int ellipsis_axes = 0;  // what the ellipsis stands for
  // Of arrays and integers, which are a run of neighbours or are not.
  enum class Run : uint8_t { none, open, closed, broken } run = Run::none;
  int first = 0;  // axes before the run
};

namespace {

// Axes of x that an entry indexes.
int axes_of(const Index& index) {
  struct Count {
    int operator()(int64_t) const { return 1; }
    int operator()(bool) const { return 0; }
    int operator()(const Slice&) const { return 1; }
    int operator()(Ellipsis) const { return 0; }
    int operator()(NewAxis) const { return 0; }
    int operator()(const Tensor& array) const {
      return array.defined() && array.dtype() == DType::boolean ? array.rank() : 1;
    }
  };
  return std::visit(Count{}, index.value());
}

template <class T>
bool holds(const Index& index) {
  return std::holds_alternative<T>(index.value());
}

}  // namespace

IndexList::IndexList(const char* op, const Tensor& x, std::span<const Index> indices) : op_(op), x_(x.detach()) {
  int used = 0;
  for (const Index& index : indices) used += axes_of(index);
  const auto ellipses = std::count_if(indices.begin(), indices.end(), holds<Ellipsis>);
  check_as<OutOfRange>(ellipses <= 1, op, "expected at most one ellipsis, got {}", ellipses);
  check_as<OutOfRange>(used <= x.rank(), op, "expected indices for at most {} axes of shape {}, got them for {}",
                       x.rank(), x.shape(), used);
  Cursor at;
  at.ellipsis_axes = x.rank() - used;
  for (const Index& index : indices) {
    std::visit([&](const auto& value) { add(at, value); }, index.value());
    ++at.entry;
  }
  if (ellipses == 0) add(at, kEllipsis);
  position_ = at.run == Cursor::Run::broken ? 0 : at.first;
}

Shape IndexList::shape() const {
  if (!has_arrays_) return rest_;
  Shape shape;
  for (int axis = 0; axis <= rest_.rank(); ++axis) {
    for (int i = 0; axis == position_ && i < index_shape_.rank(); ++i) shape.push_back(index_shape_[i]);
    if (axis < rest_.rank()) shape.push_back(rest_[axis]);
  }
  return shape;
}

Tensor IndexList::view() const { return x_.as_strided(rest_, strides_, offset_); }

IndexedAxis IndexList::elements() const {
  const int64_t count = index_shape_.numel();
  Tensor index;
  const bool is_one = arrays_.size() == 1 && arrays_[0].index.shape() == index_shape_;
  if (is_one) {
    index = dense(arrays_[0].index);
  } else {
    for (const Array& array : arrays_) {
      index = offsets(index_shape_, array.index, array.extent, array.scale, array.names, index);
    }
    if (!index.defined()) index = Tensor::zeros(index_shape_, DType::i64, x_.device());
  }
  Shape shape = rest_, strides = strides_, column;
  shape.insert(position_, count);
  strides.insert(position_, 0);
  for (int axis = 0; axis < shape.rank(); ++axis) column.push_back(axis == position_ ? count : 1);
  return {x_.as_strided(shape, strides, offset_),
          position_,
          index.as_strided(column, contiguous_strides(column), 0),
          is_one ? arrays_[0].extent : kOffsets,
          is_one ? arrays_[0].scale : 1,
          is_one ? arrays_[0].names : IndexNames{op_, "indices", 0}};
}

void IndexList::add(Cursor& at, int64_t index) {
  place_array(at);
  const int64_t extent = x_.shape()[at.axis];
  check_as<OutOfRange>(index >= -extent && index < extent, op_, "expected index {} in [{}, {}) of axis {}, got {}",
                       at.entry, -extent, extent, at.axis, index);
  offset_ += (index < 0 ? index + extent : index) * x_.strides()[at.axis++];
}

void IndexList::add(Cursor& at, bool keep) {
  place_array(at);
  has_arrays_ = true;
  add_array({Tensor::zeros({keep ? 1 : 0}, DType::i64, x_.device()), kOffsets, 1, names(at)});
}

void IndexList::add(Cursor& at, const Slice& slice) {
  const int64_t step = slice.step.value_or(1);
  check(step != 0, op_, "expected a step other than 0 of index {}, got 0", at.entry);
  const SliceRange range = slice_range(slice.start, slice.stop, step, x_.shape()[at.axis]);
  const int64_t stride = x_.strides()[at.axis++];
  if (range.count > 0) offset_ += range.first * stride;
  if (at.run == Cursor::Run::open) at.run = Cursor::Run::closed;
  add_axis(range.count, range.count > 1 ? stride * step : stride);
}

void IndexList::add(Cursor& at, Ellipsis) {
  if (at.run == Cursor::Run::open) at.run = Cursor::Run::closed;
  for (int i = 0; i < at.ellipsis_axes; ++i, ++at.axis) add_axis(x_.shape()[at.axis], x_.strides()[at.axis]);
}

void IndexList::add(Cursor& at, NewAxis) {
  if (at.run == Cursor::Run::open) at.run = Cursor::Run::closed;
  add_axis(1, 1);
}

void IndexList::add(Cursor& at, const Tensor& array) {
  check(array.defined() && array.device() == x_.device(), op_, "expected index {} on the device of x, got {}", at.entry,
        array.defined() ? "another" : "an undefined tensor");
  if (array.dtype() == DType::boolean) return array.rank() == 0 ? add(at, array.item() != 0) : add_mask(at, array);
  const Tensor index = integer_index(names(at), array);
  if (index.rank() == 0) return add(at, index.to_vector<int64_t>()[0]);
  place_array(at);
  has_arrays_ = true;
  add_array({index, x_.shape()[at.axis], x_.strides()[at.axis], names(at)});
  ++at.axis;
}

void IndexList::add_mask(Cursor& at, const Tensor& mask) {
  bool merges = true;
  int64_t extent = 1;
  for (int i = 0; i < mask.rank(); ++i) {
    const int axis = at.axis + i;
    check_as<OutOfRange>(mask.shape()[i] == x_.shape()[axis], op_,
                         "expected index {}, a mask, of extent {} for axis {}, got {}", at.entry, x_.shape()[axis],
                         axis, mask.shape()[i]);
    merges = merges && (i == 0 || x_.strides()[axis - 1] == x_.strides()[axis] * x_.shape()[axis]);
    extent *= mask.shape()[i];
  }
  place_array(at);
  has_arrays_ = true;
  const int last = at.axis + mask.rank() - 1;
  if (merges) {
    add_array({mask_positions(mask), extent, x_.strides()[last], names(at)});
  } else {
    add_array({mask_offsets(at, mask), kOffsets, 1, names(at)});
  }
  at.axis = last + 1;
}

void IndexList::add_axis(int64_t extent, int64_t stride) {
  rest_.push_back(extent);
  strides_.push_back(stride);
}

void IndexList::add_array(Array array) {
  index_shape_ = broadcast_shapes(op_, index_shape_, array.index.shape());
  arrays_.push_back(std::move(array));
}

void IndexList::place_array(Cursor& at) {
  if (at.run == Cursor::Run::none) at.first = rest_.rank();
  at.run = at.run == Cursor::Run::none || at.run == Cursor::Run::open ? Cursor::Run::open : Cursor::Run::broken;
}

IndexNames IndexList::names(const Cursor& at) const { return {op_, fmt::format("index {}", at.entry), at.axis}; }

Tensor IndexList::mask_offsets(const Cursor& at, const Tensor& mask) const {
  Tensor all = Tensor::zeros(mask.shape(), DType::i64, x_.device());
  for (int i = 0; i < mask.rank(); ++i) {
    const int64_t extent = mask.shape()[i];
    Shape line;
    for (int axis = 0; axis < mask.rank(); ++axis) line.push_back(axis == i ? extent : 1);
    const Tensor steps = Tensor::arange(extent, DType::i64, x_.device()).as_strided(line, contiguous_strides(line), 0);
    if (extent > 0) offsets(mask.shape(), steps, extent, x_.strides()[at.axis + i], names(at), all);
  }
  const Tensor positions = mask_positions(mask);
  return gather(
      {all.as_strided(positions.shape(), {0}, 0), 0, positions, std::max<int64_t>(mask.numel(), 1), 1, names(at)});
}

}  // namespace tern
