// SPDX-License-Identifier: Apache-2.0
// Kernels that make arrays and move elements by index (array_kernels.h). Elements are moved as they are, so these
// know their size and not their dtype, but for the two that compute. Indices and offsets are i64.
#pragma once

#include "device/kernels.h"

namespace tern {

// y[i] = the element at `value`, in host memory; contiguous; element_bytes 1, 2, 4, 8 or 16.
struct RepeatArgs {
  size_t element_bytes;
  int64_t count;
  const void* value;
  void* y;
};

// y[i] = first + i·step, contiguous; not of bool. Where `exact` is set, which wants an integer dtype, modulo 2^64, of
// which the dtype's low bits are taken; else re + double(i)·re_step in double, rounded once, down for integers, and for
// complex numbers the imaginary part likewise.
struct RampArgs {
  DType dtype;
  int64_t count;
  bool exact;
  int64_t first, step;
  double re, im, re_step, im_step;
  void* y;
};

// Zeros above (or below) a diagonal of contiguous matrices y [batch, rows, cols], in place: where j - i > diagonal, or
// < diagonal where `below` is set.
struct ZeroTriangleArgs {
  size_t element_bytes;
  int64_t batch, rows, cols, diagonal;
  bool below;
  void* y;
};

inline constexpr int64_t kOffsets = -1;

// Elements of x that an index finds along one axis: for every position p of `shape`, that at
//   p·x_strides + at(index[p·index_strides])·scale,
// where at(i) is i, or i + extent for i < 0. x_strides are 0 on `axis`, and different positions but those that differ
// along `axis` reach different elements. extent is kOffsets for indices that were checked and are not to be wrapped.
struct IndexedArgs {
  size_t element_bytes;
  Dims shape;
  int axis;
  void* x;
  Dims x_strides;
  const int64_t* index;
  Dims index_strides;
  int64_t extent, scale;
  void* y;
  Dims y_strides;
  // In host memory, of gather: the first position, counted in row-major order, whose index is not in [-extent, extent),
  // or what was there where there is none; y is then undefined. The others take indices in range.
  int64_t* first_bad;
};

// y[i] (+)= at(index[i])·scale for contiguous y of `shape`, with checks as those of gather.
struct OffsetsArgs {
  Dims shape;
  const int64_t* index;
  Dims index_strides;
  int64_t extent, scale;
  bool accumulate;
  int64_t* y;
  int64_t* first_bad;
};

// Where a contiguous mask of bool bytes is set, by blocks of kMaskBlock: first how many in each block, then their
// positions, those of block b from y[starts[b]] on, ascending.
inline constexpr int64_t kMaskBlock = 4096;
struct MaskCountsArgs {
  int64_t count;
  const uint8_t* mask;
  int64_t* y;  // [ceil(count / kMaskBlock)]
};
struct MaskPositionsArgs {
  int64_t count;
  const uint8_t* mask;
  const int64_t* starts;
  int64_t* y;
};

struct ArrayIndexKernels {
  Kernel<RepeatArgs> repeat;
  Kernel<RampArgs> ramp;
  Kernel<ZeroTriangleArgs> zero_triangle;
  Kernel<IndexedArgs> gather;       // y = x
  Kernel<IndexedArgs> scatter;      // x = y; of several for one element that of the last position remains
  Kernel<IndexedArgs> scatter_add;  // x += y, both f32, in the order of positions
  Kernel<OffsetsArgs> offsets;
  Kernel<MaskCountsArgs> mask_counts;
  Kernel<MaskPositionsArgs> mask_positions;
};

constexpr bool complete(const ArrayIndexKernels& t) {
  return t.repeat && t.ramp && t.zero_triangle && t.gather && t.scatter && t.scatter_add && t.offsets &&
         t.mask_counts && t.mask_positions;
}

}  // namespace tern
