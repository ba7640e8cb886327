// SPDX-License-Identifier: Apache-2.0
// Sorting rows: short ones, many at once, by networks in the memory of a block of threads; long ones by
// array_sort_long.cu. All places are sorted, also where only some are asked for.
#include "devices/cuda/array_sort.cuh"

#include <bit>
#include <type_traits>

#include "device/element_bytes.h"
#include "devices/cuda/array_entries.h"
#include "devices/cuda/launch.h"

namespace tern::cuda {
namespace {

constexpr int kThreads = 512;
constexpr int kTile = 2048;  // elements of a block of threads, and of the longest row that it sorts

template <class Key>
struct Placed {
  Key key;
  int place;
};

// Places make a stable order of equal keys.
template <class Key>
__device__ bool comes_before(const Placed<Key>& a, const Placed<Key>& b) {
  return a.key < b.key || (a.key == b.key && a.place < b.place);
}

// Bitonic networks (Batcher, 1968), side by side: each over 2^bits elements, the least power of two that holds a row.
// What a row lacks of it comes last. A network has bits·(bits + 1) / 2 steps: up to 2048 elements about as much work as
// sorting by digits is, in one launch instead of a dozen.
template <class Key>
__global__ void __launch_bounds__(kThreads) sort_short_rows(const __grid_constant__ RowsToSort<Key> rows, int bits) {
  __shared__ Placed<Key> tile[kTile];
  const int n = static_cast<int>(rows.n), width = 1 << bits, at_once = kTile >> bits;
  for (int64_t first = int64_t{blockIdx.x} * at_once; first < rows.rows; first += int64_t{gridDim.x} * at_once) {
    for (int i = static_cast<int>(threadIdx.x); i < kTile; i += kThreads) {
      const int64_t row = first + (i >> bits);
      const int k = i & (width - 1);
      const bool is_there = k < n && row < rows.rows;
      tile[i] = {is_there ? rows.key.of(rows.x[row * n + k]) : static_cast<Key>(~Key{0}), k};
    }
    __syncthreads();
    for (int sorted = 2; sorted <= width; sorted *= 2) {
      for (int stride = sorted / 2; stride > 0; stride /= 2) {
        for (int pair = static_cast<int>(threadIdx.x); pair < kTile / 2; pair += kThreads) {
          const int i = 2 * pair - (pair & (stride - 1));
          const bool ascends = (i & (width - 1) & sorted) == 0;
          const Placed<Key> a = tile[i], b = tile[i + stride];
          if (comes_before(b, a) == ascends) tile[i] = b, tile[i + stride] = a;
        }
        __syncthreads();
      }
    }
    for (int i = static_cast<int>(threadIdx.x); i < kTile; i += kThreads) {
      const int64_t row = first + (i >> bits);
      const int k = i & (width - 1);
      if (k < n && row < rows.rows) rows.put(row, k, tile[i].place);
    }
    __syncthreads();  // before the next rows come
  }
}

template <class Key>
void sort_rows(const Exec& exec, const RowsToSort<Key>& rows) {
  if (rows.n > kTile) return sort_long_rows(exec, rows);
  const int bits = std::bit_width(static_cast<uint64_t>(rows.n - 1));
  sort_short_rows<<<blocks_for(rows.rows, kTile >> bits), kThreads, 0, stream_of(exec)>>>(rows, bits);
  launched(exec, kSortName);
}

}  // namespace

void array_sort_rows(const Exec& exec, const SortRowsArgs& args) noexcept {
  if (args.rows == 0 || args.n == 0 || is_complex(args.dtype)) return;  // complex numbers have no order
  with_bytes(size_of(args.dtype), [&](auto bits) {
    if constexpr (!std::is_same_v<decltype(bits), Sixteen>) sort_rows(exec, RowsToSort<decltype(bits)>(args));
  });
}

}  // namespace tern::cuda
