// SPDX-License-Identifier: Apache-2.0
// Rows of bf16 that groups of threads take one after the other. A group is as small as its registers allow for a row of
// the given length; a block has several, and as many blocks as run at one time stay until all rows are done: so what
// belongs to columns stays with its thread, and rows ahead are on their way to shared memory meanwhile.
#pragma once

#include <cuda_pipeline.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <type_traits>
#include <utility>

#include "devices/cuda/bf16_pair.cuh"
#include "devices/cuda/convert.cuh"
#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/numbers.cuh"
#include "devices/cuda/packs.cuh"
#include "devices/cuda/resident_blocks.cuh"
#include "devices/cuda/warp.cuh"

namespace tern::cuda {

// ---------------------------------------------------------------- eight neighbours

inline constexpr int kOctet = 8;
using Octet = Pack<float, kOctet>;

// bf16 numbers as they lie, 16 bytes.
__device__ inline Octet octet_of(const uint4& halves) {
  Octet x;
  const uint32_t pairs[] = {halves.x, halves.y, halves.z, halves.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    x.at[2 * i] = low_of(pairs[i]);
    x.at[2 * i + 1] = high_of(pairs[i]);
  }
  return x;
}

__device__ inline uint4 halves_of(const Octet& x) {
  return {bf16_pair(x.at[0], x.at[1]), bf16_pair(x.at[2], x.at[3]), bf16_pair(x.at[4], x.at[5]),
          bf16_pair(x.at[6], x.at[7])};
}

__device__ inline float sum_of(const Octet& x) {
  return ((x.at[0] + x.at[1]) + (x.at[2] + x.at[3])) + ((x.at[4] + x.at[5]) + (x.at[6] + x.at[7]));
}

// acc + a·b, fused.
__device__ inline Octet add_products(const Octet& acc, const Octet& a, const Octet& b) {
  return map_pack<kOctet>([](float sum, float p, float q) { return fmaf(p, q, sum); }, acc, a, b);
}

// relu(gate)²·x, as Relu2GateArgs.
__device__ inline Octet gated(const Octet& x, const Octet& gate) {
  return map_pack<kOctet>(
      [](float v, float g) {
        const float r = relu(g);
        return r * r * v;
      },
      x, gate);
}

// ---------------------------------------------------------------- groups

inline constexpr int kGroupBlock = 256;  // threads of a block

// kThreads, a power of two from 16 to kGroupBlock, that share a row.
template <int kThreads>
class RowGroup {
 public:
  static constexpr int kGroups = kGroupBlock / kThreads;  // of a block
  static constexpr int kWarps = kThreads > kWarp ? kThreads / kWarp : 1;
  struct alignas(16) Slots {
    uint32_t of_warps[kGroups][2][kWarps];
  };

  // `slots` is shared.
  __device__ explicit RowGroup(Slots& slots) : slots_(slots.of_warps[index()]) {}

  __device__ static int index() { return static_cast<int>(threadIdx.x) / kThreads; }
  __device__ static int thread() { return static_cast<int>(threadIdx.x) % kThreads; }

  // Rows are taken in turn. A block goes on until its first group has none: is_left() is the same for all of its
  // threads, some of which may have a row beyond the last. Lanes of a warp need that, and racecheck, which takes what
  // follows for races where groups have met at barriers of their own a different number of times.
  __device__ static int64_t first_row() { return int64_t{blockIdx.x} * kGroups + index(); }
  __device__ static int64_t step() { return int64_t{gridDim.x} * kGroups; }
  __device__ static bool is_left(int64_t row, int64_t rows) { return row - index() < rows; }

  // Over the group, for each of its threads.
  __device__ float sum(float x) {
    const auto add = [](float a, float b) { return a + b; };
    return over_warps(fold_lanes<kLanes>(x, add), add);
  }
  __device__ int sum(int x) {
    const auto add = [](int a, int b) { return a + b; };
    return over_warps(kLanes == kWarp ? __reduce_add_sync(kAllLanes, x) : fold_lanes<kLanes>(x, add), add);
  }
  // Of numbers that are not below 0, which are ordered as their bits are; NaNs are above all.
  __device__ float max(float x) {
    const auto greater = [](uint32_t a, uint32_t b) { return a > b ? a : b; };
    const uint32_t bits = __float_as_uint(x);
    return __uint_as_float(
        over_warps(kLanes == kWarp ? __reduce_max_sync(kAllLanes, bits) : fold_lanes<kLanes>(bits, greater), greater));
  }

 private:
  static constexpr int kLanes = kThreads < kWarp ? kThreads : kWarp;

  // As in BlockReducer, reductions take turns with two sets of slots.
  template <class T, class Fold>
  __device__ T over_warps(T x, const Fold& fold) {
    if constexpr (kWarps > 1) {
      static_assert(sizeof(T) == sizeof(uint32_t));
      T* const slots = reinterpret_cast<T*>(slots_[turn_]);
      turn_ ^= 1;
      if (thread() % kWarp == 0) slots[thread() / kWarp] = x;
      asm volatile("bar.sync %0, %1;" ::"r"(1 + index()), "n"(kThreads) : "memory");
      x = slots[0];
#pragma unroll
      for (int warp = 1; warp < kWarps; ++warp) x = fold(x, slots[warp]);
    }
    return x;
  }

  uint32_t (&slots_)[2][kWarps];
  int turn_ = 0;
};

// ---------------------------------------------------------------- plans

// How rows of a length are shared.
struct RowShare {
  int threads;     // of a group
  int held;        // octets of each; 0: any number, which are read again at each use
  int stages = 0;  // 1 to 3: rows that have a place in shared memory
};

// In ascending order of the columns that they are for.
inline constexpr RowShare kRowShares[] = {{16, 1},  {16, 3},  {16, 4},  {32, 3},  {32, 4},  {32, 6},
                                          {32, 8},  {64, 5},  {64, 7},  {64, 8},  {128, 5}, {128, 7},
                                          {128, 8}, {256, 5}, {256, 7}, {256, 8}, {256, 0}};

constexpr int64_t shared_bytes(const RowShare& share, int matrices) {
  const int64_t stage = int64_t{kGroupBlock} * share.held * matrices * static_cast<int64_t>(sizeof(uint4));
  const int64_t weights = int64_t{share.threads} * share.held * static_cast<int64_t>(sizeof(Octet));
  return share.stages * stage + weights;
}

// With stages for `matrices` that are read.
inline RowShare row_share(const Exec& exec, int64_t cols, int matrices) {
  // What each of two blocks of a multiprocessor can have on Hopper, or one alone; elsewhere what any GPU gives.
  const int64_t usual = is_hopper(exec) ? 112 << 10 : 96 << 10, most = is_hopper(exec) ? 224 << 10 : usual;
  for (RowShare share : kRowShares) {
    if (int64_t{share.threads} * share.held < ceil_div(cols, kOctet)) continue;
    share.stages = 3;
    while (share.stages > 2 && shared_bytes(share, matrices) > usual) --share.stages;
    while (share.stages > 1 && shared_bytes(share, matrices) > most) --share.stages;
    if (shared_bytes(share, matrices) <= most) return share;
  }
  return {kGroupBlock, 0};
}

// Calls launch(threads, held) with those of a share as constants.
template <class Launch>
void with_share(const RowShare& share, const Launch& launch) {
  const auto try_all = [&]<size_t... kIndex>(std::index_sequence<kIndex...>) {
    const auto try_one = [&](auto threads, auto held) {
      if (share.threads == threads() && share.held == held()) launch(threads, held);
    };
    (try_one(std::integral_constant<int, kRowShares[kIndex].threads>(),
             std::integral_constant<int, kRowShares[kIndex].held>()),
     ...);
  };
  try_all(std::make_index_sequence<std::size(kRowShares)>());
}

// Blocks of a kernel that run at one time, but not more than the rows need.
template <class... Parameters>
unsigned resident_blocks(const Exec& exec, const char* name, void (*kernel)(Parameters...), const RowShare& share,
                         int64_t rows, size_t shared) {
  return resident_blocks(exec, name, kernel, kGroupBlock, shared, ceil_div(rows, kGroupBlock / share.threads));
}

// ---------------------------------------------------------------- octets of a row

// Calls each(i, at) for the thread's octets of a row. Where kHeld > 0, i < kHeld is known to the compiler, and some
// octets may lie beyond the row's end.
template <int kHeld, int kThreads, class Each>
__device__ void for_octets(const RowGroup<kThreads>& group, int octets, const Each& each) {
  if constexpr (kHeld == 0) {
    for (int at = group.thread(); at < octets; at += kThreads) each(0, at);
  } else {
#pragma unroll
    for (int i = 0; i < kHeld; ++i) each(i, group.thread() + i * kThreads);
  }
}

// A float for each column, where kHeld > 0 in shared memory, with zeros beyond the end.
template <int kThreads, int kHeld>
class ColumnWeights {
 public:
  static constexpr int kPlaces = 2 * kThreads * kHeld;  // of float4

  // By the whole block, which meets before it reads them.
  __device__ ColumnWeights(const float* weights, int octets, float4* memory) : weights_(weights), memory_(memory) {
    for (int at = static_cast<int>(threadIdx.x); at < kThreads * kHeld; at += kGroupBlock) {
#pragma unroll
      for (int half = 0; half < 2; ++half) memory[half * kPlane + at] = at < octets ? quad(at, half) : float4{};
    }
  }

  __device__ Octet octet(int at) const {
    const float4 low = kHeld > 0 ? memory_[at] : quad(at, 0), high = kHeld > 0 ? memory_[kPlane + at] : quad(at, 1);
    return {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
  }

 private:
  static constexpr int kPlane = kThreads * kHeld;

  __device__ float4 quad(int at, int half) const { return reinterpret_cast<const float4*>(weights_)[2 * at + half]; }

  const float* weights_;
  const float4* memory_;
};

// Null: zeros.
struct RowMatrix {
  const bf16* data;
  int64_t stride;
};

// The thread's octets of row after row of some matrices, in the order in which its group takes rows. A thread waits
// only for what it has asked for itself. Octets beyond a row's end are zeros.
template <int kThreads, int kHeld, int kMatrices>
class RowReader {
 public:
  // `memory` is shared.
  __device__ RowReader(const RowMatrix (&matrices)[kMatrices], int64_t rows, int octets, int stages, uint4* memory)
      : rows_(rows), ahead_(Group::first_row()), octets_(octets), stages_(stages), memory_(memory + threadIdx.x) {
#pragma unroll
    for (int m = 0; m < kMatrices; ++m) {
      const RowMatrix& matrix = matrices[m];
      from_[m] = matrix.data ? octets_of(matrix.data + ahead_ * matrix.stride) + Group::thread() : nullptr;
      step_[m] = Group::step() * (matrix.stride / kOctet);
      for (int stage = 0; stage < stages; ++stage) {
#pragma unroll
        for (int i = 0; i < kHeld; ++i) {
          if (!is_there(m, i)) memory_[stage * kStage + slot(m, i)] = {};
        }
      }
    }
    if constexpr (kHeld > 0) {
      for (int i = 1; i < stages; ++i) ask();
    }
  }

  // Turns to the next row, from before the first.
  __device__ void next() {
    if constexpr (kHeld > 0) {
      ask();
      reading_ = following(reading_);
      if (stages_ == 3) {
        __pipeline_wait_prior(2);
      } else if (stages_ == 2) {
        __pipeline_wait_prior(1);
      } else {
        __pipeline_wait_prior(0);
      }
    } else {
#pragma unroll
      for (int m = 0; m < kMatrices; ++m) {
        row_[m] = from_[m];
        if (from_[m]) from_[m] += step_[m];
      }
    }
  }

  // Of the row, as for_octets counts them.
  __device__ Octet octet(int matrix, int i, int at) const {
    if constexpr (kHeld > 0) {
      return octet_of(memory_[reading_ + slot(matrix, i)]);
    } else {
      return row_[matrix] ? octet_of(row_[matrix][at - Group::thread()]) : Octet{};
    }
  }

 private:
  using Group = RowGroup<kThreads>;
  static constexpr int kStage = kMatrices * kHeld * kGroupBlock;

  __device__ static const uint4* octets_of(const bf16* row) { return reinterpret_cast<const uint4*>(row); }
  __device__ static int slot(int matrix, int i) { return (matrix * kHeld + i) * kGroupBlock; }
  __device__ int following(int stage) const { return stage + kStage < stages_ * kStage ? stage + kStage : 0; }
  __device__ bool is_there(int matrix, int i) const {
    return from_[matrix] != nullptr && Group::thread() + i * kThreads < octets_;
  }

  __device__ void ask() {
    if (ahead_ < rows_) {
#pragma unroll
      for (int m = 0; m < kMatrices; ++m) {
#pragma unroll
        for (int i = 0; i < kHeld; ++i) {
          if (is_there(m, i)) {
            __pipeline_memcpy_async(memory_ + asking_ + slot(m, i), from_[m] + i * kThreads, sizeof(uint4));
          }
        }
        if (from_[m]) from_[m] += step_[m];
      }
    }
    __pipeline_commit();
    asking_ = following(asking_);
    ahead_ += Group::step();
  }

  int64_t rows_, ahead_, step_[kMatrices];
  int octets_, stages_;
  int asking_ = 0, reading_ = -kStage;
  const uint4 *from_[kMatrices], *row_[kMatrices];
  uint4* memory_;
};

__device__ inline void put_halves(bf16* row, int at, const Octet& x) {
  reinterpret_cast<uint4*>(row)[at] = halves_of(x);
}

}  // namespace tern::cuda
