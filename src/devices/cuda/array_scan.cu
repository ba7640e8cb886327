// SPDX-License-Identifier: Apache-2.0
// Running sums and products along the middle axis of [outer, extent, inner].
//
// Rows and columns are cut into chunks, whose totals are scanned first: sums of floats in rows into the blocks of
// device/array_reduce.h; integers, which wrap, in any way. Other floats have the bits of a loop from the first to the
// last: of those one long row takes some nanoseconds an element, as on a CPU, and not a fraction of one.
#include <algorithm>
#include <type_traits>

#include "devices/cuda/array_entries.h"
#include "devices/cuda/divisor.cuh"
#include "devices/cuda/folds.cuh"
#include "devices/cuda/packs.cuh"
#include "devices/cuda/warp.cuh"

namespace tern::cuda {
namespace {

constexpr const char* kName = "array_scan";
constexpr int kThreads = 128;
constexpr int kTileBits = 10, kTile = 1 << kTileBits;  // elements of rows that a warp has in shared memory
constexpr int kSteps = kTile / kWarp;
constexpr int kInTurn = 16;  // elements of a row that are loaded ahead of their chain

// Chunks of integers, and how many rows and columns are enough to go without.
constexpr int64_t kRowChunk = kTile, kColumnChunk = 128, kEnough = 1 << 14;
// Warps that keep a device busy.
constexpr int64_t kManyWarps = 4096;

// x [outer, extent, inner] in segments [outer, chunks, inner] of `chunk` elements.
template <class T>
struct Segments {
  int64_t count, extent, chunk, y_stride;
  Divisor chunks, inner;
  const T* x;
  // One of them is null: the running results, or the last of each segment, which is right where it is a whole one.
  T *y, *totals;
  const T* carries;  // the running results of `totals`; null where a segment is a whole row or column

  struct Place {
    int64_t x, y, length;
    bool carried;  // from the segment before
  };
  __device__ Place place(int64_t segment) const {
    const int64_t line = inner.quotient(segment), column = segment - line * inner.divisor();
    const int64_t outer = chunks.quotient(line), chunk_of_outer = line - outer * chunks.divisor();
    const int64_t k = chunk_of_outer * chunk, offset = k * inner.divisor() + column;
    return {outer * extent * inner.divisor() + offset, outer * y_stride + offset, std::min(chunk, extent - k),
            carries != nullptr && chunk_of_outer > 0};
  }
  __device__ T carry(int64_t segment) const { return carries[segment - inner.divisor()]; }
};

// Segments of adjacent elements, 2^row_bits of them by a warp: it brings a tile of each to shared memory, where a lane
// each goes through them, while the next tile is on its way. A step of the warp is within one row of a tile.
template <class Fn, class T>
__global__ void __launch_bounds__(kWarp) scan_rows(const __grid_constant__ Segments<T> segments, int row_bits) {
  __shared__ T tile[kTile + kWarp];
  const int lane = static_cast<int>(threadIdx.x), rows = 1 << row_bits;
  const int column_bits = kTileBits - row_bits, columns = 1 << column_bits;
  T* const my_row = tile + lane * (columns + 1);
  for (int64_t first = int64_t{blockIdx.x} * rows; first < segments.count; first += int64_t{gridDim.x} * rows) {
    const int64_t mine = first + lane;
    const bool has_one = lane < rows && mine < segments.count;
    const typename Segments<T>::Place place = has_one ? segments.place(mine) : typename Segments<T>::Place{};
    const T before = place.carried ? segments.carry(mine) : T{};
    bool begun = false;
    T acc = {};
    T next[kSteps];
    const auto load_next = [&](int64_t begin) {
#pragma unroll
      for (int step = 0; step < kSteps; ++step) {
        const int i = step * kWarp + lane, row = i >> column_bits, column = i & (columns - 1);
        const int64_t from = __shfl_sync(kAllLanes, place.x, row), n = __shfl_sync(kAllLanes, place.length, row);
        next[step] = begin + column < n ? segments.x[from + begin + column] : T{};
      }
    };
    load_next(0);
    for (int64_t begin = 0; begin < segments.chunk; begin += columns) {
#pragma unroll
      for (int step = 0; step < kSteps; ++step) {
        const int i = step * kWarp + lane, row = i >> column_bits, column = i & (columns - 1);
        tile[row * (columns + 1) + column] = next[step];
      }
      __syncwarp();
      if (begin + columns < segments.chunk) load_next(begin + columns);
      for (int k = 0; k < columns && begin + k < place.length; k += kInTurn) {
        T turn[kInTurn];
#pragma unroll
        for (int j = 0; j < kInTurn; ++j) turn[j] = my_row[k + j];
        if (begun) turn[0] = Fn::of(acc, turn[0]);
#pragma unroll
        for (int j = 1; j < kInTurn; ++j) turn[j] = Fn::of(turn[j - 1], turn[j]);
#pragma unroll
        for (int j = 0; j < kInTurn; ++j) my_row[k + j] = place.carried ? Fn::of(before, turn[j]) : turn[j];
        acc = turn[kInTurn - 1];
        begun = true;
      }
      __syncwarp();
      if (segments.y == nullptr) continue;
#pragma unroll 8
      for (int i = lane; i < kTile; i += kWarp) {
        const int row = i >> column_bits, column = i & (columns - 1);
        const int64_t to = __shfl_sync(kAllLanes, place.y, row), n = __shfl_sync(kAllLanes, place.length, row);
        if (begin + column < n) segments.y[to + begin + column] = tile[row * (columns + 1) + column];
      }
      __syncwarp();
    }
    if (segments.totals != nullptr && has_one) segments.totals[mine] = acc;
  }
}

// Each by a thread.
template <class Fn, class T>
__global__ void __launch_bounds__(kThreads) scan_columns(const __grid_constant__ Segments<T> segments) {
  const int64_t inner = segments.inner.divisor();
  for (int64_t segment = thread_of_grid(); segment < segments.count; segment += threads_of_grid()) {
    const auto place = segments.place(segment);
    const T* __restrict__ const x = segments.x + place.x;
    T acc = place.carried ? Fn::of(segments.carry(segment), x[0]) : x[0];
    if (segments.y == nullptr) {
#pragma unroll 8
      for (int64_t k = 1; k < place.length; ++k) acc = Fn::of(acc, x[k * inner]);
      segments.totals[segment] = acc;
      continue;
    }
    T* __restrict__ const y = segments.y + place.y;
    y[0] = acc;
#pragma unroll 8
    for (int64_t k = 1; k < place.length; ++k) y[k * inner] = acc = Fn::of(acc, x[k * inner]);
  }
}

template <class Fn, class T>
void scan_segments(const Exec& exec, const Segments<T>& segments) {
  if (segments.inner.divisor() > 1) {
    scan_columns<Fn><<<blocks_for(segments.count, kThreads), kThreads, 0, stream_of(exec)>>>(segments);
    return;
  }
  // As few rows as keep the device busy, so that their chains go side by side; more where they do not fill the tile.
  const auto has_place = [&](int row_bits) {
    return segments.count >> row_bits > kManyWarps || segments.chunk <= kTile >> (row_bits + 1);
  };
  int row_bits = 0;
  while (1 << row_bits < kWarp && has_place(row_bits)) ++row_bits;
  scan_rows<Fn><<<blocks_for(segments.count, 1 << row_bits), kWarp, 0, stream_of(exec)>>>(segments, row_bits);
}

template <class T>
struct Scanned {
  int64_t outer, extent, inner, y_stride;
  const T* x;
  T* y;
};

template <class T>
Segments<T> segments_of(const Scanned<T>& scanned, int64_t chunk) {
  const int64_t chunks = ceil_div(scanned.extent, chunk);
  return {scanned.outer * chunks * scanned.inner,
          scanned.extent,
          chunk,
          scanned.y_stride,
          Divisor(chunks),
          Divisor(scanned.inner),
          scanned.x,
          scanned.y,
          nullptr,
          nullptr};
}

template <class Fn, class T>
void scan_whole(const Exec& exec, const Scanned<T>& scanned) {
  scan_segments<Fn>(exec, segments_of(scanned, scanned.extent));
}

// scan_totals(scanned) scans the totals of chunks.
template <class Fn, class T, class ScanTotals>
void scan_chunks(const Exec& exec, const Scanned<T>& scanned, int64_t chunk, const ScanTotals& scan_totals) {
  Segments<T> segments = segments_of(scanned, chunk);
  const Room room(exec, 2 * static_cast<size_t>(segments.count) * sizeof(T), kName);
  if (!room) return;
  T *const totals = room.template as<T>(), *const carries = totals + segments.count;
  segments.y = nullptr;
  segments.totals = totals;
  scan_segments<Fn>(exec, segments);
  const int64_t chunks = segments.chunks.divisor();
  scan_totals(Scanned<T>{scanned.outer, chunks, scanned.inner, chunks * scanned.inner, totals, carries});
  segments.y = scanned.y;
  segments.totals = nullptr;
  segments.carries = carries;
  scan_segments<Fn>(exec, segments);
}

template <class Fn>
void scan_integers(const Exec& exec, const Scanned<uint64_t>& scanned) {
  const int64_t chunk = scanned.inner == 1 ? kRowChunk : kColumnChunk;
  if (scanned.extent <= chunk || scanned.outer * scanned.inner >= kEnough) return scan_whole<Fn>(exec, scanned);
  scan_chunks<Fn>(exec, scanned, chunk, [&](const Scanned<uint64_t>& totals) { scan_integers<Fn>(exec, totals); });
}

template <class Fn, class T>
void scan_as(const Exec& exec, const ArrayScanArgs& args) {
  const Scanned<T> scanned = {
      args.outer, args.extent, args.inner, args.y_stride, static_cast<const T*>(args.x), static_cast<T*>(args.y)};
  if constexpr (std::is_integral_v<T>) {
    scan_integers<Fn>(exec, scanned);
  } else if (std::is_same_v<Fn, Plus> && args.inner == 1 && args.extent > kScanRowBlock) {
    scan_chunks<Fn>(exec, scanned, kScanRowBlock, [&](const Scanned<T>& totals) { scan_whole<Fn>(exec, totals); });
  } else {
    scan_whole<Fn>(exec, scanned);
  }
}

template <class Fn>
void scan(const Exec& exec, const ArrayScanArgs& args) {
  switch (args.dtype) {
    case DType::f32:
      return scan_as<Fn, float>(exec, args);
    case DType::f64:
      return scan_as<Fn, double>(exec, args);
    case DType::c64:
      return scan_as<Fn, Complex<float>>(exec, args);
    case DType::c128:
      return scan_as<Fn, Complex<double>>(exec, args);
    default:  // of i64, too: the same bits
      return scan_as<Fn, uint64_t>(exec, args);
  }
}

}  // namespace

void array_scan(const Exec& exec, const ArrayScanArgs& args) noexcept {
  if (args.outer == 0 || args.extent == 0 || args.inner == 0) return;
  args.op == ScanOp::sum ? scan<Plus>(exec, args) : scan<Times>(exec, args);
  launched(exec, kName);
}

}  // namespace tern::cuda
