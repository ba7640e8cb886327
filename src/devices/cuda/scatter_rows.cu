// SPDX-License-Identifier: Apache-2.0
// Adding many rows into a table by their ids: an embedding's gradient. The rows are sorted by id, so that those of one
// id are neighbours, and cut into segments of which each is added by a block, whatever is in it: an id that is
// everywhere costs no more than many that are rare.
#include <algorithm>
#include <bit>

#include "devices/cuda/convert.cuh"
#include "devices/cuda/mixed_entries.h"
#include "devices/cuda/packs.cuh"
#include "devices/cuda/pointwise.h"
#include "devices/cuda/sorted_keys.h"

namespace tern::cuda {
namespace {

constexpr const char* kName = "scatter_add_rows";
constexpr int kThreads = 128;
constexpr int kSegment = 32;  // sorted rows

// An id below 2^40: a table of more rows fits into no memory.
constexpr int kIdBits = 40;
// Rows that are sorted at a time: the library counts them in int.
constexpr int64_t kMostSorted = int64_t{1} << 30;

// Rows in the order of their ids, of equal ones in their own.
struct Sorted {
  int count;
  const uint64_t* ids;
  const int* rows;
};

// A run of equal ids that does not end in its segment leaves its sum there, and a run that began before: [segments, 2,
// cols], the part of a run that began before first.
struct OpenRuns {
  float* sums;
  int64_t cols;

  __device__ float* begun_before(int64_t segment) const { return sums + 2 * segment * cols; }
  __device__ float* goes_on(int64_t segment) const { return sums + (2 * segment + 1) * cols; }
};

template <int kWidth, class T>
__device__ Pack<float, kWidth> added(Pack<float, kWidth> sum, const T* x) {
  const auto term = load_pack<kWidth>(x);
#pragma unroll
  for (int l = 0; l < kWidth; ++l) sum.at[l] += number_of(term.at[l]);
  return sum;
}

template <int kWidth, class T>
__global__ void __launch_bounds__(kThreads)
    add_segments(Sorted sorted, int64_t cols, const T* x, float* y, OpenRuns open) {
  __shared__ uint64_t ids[kSegment + 2];  // with a neighbour on either side
  __shared__ int rows[kSegment];
  const int64_t segment = blockIdx.x;
  const int first = static_cast<int>(segment) * kSegment;
  const int count = min(kSegment, sorted.count - first);
  constexpr uint64_t kNone = ~uint64_t{0};
  for (int i = static_cast<int>(threadIdx.x); i < count + 2; i += kThreads) {
    const int at = first + i - 1;
    ids[i] = at >= 0 && at < sorted.count ? sorted.ids[at] : kNone;
    if (i >= 1 && i <= count) rows[i - 1] = sorted.rows[at];
  }
  __syncthreads();
  for (int64_t j = int64_t{threadIdx.x} * kWidth; j < cols; j += int64_t{kThreads} * kWidth) {
    auto sum = repeat_pack<kWidth>(0.0f);
    int begin = 0;  // of the run
#pragma unroll 4
    for (int i = 0; i < count; ++i) {
      sum = added(sum, x + rows[i] * cols + j);
      const bool ends = ids[i + 1] != ids[i + 2];
      if (!ends && i + 1 < count) continue;
      if (begin == 0 && ids[0] == ids[1]) {
        store_pack(open.begun_before(segment) + j, sum);
      } else if (!ends) {
        store_pack(open.goes_on(segment) + j, sum);
      } else {
        float* const to = y + static_cast<int64_t>(ids[i + 1]) * cols + j;
        store_pack(to, added(sum, to));
      }
      sum = repeat_pack<kWidth>(0.0f);
      begin = i + 1;
    }
  }
}

// The runs that go on from a segment: its sum, then those of the segments behind it.
template <int kWidth>
__global__ void __launch_bounds__(kThreads) add_open_runs(Sorted sorted, int64_t cols, float* y, OpenRuns open) {
  const int64_t segment = blockIdx.x;
  const int64_t last = (segment + 1) * kSegment - 1;
  if (last + 1 >= sorted.count) return;
  const uint64_t id = sorted.ids[last];
  if (sorted.ids[last + 1] != id) return;
  // A run that began before belongs to an earlier block.
  const int64_t first = segment * kSegment;
  if (sorted.ids[first] == id && first > 0 && sorted.ids[first - 1] == id) return;
  int64_t end = segment + 1;  // of the segments that have a part of it
  while (end * kSegment < sorted.count && sorted.ids[end * kSegment] == id) ++end;
  for (int64_t j = int64_t{threadIdx.x} * kWidth; j < cols; j += int64_t{kThreads} * kWidth) {
    auto sum = load_pack<kWidth>(open.goes_on(segment) + j);
#pragma unroll 4
    for (int64_t i = segment + 1; i < end; ++i) sum = added(sum, open.begun_before(i) + j);
    float* const to = y + static_cast<int64_t>(id) * cols + j;
    store_pack(to, added(sum, to));
  }
}

// What both entries have. T: of x.
template <class T>
struct Rows {
  int64_t count, cols;
  const T* x;
  const int64_t* ids;
  float* y;
  int id_bits;  // that ids may have
};

template <int kWidth, class T>
void add_sorted(const Exec& exec, const Sorted& sorted, const Rows<T>& args) {
  const auto segments = static_cast<unsigned>(ceil_div(sorted.count, kSegment));
  const Room room(exec, size_t{2} * segments * static_cast<size_t>(args.cols) * sizeof(float), kName);
  if (!room) return;
  const OpenRuns open = {room.as<float>(), args.cols};
  add_segments<kWidth><<<segments, kThreads, 0, stream_of(exec)>>>(sorted, args.cols, args.x, args.y, open);
  add_open_runs<kWidth><<<segments, kThreads, 0, stream_of(exec)>>>(sorted, args.cols, args.y, open);
  launched(exec, kName);
}

template <class T>
void add(const Exec& exec, const Rows<T>& args) {
  const SortedKeys keys(exec, reinterpret_cast<const uint64_t*>(args.ids), static_cast<int>(args.count), args.id_bits,
                        kName);
  if (!keys) return;
  const Sorted sorted = {keys.count(), keys.keys(), keys.positions()};
  constexpr int kWidth = kPackWidth<float>;
  const bool packs = args.cols % kWidth == 0 && hold_packs<kWidth>(args.x, args.y);
  packs ? add_sorted<kWidth>(exec, sorted, args) : add_sorted<1>(exec, sorted, args);
}

template <class T>
void add_all(const Exec& exec, const Rows<T>& rows) {
  for (int64_t first = 0; first < rows.count; first += kMostSorted) {
    Rows<T> some = rows;
    some.count = std::min(kMostSorted, rows.count - first);
    some.x += first * rows.cols;
    some.ids += first;
    add(exec, some);
  }
}

}  // namespace

void scatter_many_rows(const Exec& exec, const ScatterAddRowsArgs& args) noexcept {
  add_all(exec, Rows<float>{args.count, args.cols, args.x, args.ids, args.y, kIdBits});
}

void mixed_scatter_add_rows(const Exec& exec, const MixedScatterArgs& args) noexcept {
  if (args.cols == 0) return;
  const int bits = std::max(1, static_cast<int>(std::bit_width(static_cast<uint64_t>(args.table_rows - 1))));
  add_all(exec, Rows<bf16>{args.count, args.cols, args.x, args.ids, args.y, bits});
}

}  // namespace tern::cuda
