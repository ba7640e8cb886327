// SPDX-License-Identifier: Apache-2.0
// The kernels of attention_tile.cuh. A pass (tensors, or sequences in pages) says what its tiles are, of at most `rows`
// rows each: wide_tiles(rows) of them, and wide_tile(number, rows, kv_head), which one thread of a block asks for; the
// same of narrow ones. Where appends(), Keys::append stores the last key of a narrow tile, or its value, by a warp.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "devices/cuda/attention_tile.cuh"
#include "devices/cuda/divisor.cuh"
#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/launch.h"

namespace tern::cuda {

// Two small blocks on a multiprocessor run products while the other does not; rows that are split on their way need
// more threads for their registers.
template <class Keys, int kSlice, bool kOneSlice>
using WideShape = TileShape<Keys::kHalves || Keys::kPacked ? 4 : 8, kSlice, false, kOneSlice>;
template <class Keys>
constexpr int kWideBlocks = Keys::kHalves || Keys::kPacked ? 2 : 1;
template <int kSlice, bool kOneSlice>
using NarrowShape = TileShape<kSlice / 16, kSlice, true, kOneSlice>;

constexpr int kNarrowRows = 16;

// Rows of a key head from which a sequence is worth a wide tile.
constexpr int kWideFrom = 64;

template <class Shape, class Keys>
__device__ TileMemory<Shape, Keys>& tile_memory() {
  extern __shared__ __align__(1024) uint4 shared_memory[];
  return *reinterpret_cast<TileMemory<Shape, Keys>*>(shared_memory);
}

// Where a tile of a kernel is among key heads and slices of columns.
struct TilePlace {
  int64_t number, kv_head;
  int first_column;
};

// The tiles of a kernel. Slices of a head's columns have tiles of their own, which all compute its scores. Later ones
// see more keys: they start first.
struct TileOrder {
  int64_t tiles, count;
  Divisor each, parts;

  TileOrder(int64_t numbers, int64_t kv_heads, int64_t columns, int slice)
      : TileOrder(numbers, kv_heads, std::max(int64_t{1}, ceil_div(columns, slice))) {}
  __device__ TilePlace operator()(int64_t i, int slice) const {
    const int64_t before = each.quotient(i), within = i - before * each.divisor(), kv_head = parts.quotient(within);
    return {tiles - 1 - before, kv_head, static_cast<int>(within - kv_head * parts.divisor()) * slice};
  }

 private:
  TileOrder(int64_t numbers, int64_t kv_heads, int64_t slices)
      : tiles(numbers), count(numbers * kv_heads * slices), each(kv_heads * slices), parts(slices) {}
};

template <class Shape, class Pass>
__global__ void __launch_bounds__(Shape::kThreads, kWideBlocks<typename Pass::Keys>)
    attend_wide(const __grid_constant__ Pass pass, const __grid_constant__ TileOrder order) {
  auto& memory = tile_memory<Shape, typename Pass::Keys>();
  for (int64_t i = blockIdx.x; i < order.count; i += gridDim.x) {
    const TilePlace place = order(i, Shape::kSlice);
    __syncthreads();
    if (threadIdx.x == 0) memory.task = pass.wide_tile(place.number, Shape::kRows, place.kv_head);
    __syncthreads();
    if (memory.task.valid) AttentionTile<Shape, typename Pass::Keys>(memory, place.first_column).attend(StartAtOnce());
  }
}

// Starts a narrow tile's panels: with what earlier passes stored, between which and this one all kernels have waited
// for others, before the kernels before this one are done. One block of a tile stores the tile's last key, if no one
// has.
template <class Shape, class Keys>
struct EarlyStart {
  const AttentionTask<Keys>& task;
  int64_t old_keys;
  bool appends;
  mutable bool appended = false;

  template <class Feed>
  __device__ void operator()(Feed& feed, int panel) const {
    const bool storing = appends && !appended;
    const int key = static_cast<int>(old_keys);
    const bool puts = storing && panel == key / kPanelRows && feed.can_put();
    const bool early = panel != kNoPanel && (puts || (int64_t{panel} + 1) * kPanelRows <= old_keys);
    if (early) feed.start(panel, puts ? key : kNoKey);
    const int values = static_cast<int>(threadIdx.x) / kWarp - (Shape::kWarps - 2);  // by the last two warps
    typename Keys::Place place = {};
    if (storing && values >= 0) place = task.keys.place(key);
    wait_for_inputs();
    let_next_start();
    if (storing) {
      if (values >= 0) {
        task.keys.append(place, task.queries.cos, task.queries.sin, values != 0, [&](int column, auto element) {
          if constexpr (Keys::kHalves) {
            if (puts) feed.put(key, values != 0, column, element);
          }
        });
      }
      appended = true;
      if (!puts) __syncthreads();
    }
    if (!early && panel != kNoPanel) feed.start(panel, kNoKey);
  }
};

// A cluster of 2^shift blocks for each tile, or a block.
template <bool kInCluster, class Shape, class Pass>
__global__ void __launch_bounds__(Shape::kThreads, 2)
    attend_narrow(const __grid_constant__ Pass pass, const __grid_constant__ TileOrder order, int shift) {
  using Keys = typename Pass::Keys;
  auto& memory = tile_memory<Shape, Keys>();
  const int rank = static_cast<int>(blockIdx.x) & ((1 << shift) - 1);
  for (int64_t i = blockIdx.x >> shift; i < order.count; i += gridDim.x >> shift) {
    const TilePlace place = order(i, Shape::kSlice);
    __syncthreads();
    if (threadIdx.x == 0) memory.task = pass.narrow_tile(place.number, Shape::kRows, place.kv_head);
    __syncthreads();
    if (!memory.task.valid) continue;
    AttentionTile<Shape, Keys> tile(memory, place.first_column);
    const bool has_last = ((tile.panels() - 1) & ((1 << shift) - 1)) == rank;
    const EarlyStart<Shape, Keys> start = {memory.task, tile.old_keys(), pass.appends() && has_last};
    if constexpr (kInCluster) {
      tile.attend_in_cluster(*reinterpret_cast<ClusterMemory<Shape>*>(&memory + 1), rank, shift, start);
    } else {
      tile.attend(start);
    }
  }
  wait_for_inputs();
}

// Calls act with the columns of a slice, and whether they are all.
template <class Pass, class Act>
void with_slice(const Pass& pass, const Act& act) {
  if (pass.dim() <= 64) {
    act(std::integral_constant<int, 64>(), std::true_type());
  } else if (pass.dim() <= 128) {
    act(std::integral_constant<int, 128>(), std::true_type());
  } else if constexpr (!Pass::Keys::kPacked) {
    act(std::integral_constant<int, 128>(), std::false_type());
  }
}

// Dynamic shared memory that a kernel may use from now on even beyond 48 KiB.
template <class Function>
void allow_shared(const Exec& exec, Function kernel, size_t bytes, const char* name) {
  keep_error(exec, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
             name);
}

template <class Pass>
void attend_by_wide_tiles(const Exec& exec, const Pass& pass, const char* name) {
  with_slice(pass, [&](auto slice, auto one_slice) {
    using Shape = WideShape<typename Pass::Keys, decltype(slice)::value, decltype(one_slice)::value>;
    constexpr size_t kBytes = sizeof(TileMemory<Shape, typename Pass::Keys>);
    static_assert(kBytes <= size_t{99} << 10);
    const auto kernel = attend_wide<Shape, Pass>;
    allow_shared(exec, kernel, kBytes, name);
    const TileOrder order(pass.wide_tiles(Shape::kRows), pass.kv_heads(), pass.dim(), Shape::kSlice);
    kernel<<<blocks_for(order.count, 1), Shape::kThreads, kBytes, stream_of(exec)>>>(pass, order);
    launched(exec, name);
  });
}

// kernel<<<blocks, threads, shared>>>(args...) in clusters of so many blocks, which may start early.
template <class... Parameters, class... Args>
void launch_in_clusters(const Exec& exec, const char* name, void (*kernel)(Parameters...), unsigned blocks,
                        unsigned cluster, unsigned threads, size_t shared, Args&&... args) {
  cudaLaunchAttribute attributes[2] = {};
  attributes[0].id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attributes[0].val.programmaticStreamSerializationAllowed = 1;
  attributes[1].id = cudaLaunchAttributeClusterDimension;
  attributes[1].val.clusterDim.x = cluster;
  attributes[1].val.clusterDim.y = attributes[1].val.clusterDim.z = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = blocks;
  config.blockDim = threads;
  config.dynamicSmemBytes = shared;
  config.stream = stream_of(exec);
  config.attrs = attributes;
  config.numAttrs = 2;
  keep_error(exec, cudaLaunchKernelEx(&config, kernel, std::forward<Args>(args)...), name);
}

// Blocks of a cluster, 2^this: as many as are of use to each multiprocessor.
inline int cluster_shift(const Exec& exec, int64_t tiles) {
  constexpr int kBlocksOfProcessor = 2;
  int shift = 0;
  while (launches_overlap(exec) && 1 << shift < kMostCluster &&
         (tiles << (shift + 1)) <= int64_t{kBlocksOfProcessor} * multiprocessors(exec)) {
    ++shift;
  }
  return shift;
}

// rows: the most of a tile.
template <class Pass>
void attend_by_narrow_tiles(const Exec& exec, const Pass& pass, int64_t rows, const char* name) {
  with_slice(pass, [&](auto slice, auto one_slice) {
    using Shape = NarrowShape<decltype(slice)::value, decltype(one_slice)::value>;
    constexpr size_t kBytes = sizeof(TileMemory<Shape, typename Pass::Keys>);
    static_assert(kBytes <= size_t{99} << 10);
    const TileOrder order(pass.narrow_tiles(Shape::kRows), pass.kv_heads(), pass.dim(), Shape::kSlice);
    const int shift = cluster_shift(exec, order.count);
    const unsigned grid = blocks_for(order.count << shift, 1);
    if (shift == 0) {
      const auto kernel = attend_narrow<false, Shape, Pass>;
      allow_shared(exec, kernel, kBytes, name);
      launch_early(exec, name, kernel, grid, Shape::kThreads, kBytes, pass, order, shift);
    } else {
      const auto kernel = attend_narrow<true, Shape, Pass>;
      const size_t bytes = kBytes + ClusterMemory<Shape>::bytes(std::min(rows, int64_t{Shape::kRows}));
      allow_shared(exec, kernel, bytes, name);
      launch_in_clusters(exec, name, kernel, grid, 1u << shift, Shape::kThreads, bytes, pass, order, shift);
    }
  });
}

}  // namespace tern::cuda
