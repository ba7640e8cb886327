// SPDX-License-Identifier: Apache-2.0
// What both ways of sorting rows share.
#pragma once

#include "device/array_sort.h"
#include "devices/cuda/order_keys.cuh"

namespace tern::cuda {

inline constexpr const char* kSortName = "sort_rows";

// Rows of n elements whose order is written as values or, where those are null, as places in x.
template <class Key>
struct RowsToSort {
  OrderKey<Key> key;
  int64_t rows, n;
  const Key* x;
  Key* y;
  int64_t* index;

  explicit RowsToSort(const SortRowsArgs& args)
      : key(args.dtype, args.descending),
        rows(args.rows),
        n(args.n),
        x(static_cast<const Key*>(args.x)),
        y(static_cast<Key*>(args.y)),
        index(args.index) {}

  RowsToSort some(int64_t first, int64_t count) const {
    RowsToSort some = *this;
    some.rows = count;
    some.x += first * n;
    if (y != nullptr) some.y += first * n;
    if (index != nullptr) some.index += first * n;
    return some;
  }

  // The k-th of a row is the one at `place`. Taken from x, since a key does not tell 0 from -0.
  __device__ void put(int64_t row, int64_t k, int64_t place) const {
    if (index != nullptr) {
      index[row * n + k] = place;
    } else {
      const Key bits = x[row * n + place];
      y[row * n + k] = key.is_nan(bits) ? key.quiet_nan() : bits;
    }
  }
};

// Those that are longer than a block of threads sorts.
void sort_long_rows(const Exec& exec, const RowsToSort<uint8_t>& rows);
void sort_long_rows(const Exec& exec, const RowsToSort<uint16_t>& rows);
void sort_long_rows(const Exec& exec, const RowsToSort<uint32_t>& rows);
void sort_long_rows(const Exec& exec, const RowsToSort<uint64_t>& rows);

}  // namespace tern::cuda
