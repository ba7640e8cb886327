// SPDX-License-Identifier: Apache-2.0
// Kernels that order arrays of any dtype, look things up in them and move elements by index. The rules of kernels.h
// hold.
#pragma once

#include "device/kernels.h"

namespace tern {

// Sorts the rows of x [rows, n], real numbers or bool, stably: equal numbers keep their order, 0 and -0 are equal, and
// NaNs are last in both directions, their payloads lost where values are asked for. Either y [rows, n] of x's dtype or
// index [rows, n], i64, the places in x; the other is null. Not in place.
struct SortRowsArgs {
  DType dtype;
  bool descending;
  int64_t rows, n;
  const void* x;
  void* y;
  int64_t* index;
  void* room;  // sort_room_bytes() bytes, 64-byte aligned
  // Where y has to be right, ascending, for each row; everywhere if null. Elsewhere it may be anything.
  const int64_t* places;
  int64_t place_count;
};

// What sorting rows of n elements needs beyond the scratch memory of a worker.
constexpr size_t sort_room_bytes(DType dtype, bool with_index, int64_t n) {
  const size_t key = size_of(dtype), element = !with_index ? key : key == 8 ? 32 : 8;
  const size_t bytes = element * static_cast<size_t>(n);
  return bytes <= kScratchBytes ? 0 : bytes;
}

// y[i] = how many of the n sorted elements are less than values[i], or, from the right, not greater; real numbers or
// bool, NaNs last. With a sorter, sorted[sorter[k]] is the k-th.
struct SearchSortedArgs {
  DType dtype;
  bool right;
  int64_t n, count;
  const void* sorted;
  const int64_t* sorter;  // or null
  const void* values;
  int64_t* y;
};

// y[k] = whether x[k] differs from x[k - 1]; the first does. NaN differs from all. Any dtype, contiguous.
struct MarkStartsArgs {
  DType dtype;
  int64_t count;
  const void* x;
  uint8_t* y;
};

// The elements of contiguous x of `shape` that are not 0, in order: y[axis · total + j] is the index of the j-th on an
// axis. place[b] is how many there are before the elements [b · kNonzeroBlock, …), `total` in all.
inline constexpr int64_t kNonzeroBlock = 4096;
struct NonzeroArgs {
  DType dtype;
  Dims shape;
  const void* x;
  const int64_t* place;
  int64_t total;
  int64_t* y;
};

// y[r, k] = x[r, index[r, k]] for index [rows, n] into rows of x_n elements, of 1, 2, 4, 8 or 16 bytes.
struct GatherInRowsArgs {
  int64_t rows, n, x_n;
  size_t element_bytes;
  const void* x;
  const int64_t* index;
  void* y;
};

// y[r, index[r, k]] = x[r, k], where a row of `index` has each place once at most; the other elements stay.
struct ScatterInRowsArgs {
  int64_t rows, n, y_n;
  size_t element_bytes;
  const void* x;
  const int64_t* index;
  void* y;
};

struct ArraySortKernels {
  Kernel<SortRowsArgs> sort_rows;
};

struct ArraySearchKernels {
  Kernel<SearchSortedArgs> search_sorted;
  Kernel<MarkStartsArgs> mark_starts;
  Kernel<NonzeroArgs> nonzero;
  Kernel<GatherInRowsArgs> gather_in_rows;
  Kernel<ScatterInRowsArgs> scatter_in_rows;
};

constexpr bool complete(const ArraySortKernels& t) { return t.sort_rows; }

constexpr bool complete(const ArraySearchKernels& t) {
  return t.search_sorted && t.mark_starts && t.nonzero && t.gather_in_rows && t.scatter_in_rows;
}

}  // namespace tern
