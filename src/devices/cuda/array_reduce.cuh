// SPDX-License-Identifier: Apache-2.0
// Reductions of the middle axis of [outer, extent, inner] in the order of array_reduce.h: blocks of elements first, by
// all threads, then the blocks, in as many launches as a tree of them takes. An op R has
//   In, Acc         elements, and what is kept of some of them;
//   Results         the part of R that joins and writes, which the ops of several In share;
//   kLanes          that take the elements of a row's block in turns, a power of two; 1 where they come one after the
//                   other;
//   start()         Acc of nothing: joined to the Acc of elements, on either side, it changes nothing;
//   of(x, k, i)     Acc of x, the k-th element of output i;
//   join(a, b)      Acc of elements, and of those that follow them;
//   put(i, acc)     writes output i.
#pragma once

#include <algorithm>
#include <cstring>
#include <utility>

#include "device/array_reduce.h"
#include "devices/cuda/divisor.cuh"
#include "devices/cuda/packs.cuh"
#include "devices/cuda/warp.cuh"

namespace tern::cuda {

inline constexpr const char* kReduceName = "array_reduce";
inline constexpr int kReduceThreads = 256;
inline constexpr int kLaneBytes = 256;  // of the lanes of floats in a row's block
inline constexpr int kMeeting =
    32;  // parts that a thread joins: the tree of a power of two of them is a part of the whole

// Where an Acc goes: among the parts that are still to be joined or, if that is null, to the results.
template <class Results>
struct ReduceSink {
  typename Results::Acc* parts;
  Results results;

  __device__ void put(int64_t i, typename Results::Acc acc) const {
    if (parts != nullptr) {
      parts[i] = acc;
    } else {
      results.put(i, acc);
    }
  }
};

// That of the lane `distance` above among `lanes` neighbours, of any type.
template <class T>
__device__ T from_lane_above(T value, int distance, int lanes) {
  uint32_t words[(sizeof(T) + 3) / 4] = {};
  memcpy(words, &value, sizeof(T));
#pragma unroll
  for (uint32_t& word : words) word = __shfl_down_sync(kAllLanes, word, distance, lanes);
  memcpy(&value, words, sizeof(T));
  return value;
}

// Block `item` of rows of `extent` elements: its row, and which of the row's elements it has.
struct RowBlock {
  int64_t row, begin;
  int n;
};
__device__ inline RowBlock row_block(int64_t item, int64_t extent, const Divisor& blocks) {
  const int64_t row = blocks.quotient(item), begin = (item - row * blocks.divisor()) * kReduceRowBlock;
  return {row, begin, static_cast<int>(std::min(int64_t{kReduceRowBlock}, extent - begin))};
}

// Blocks of rows [rows, extent], `count` = rows · blocks in all, each by `group` neighbouring threads: a power of two,
// fewer than R's lanes only where a row has no more elements than that, since the other lanes would have none.
template <class R>
__global__ void __launch_bounds__(kReduceThreads)
    reduce_row_blocks(const __grid_constant__ R op, const typename R::In* x, int64_t count, int64_t extent,
                      Divisor blocks, int group, const __grid_constant__ ReduceSink<typename R::Results> sink) {
  constexpr int kEach = std::max(R::kLanes / kWarp, 1);  // lanes of a thread
  const int lane = static_cast<int>(threadIdx.x) % group, groups = kReduceThreads / group;
  for (int64_t first = int64_t{blockIdx.x} * groups; first < count; first += int64_t{gridDim.x} * groups) {
    const int64_t item = first + static_cast<int>(threadIdx.x) / group;
    typename R::Acc acc[kEach];
#pragma unroll
    for (auto& one : acc) one = R::start();
    if (item < count) {
      const auto [row, begin, n] = row_block(item, extent, blocks);
      const typename R::In* const from = x + row * extent + begin;
#pragma unroll 8
      for (int k = lane; k < n; k += group * kEach) {
        acc[0] = R::join(acc[0], op.of(from[k], begin + k, row));
#pragma unroll
        for (int e = 1; e < kEach; ++e) {
          const int at = k + e * group;
          if (at < n) acc[e] = R::join(acc[e], op.of(from[at], begin + at, row));
        }
      }
    }
#pragma unroll
    for (int half = kEach / 2; half > 0; half /= 2) {
      for (int e = 0; e < half; ++e) acc[e] = R::join(acc[e], acc[e + half]);
    }
    for (int half = group / 2; half > 0; half /= 2) {
      acc[0] = R::join(acc[0], from_lane_above(acc[0], half, group));
    }
    if (lane == 0 && item < count) sink.put(item, acc[0]);
  }
}

// Neighbours that a thread of reduce_row_packs loads at once: up to 16 bytes, by at least 16 threads to a row's block,
// so that enough of it is on its way; 1 where reduce_row_blocks is as fast. Few threads, so that there are many blocks
// of 10^6 elements, too. (H200, sum of 10^7 f32: 10.6 us; 11.7 with 256 threads; 19.5 by reduce_row_blocks and
// join_blocks. What is kept in f64 loses: var of 10^6 f32 18.8 us, 15.1 by reduce_row_blocks.)
inline constexpr int kPackedRowThreads = 64;
template <class R>
constexpr int row_pack() {
  int width = 1;
  while (sizeof(typename R::Acc) <= sizeof(float) && 2 * width * sizeof(typename R::In) <= 16 &&
         R::kLanes / (2 * width) >= 16) {
    width *= 2;
  }
  return width;
}

// The same blocks by as many threads as R has lanes for packs: thread t of them has the lanes kPack·t and the next
// ones. Rows begin where packs do.
template <class R, int kPack>
__global__ void __launch_bounds__(kPackedRowThreads)
    reduce_row_packs(const __grid_constant__ R op, const typename R::In* x, int64_t count, int64_t extent,
                     Divisor blocks, const __grid_constant__ ReduceSink<typename R::Results> sink) {
  constexpr int kGroup = R::kLanes / kPack, kGroups = kPackedRowThreads / kGroup;
  static_assert(kGroup <= kWarp);
  const int first_lane = static_cast<int>(threadIdx.x) % kGroup * kPack;
  for (int64_t first = int64_t{blockIdx.x} * kGroups; first < count; first += int64_t{gridDim.x} * kGroups) {
    const int64_t item = first + static_cast<int>(threadIdx.x) / kGroup;
    typename R::Acc acc[kPack];
#pragma unroll
    for (auto& one : acc) one = R::start();
    if (item < count) {
      const auto [row, begin, n] = row_block(item, extent, blocks);
      const typename R::In* const from = x + row * extent + begin;
      int k = first_lane;
#pragma unroll 16
      for (; k + kPack <= n; k += R::kLanes) {
        const auto pack = load_pack<kPack>(from + k);
#pragma unroll
        for (int e = 0; e < kPack; ++e) acc[e] = R::join(acc[e], op.of(pack.at[e], begin + k + e, row));
      }
#pragma unroll
      for (int e = 0; e < kPack - 1; ++e) {
        if (k + e < n) acc[e] = R::join(acc[e], op.of(from[k + e], begin + k + e, row));
      }
    }
#pragma unroll
    for (int half = kGroup / 2; half > 0; half /= 2) {
#pragma unroll
      for (auto& one : acc) one = R::join(one, from_lane_above(one, half, kGroup));
    }
#pragma unroll
    for (int half = kPack / 2; half > 0; half /= 2) {
#pragma unroll
      for (int e = 0; e < half; ++e) acc[e] = R::join(acc[e], acc[e + half]);
    }
    if (first_lane == 0 && item < count) sink.put(item, acc[0]);
  }
}

// Blocks of `length` elements that are `inner` apart, one after the other: `count` = outer · blocks · inner of them,
// each by a thread.
template <class R>
__global__ void __launch_bounds__(kReduceThreads)
    reduce_column_blocks(const __grid_constant__ R op, const typename R::In* x, int64_t count, int64_t extent,
                         Divisor blocks, Divisor inner, int64_t length,
                         const __grid_constant__ ReduceSink<typename R::Results> sink) {
  for (int64_t item = thread_of_grid(); item < count; item += threads_of_grid()) {
    const int64_t line = inner.quotient(item), column = item - line * inner.divisor();
    const int64_t outer = blocks.quotient(line), begin = (line - outer * blocks.divisor()) * length;
    const int64_t n = std::min(length, extent - begin), output = outer * inner.divisor() + column;
    const typename R::In* const from = x + (outer * extent + begin) * inner.divisor() + column;
    typename R::Acc acc = R::start();
#pragma unroll 8
    for (int64_t k = 0; k < n; ++k) acc = R::join(acc, op.of(from[k * inner.divisor()], begin + k, output));
    sink.put(item, acc);
  }
}

// Joins the first n of them to the first, by pairs of neighbours, and pairs of these; what has no partner waits for
// one.
template <class Results, int kMost>
__device__ void join_pairs(typename Results::Acc (&acc)[kMost], int n) {
#pragma unroll
  for (int width = 1; width < kMost; width *= 2) {
#pragma unroll
    for (int k = 0; k + width < kMost; k += 2 * width) {
      if (k + width < n) acc[k] = Results::join(acc[k], acc[k + width]);
    }
  }
}

// Joins parts [outer, blocks, inner] to `count` = outer · groups · inner, kMeeting or what is left of a column each.
template <class Results>
__global__ void __launch_bounds__(kReduceThreads)
    join_blocks(const typename Results::Acc* parts, int64_t count, int64_t blocks, Divisor groups, Divisor inner,
                const __grid_constant__ ReduceSink<Results> sink) {
  for (int64_t item = thread_of_grid(); item < count; item += threads_of_grid()) {
    const int64_t line = inner.quotient(item), column = item - line * inner.divisor();
    const int64_t outer = groups.quotient(line), begin = (line - outer * groups.divisor()) * kMeeting;
    const int n = static_cast<int>(std::min<int64_t>(kMeeting, blocks - begin));
    const typename Results::Acc* const from = parts + (outer * blocks + begin) * inner.divisor() + column;
    typename Results::Acc acc[kMeeting];
#pragma unroll
    for (int k = 0; k < kMeeting; ++k) {
      if (k < n) acc[k] = from[k * inner.divisor()];
    }
    join_pairs<Results>(acc, n);
    sink.put(item, acc[0]);
  }
}

// Threads of join_rows, and parts that each of them joins at most: what registers have room for.
inline constexpr int kJoinThreads = 1024;
template <class Acc>
constexpr int kMostEach = sizeof(Acc) <= 8 ? 16 : 8;

// join_pairs() of the first `count` lanes of a warp, for the first of them.
template <class Results>
__device__ typename Results::Acc join_lanes(typename Results::Acc acc, int count) {
  const int lane = static_cast<int>(threadIdx.x % kWarp);
#pragma unroll
  for (int width = 1; width < kWarp; width *= 2) {
    const auto above = from_lane_above(acc, width, kWarp);
    if (lane % (2 * width) == 0 && lane + width < count) acc = Results::join(acc, above);
  }
  return acc;
}

// All parts of each of `outputs` rows [outputs, blocks], as join_blocks would in several launches: by a block of
// threads each, which have kEach parts each, a power of two.
template <class Results, int kEach>
__global__ void __launch_bounds__(kJoinThreads) join_rows(const typename Results::Acc* parts, int64_t outputs,
                                                          int blocks, const __grid_constant__ Results results) {
  using Acc = typename Results::Acc;
  __shared__ alignas(16) std::byte shared[kJoinThreads / kWarp * sizeof(Acc)];
  Acc* const of_warps = reinterpret_cast<Acc*>(shared);
  const int thread = static_cast<int>(threadIdx.x), warp = thread / kWarp;
  const int threads = (blocks + kEach - 1) / kEach, warps = (threads + kWarp - 1) / kWarp;  // that have parts
  for (int64_t output = blockIdx.x; output < outputs; output += gridDim.x) {
    const Acc* const from = parts + output * blocks + int64_t{thread} * kEach;
    const int n = blocks - thread * kEach;
    Acc acc[kEach];
#pragma unroll
    for (int k = 0; k < kEach; ++k) acc[k] = k < n ? from[k] : Results::start();
    join_pairs<Results>(acc, n);
    const Acc of_warp = join_lanes<Results>(acc[0], threads - warp * kWarp);
    if (thread % kWarp == 0) of_warps[warp] = of_warp;
    __syncthreads();
    if (warp == 0) {
      const Acc all = join_lanes<Results>(thread < warps ? of_warps[thread] : Results::start(), warps);
      if (thread == 0) results.put(output, all);
    }
    __syncthreads();
  }
}

// By as many threads as there are, up to kJoinThreads.
template <class Results, int kEach = 1>
void join_all_rows(const Exec& exec, const typename Results::Acc* parts, int64_t outputs, int blocks,
                   const Results& results) {
  constexpr int kMost = kMostEach<typename Results::Acc>;
  if constexpr (kEach < kMost) {
    if (blocks > kJoinThreads * kEach) {
      return join_all_rows<Results, std::min(4 * kEach, kMost)>(exec, parts, outputs, blocks, results);
    }
  }
  const auto threads = static_cast<unsigned>(round_up(ceil_div(blocks, kEach), kWarp));
  join_rows<Results, kEach><<<blocks_for(outputs, 1), threads, 0, stream_of(exec)>>>(parts, outputs, blocks, results);
}

// The blocks of all outputs, to the sink.
template <class R>
void reduce_all_blocks(const Exec& exec, const ArrayReduceArgs& args, int64_t blocks, const R& op,
                       const ReduceSink<typename R::Results>& sink) {
  const auto* const x = static_cast<const typename R::In*>(args.x);
  const int64_t count = args.outer * args.inner * blocks;
  if constexpr (R::kLanes > 1) {
    if (args.inner == 1) {
      constexpr int kPack = row_pack<R>();
      if constexpr (kPack > 1) {
        const bool in_packs = hold_packs<kPack>(x) && (args.outer == 1 || args.extent % kPack == 0);
        if (in_packs && args.extent >= R::kLanes) {
          reduce_row_packs<R, kPack>
              <<<blocks_for(count, kPackedRowThreads * kPack / R::kLanes), kPackedRowThreads, 0, stream_of(exec)>>>(
                  op, x, count, args.extent, Divisor(blocks), sink);
          return;
        }
      }
      int group = 1;
      while (group < std::min(R::kLanes, kWarp) && group < args.extent) group *= 2;
      reduce_row_blocks<<<blocks_for(count, kReduceThreads / group), kReduceThreads, 0, stream_of(exec)>>>(
          op, x, count, args.extent, Divisor(blocks), group, sink);
      return;
    }
  }
  const int64_t length = args.inner == 1 ? kReduceRowBlock : kReduceColumnBlock;
  reduce_column_blocks<<<blocks_for(count, kReduceThreads), kReduceThreads, 0, stream_of(exec)>>>(
      op, x, count, args.extent, Divisor(blocks), Divisor(args.inner), length, sink);
}

template <class R>
void reduce_as(const Exec& exec, const ArrayReduceArgs& args, const R& op) {
  using Results = typename R::Results;
  using Acc = typename Results::Acc;
  const int64_t outputs = args.outer * args.inner;
  if (outputs == 0) return;
  int64_t blocks = std::max<int64_t>(reduce_blocks(args.extent, args.inner), 1);
  if (blocks == 1) {
    reduce_all_blocks(exec, args, 1, op, {nullptr, op});
    return launched(exec, kReduceName);
  }
  const int64_t parts = outputs * blocks, joined = outputs * ceil_div(blocks, kMeeting);
  const Room room(exec, static_cast<size_t>(parts + joined) * sizeof(Acc), kReduceName);
  if (!room) return;
  Acc *from = room.as<Acc>(), *to = from + parts;
  reduce_all_blocks(exec, args, blocks, op, {from, op});
  while (blocks > 1) {
    if (args.inner == 1 && blocks > kMeeting && blocks <= kJoinThreads * kMostEach<Acc>) {
      join_all_rows<Results>(exec, from, outputs, static_cast<int>(blocks), op);
      break;
    }
    const int64_t groups = ceil_div(blocks, kMeeting), count = outputs * groups;
    const ReduceSink<Results> sink = {groups > 1 ? to : nullptr, op};
    join_blocks<<<blocks_for(count, kReduceThreads), kReduceThreads, 0, stream_of(exec)>>>(
        from, count, blocks, Divisor(groups), Divisor(args.inner), sink);
    std::swap(from, to);
    blocks = groups;
  }
  launched(exec, kReduceName);
}

}  // namespace tern::cuda
