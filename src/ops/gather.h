// SPDX-License-Identifier: Apache-2.0
// Moving elements by the indices of one axis: what all of indexing comes down to.
#pragma once

#include <string>

#include "device/array_index.h"
#include "tern/tensor.h"

namespace tern {

// What messages about an index out of range say of it.
struct IndexNames {
  const char* op;
  std::string index;  // "index 1", "indices"
  int axis;           // of the tensor that is indexed
};

// Elements of a tensor that an index finds along one axis (IndexedArgs in device/array_index.h).
struct IndexedAxis {
  Tensor base;  // the tensor under the shape of the result, of stride 0 along `axis`
  int axis;
  Tensor index;  // i64, of base's rank, broadcasts to base's shape
  int64_t extent, scale;
  IndexNames names;
};

// The elements, as a contiguous tensor of base's shape. Throws Error for an index out of range. Without a graph.
Tensor gather(const IndexedAxis& from);

// Writes values, of base's shape and dtype and without shared memory, to the elements / adds values, f32 like base.
// Throws Error for an index out of range before anything is changed.
void scatter(const IndexedAxis& to, const Tensor& values);
void scatter_add(const IndexedAxis& to, const Tensor& values);

// Offsets, in elements, that an index of any shape leads to: added to `sum` if it is defined, which has the shape of
// the result. Throws Error for an index out of range.
Tensor offsets(const Shape& shape, const Tensor& index, int64_t extent, int64_t scale, const IndexNames& names,
               const Tensor& sum = {});

// An index array as i64, as it is if it is that. Throws Error for another than an integer dtype.
Tensor integer_index(const IndexNames& names, const Tensor& index);

// The positions of a mask's true elements in row-major order, i64 [count].
Tensor mask_positions(const Tensor& mask);

}  // namespace tern
