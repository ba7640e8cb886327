// SPDX-License-Identifier: Apache-2.0
// NumPy's lists of indices, taken apart.
#pragma once

#include <span>
#include <vector>

#include "ops/gather.h"
#include "tern/indexing.h"

namespace tern {

// x[…], by the axes that an array indexes and the others.
class IndexList {
 public:
  // Of x[indices]. Throws Error, in the name of `op`, for all but array elements out of range.
  IndexList(const char* op, const Tensor& x, std::span<const Index> indices);

  // Whether there are arrays, so that the result is no view.
  bool has_arrays() const { return has_arrays_; }
  // The shape of x[…].
  Shape shape() const;
  // x under the other entries: x[…] where there are no arrays.
  Tensor view() const;
  // What finds the elements of x[…] where there are arrays: their axes are one. Throws Error for an element out of
  // range.
  IndexedAxis elements() const;

 private:
  // An array of indices of one axis, or of several where a mask has made it.
  struct Array {
    Tensor index;
    int64_t extent, scale;
    IndexNames names;
  };
  struct Cursor;

  void add(Cursor& at, int64_t index);
  void add(Cursor& at, bool keep);
  void add(Cursor& at, const Slice& slice);
  void add(Cursor& at, Ellipsis);
  void add(Cursor& at, NewAxis);
  void add(Cursor& at, const Tensor& array);
  void add_mask(Cursor& at, const Tensor& mask);
  void add_axis(int64_t extent, int64_t stride);
  void add_array(Array array);
  // The entry at the cursor is an array, or stands among them.
  void place_array(Cursor& at);
  IndexNames names(const Cursor& at) const;
  // Offsets of the elements of `mask` in x, from the axis at the cursor on.
  Tensor mask_offsets(const Cursor& at, const Tensor& mask) const;

  const char* op_;
  Tensor x_;
  Shape rest_, strides_;  // of the axes that no array indexes
  int64_t offset_ = 0;
  std::vector<Array> arrays_;
  bool has_arrays_ = false;
  Shape index_shape_;  // of the arrays
  int position_ = 0;   // of index_shape_ in rest_
};

}  // namespace tern
