// SPDX-License-Identifier: Apache-2.0
// Reductions over the middle axis of [outer, extent, inner], and sums over everything in double.
#include <algorithm>
#include <cmath>
#include <limits>

#include "devices/cuda/divisor.cuh"
#include "devices/cuda/numbers.cuh"
#include "devices/cuda/packs.cuh"
#include "devices/cuda/piece_list.cuh"
#include "devices/cuda/pointwise.h"
#include "devices/cuda/warp.cuh"

namespace tern::cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / kWarp;

// How an output's elements are cut depends on the extent alone, so that the bits of a sum depend on nothing else.
constexpr int64_t kShortRow = 1024;    // up to this a warp or less reduces a whole row
constexpr int64_t kRowChunk = 4096;    // what a block reduces of a longer one
constexpr int64_t kColumnChunk = 128;  // what a thread reduces of a column

// A reduction makes states of elements and joins them; joining with `start` changes nothing.
template <class T>
struct Sum {
  using Element = T;
  using State = Wrapping<T>;
  using Result = T;
  static __device__ State start() { return 0; }
  static __device__ State of(T x, int64_t) { return static_cast<State>(x); }
  static __device__ State join(State a, State b) { return a + b; }
  static __device__ Result result(State sum) { return static_cast<T>(sum); }
};

template <class T>
struct Place {
  T value;
  int64_t index;
};

// NaN is better than any number; of equals the first is. Joins in any order are the same.
template <class T, bool kGreatest>
struct Best {
  using Element = T;
  using State = Place<T>;
  static __device__ State start() {
    using Limits = std::numeric_limits<T>;
    const T least = Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
    const T greatest = Limits::has_infinity ? Limits::infinity() : Limits::max();
    return {kGreatest ? least : greatest, std::numeric_limits<int64_t>::max()};
  }
  static __device__ State of(T x, int64_t index) { return {x, index}; }
  static __device__ State join(State a, State b) { return beats(b, a) ? b : a; }

 private:
  static __device__ bool beats(State a, State b) {
    const bool a_is_nan = a.value != a.value, b_is_nan = b.value != b.value;
    if (a_is_nan != b_is_nan) return a_is_nan;
    const bool better = kGreatest ? a.value > b.value : a.value < b.value;
    return better || ((a_is_nan || a.value == b.value) && a.index < b.index);
  }
};

template <class T, bool kGreatest>
struct BestValue : Best<T, kGreatest> {
  using Result = T;
  static __device__ Result result(Place<T> best) { return best.value; }
};

template <class T, bool kGreatest>
struct BestIndex : Best<T, kGreatest> {
  using Result = int64_t;
  static __device__ Result result(Place<T> best) { return best.index; }
};

// What a pass reads: elements, or what the pass before made of them.
template <class R>
struct Elements {
  const typename R::Element* x;
  __device__ typename R::State at(int64_t offset, int64_t k) const { return R::of(x[offset], k); }
};
template <class R>
struct Parts {
  const typename R::State* parts;
  __device__ typename R::State at(int64_t offset, int64_t) const { return parts[offset]; }
};

// What a pass writes: parts for the next or, in the last, results. One of them is null.
template <class R>
struct Sink {
  typename R::State* parts;
  typename R::Result* results;
  __device__ void put(int64_t i, typename R::State state) const {
    if (parts != nullptr) {
      parts[i] = state;
    } else {
      results[i] = R::result(state);
    }
  }
};

template <class T>
__device__ T from_above(T value, int distance, int lanes) {
  return __shfl_down_sync(kAllLanes, value, distance, lanes);
}
template <class T>
__device__ Place<T> from_above(Place<T> place, int distance, int lanes) {
  return {from_above(place.value, distance, lanes), from_above(place.index, distance, lanes)};
}

// The states of each group of `lanes` neighbours, a power of two, to its first. All lanes of the warp arrive.
template <class R>
__device__ typename R::State join_lanes(typename R::State state, int lanes) {
  for (int half = lanes / 2; half > 0; half /= 2) state = R::join(state, from_above(state, half, lanes));
  return state;
}

// The states of all threads of the block to its first.
template <class R>
__device__ typename R::State join_block(typename R::State state) {
  __shared__ typename R::State warps[kWarps];
  state = join_lanes<R>(state, 32);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = state;
  __syncthreads();
  if (threadIdx.x < 32) state = join_lanes<R>(warps[threadIdx.x % kWarps], kWarps);
  __syncthreads();
  return state;
}

template <class R>
__global__ void __launch_bounds__(kThreads)
    reduce_short_rows(int64_t rows, int64_t extent, int lanes, Elements<R> source, Sink<R> sink) {
  const int lane = threadIdx.x % lanes, rows_at_once = kThreads / lanes;
  for (int64_t first = int64_t{blockIdx.x} * rows_at_once; first < rows; first += int64_t{gridDim.x} * rows_at_once) {
    const int64_t row = first + threadIdx.x / lanes;
    auto state = R::start();
    if (row < rows) {
#pragma unroll 4
      for (int64_t k = lane; k < extent; k += lanes) state = R::join(state, source.at(row * extent + k, k));
    }
    state = join_lanes<R>(state, lanes);
    if (lane == 0 && row < rows) sink.put(row, state);
  }
}

template <class R, class Source>
__global__ void __launch_bounds__(kThreads)
    reduce_row_chunks(int64_t rows, int64_t extent, int64_t chunks, Source source, Sink<R> sink) {
  for (int64_t i = blockIdx.x; i < rows * chunks; i += gridDim.x) {
    const int64_t row = i / chunks, begin = i % chunks * kRowChunk, end = std::min(extent, begin + kRowChunk);
    auto state = R::start();
#pragma unroll 4
    for (int64_t k = begin + threadIdx.x; k < end; k += kThreads) {
      state = R::join(state, source.at(row * extent + k, k));
    }
    state = join_block<R>(state);
    if (threadIdx.x == 0) sink.put(i, state);
  }
}

// `count` outputs [outer, chunks, inner].
template <class R, class Source>
__global__ void __launch_bounds__(kThreads)
    reduce_column_chunks(int64_t count, int64_t extent, Divisor chunks, Divisor inner, Source source, Sink<R> sink) {
  for (int64_t i = thread_of_grid(); i < count; i += threads_of_grid()) {
    const int64_t line = inner.quotient(i), column = i - line * inner.divisor();
    const int64_t outer = chunks.quotient(line), begin = (line - outer * chunks.divisor()) * kColumnChunk;
    const int64_t end = std::min(extent, begin + kColumnChunk), first = outer * extent * inner.divisor() + column;
    auto state = R::start();
#pragma unroll 4
    for (int64_t k = begin; k < end; ++k) state = R::join(state, source.at(first + k * inner.divisor(), k));
    sink.put(i, state);
  }
}

template <class R>
void reduce_rows_at_once(const Exec& exec, int64_t rows, int64_t extent, Elements<R> source, typename R::Result* y) {
  int lanes = 1;
  while (lanes < 32 && lanes * 4 < extent) lanes *= 2;
  reduce_short_rows<R>
      <<<blocks_for(rows, kThreads / lanes), kThreads, 0, stream_of(exec)>>>(rows, extent, lanes, source, {nullptr, y});
}

// Pass after pass, each with as many parts as the one before had chunks.
template <class R, class Source>
void reduce_rows(const Exec& exec, int64_t rows, int64_t extent, Source source, typename R::Result* y) {
  const int64_t chunks = ceil_div(extent, kRowChunk), count = rows * chunks;
  const auto pass = [&](Sink<R> sink) {
    reduce_row_chunks<R><<<blocks_for(count, 1), kThreads, 0, stream_of(exec)>>>(rows, extent, chunks, source, sink);
  };
  if (chunks == 1) return pass({nullptr, y});
  using State = typename R::State;
  const Room room(exec, static_cast<size_t>(count) * sizeof(State), "reduce");
  if (!room) return;
  pass({room.as<State>(), nullptr});
  reduce_rows<R>(exec, rows, chunks, Parts<R>{room.as<State>()}, y);
}

template <class R, class Source>
void reduce_columns(const Exec& exec, int64_t outer, int64_t extent, int64_t inner, Source source,
                    typename R::Result* y) {
  const int64_t chunks = std::max<int64_t>(ceil_div(extent, kColumnChunk), 1), count = outer * chunks * inner;
  const auto pass = [&](Sink<R> sink) {
    reduce_column_chunks<R><<<blocks_for(count, kThreads), kThreads, 0, stream_of(exec)>>>(
        count, extent, Divisor(chunks), Divisor(inner), source, sink);
  };
  if (chunks == 1) return pass({nullptr, y});
  using State = typename R::State;
  const Room room(exec, static_cast<size_t>(count) * sizeof(State), "reduce");
  if (!room) return;
  pass({room.as<State>(), nullptr});
  reduce_columns<R>(exec, outer, chunks, inner, Parts<R>{room.as<State>()}, y);
}

template <class R>
void reduce_with(const Exec& exec, const ReduceArgs& args) {
  const Elements<R> x = {static_cast<const typename R::Element*>(args.x)};
  auto* y = static_cast<typename R::Result*>(args.y);
  if (args.inner > 1) return reduce_columns<R>(exec, args.outer, args.extent, args.inner, x, y);
  if (args.extent > kShortRow) return reduce_rows<R>(exec, args.outer, args.extent, x, y);
  reduce_rows_at_once<R>(exec, args.outer, args.extent, x, y);
}

template <class T>
void reduce_typed(const Exec& exec, const ReduceArgs& args) {
  switch (args.op) {
    case ReduceOp::sum:
      return reduce_with<Sum<T>>(exec, args);
    case ReduceOp::max:
      return reduce_with<BestValue<T, true>>(exec, args);
    case ReduceOp::min:
      return reduce_with<BestValue<T, false>>(exec, args);
    case ReduceOp::argmax:
      return reduce_with<BestIndex<T, true>>(exec, args);
    case ReduceOp::argmin:
      return reduce_with<BestIndex<T, false>>(exec, args);
  }
}

// Sums over everything follow the order of kernels.h to the bit: half a warp has the 16 lanes of a block of elements,
// and one thread adds the blocks.
constexpr int kLanes = 16, kLaneThreads = 128, kBlocksAtOnce = kLaneThreads / kLanes;

struct AddSquare {
  __device__ double operator()(double sum, float x) const {
    const double wide = x;
    return fma(wide, wide, sum);
  }
};
struct AddMagnitude {
  __device__ double operator()(double sum, float x) const { return sum + fabsf(x); }
};

// What is summed in blocks of `size` elements.
struct Summed {
  const float* x;
  int64_t count, size;
};

// parts[b] = the sum of block b of the list.
template <class Add>
__global__ void __launch_bounds__(kLaneThreads)
    sum_blocks(const __grid_constant__ PieceList<Summed> list, Add add, double* parts) {
  const int lane = threadIdx.x % kLanes;
  for (int64_t first = int64_t{blockIdx.x} * kBlocksAtOnce; first < list.pieces();
       first += int64_t{gridDim.x} * kBlocksAtOnce) {
    const int64_t block = first + threadIdx.x / kLanes;
    double sum = 0.0;
    if (block < list.pieces()) {
      const int at = list.item_of(block);
      const Summed& summed = list.item[at];
      const int64_t begin = (block - list.begin[at]) * summed.size, end = std::min(summed.count, begin + summed.size);
#pragma unroll 8
      for (int64_t i = begin + lane; i < end; i += kLanes) sum = add(sum, summed.x[i]);
    }
    sum = join_lanes<Sum<double>>(sum, kLanes);
    if (lane == 0 && block < list.pieces()) parts[block] = sum;
  }
}

// A block an item: y = the sum of its parts.
__global__ void __launch_bounds__(kThreads)
    add_in_order(const __grid_constant__ PieceList<Summed> list, const double* parts, double* y) {
  constexpr int kAtOnce = 2048;
  __shared__ double tile[kAtOnce];
  const int64_t end = list.begin[blockIdx.x + 1];
  double sum = 0.0;
  for (int64_t first = list.begin[blockIdx.x]; first < end; first += kAtOnce) {
    const int n = static_cast<int>(std::min<int64_t>(kAtOnce, end - first));
    for (int i = threadIdx.x; i < n; i += kThreads) tile[i] = parts[first + i];
    __syncthreads();
    if (threadIdx.x == 0) {
#pragma unroll 16
      for (int i = 0; i < n; ++i) sum += tile[i];
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

// y[i] = the sum of summed_of(i).
template <class Add, class SummedOf>
void sum_all(const Exec& exec, const char* name, int64_t count, double* y, const SummedOf& summed_of) {
  const auto blocks_of = [](const Summed& summed) { return ceil_div(summed.count, std::max<int64_t>(summed.size, 1)); };
  for_lists(count, summed_of, blocks_of, [&](const PieceList<Summed>& list, int64_t first) {
    const int64_t blocks = list.pieces();
    const Room parts(exec, static_cast<size_t>(blocks) * sizeof(double), name);
    if (!parts && blocks > 0) return;
    const cudaStream_t stream = stream_of(exec);
    if (blocks > 0) {
      sum_blocks<<<blocks_for(blocks, kBlocksAtOnce), kLaneThreads, 0, stream>>>(list, Add{}, parts.as<double>());
    }
    add_in_order<<<static_cast<unsigned>(list.count), kThreads, 0, stream>>>(list, parts.as<double>(), y + first);
    launched(exec, name);
  });
}

}  // namespace

void reduce(const Exec& exec, const ReduceArgs& args) noexcept {
  if (args.outer == 0 || args.inner == 0) return;
  with_number(args.dtype, [&](auto number) { reduce_typed<decltype(number)>(exec, args); });
  launched(exec, "reduce");
}

void sum_squares(const Exec& exec, const SumSquaresArgs& args) noexcept {
  sum_all<AddSquare>(exec, "sum_squares", args.tensors, args.y, [&](int64_t t) {
    constexpr int64_t kBlock = 4096;
    return Summed{args.tensor[t].x, args.tensor[t].count, kBlock};
  });
}

void abs_sum(const Exec& exec, const AbsSumArgs& args) noexcept {
  sum_all<AddMagnitude>(exec, "abs_sum", args.matrices, args.y, [&](int64_t i) {
    const AbsSumMatrix& matrix = args.matrix[i];
    return Summed{matrix.x, matrix.rows * matrix.cols, matrix.cols};
  });
}

}  // namespace tern::cuda
