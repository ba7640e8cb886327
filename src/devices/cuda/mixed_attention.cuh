// SPDX-License-Identifier: Apache-2.0
// What the kernels of attention in bf16 share, forward and backward: tiles of 64 tokens of a head, how blocks take them
// and bring them to shared memory, and rows of a tile in the registers of a group of four warps. compute_90a.
#pragma once

#include <cuda.h>
#include <cudaTypedefs.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "devices/cuda/bf16_pair.cuh"
#include "devices/cuda/block_memory.cuh"
#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/launch.h"
#include "devices/cuda/mbarrier.cuh"
#include "devices/cuda/warp.cuh"
#include "devices/cuda/wgmma_bf16.cuh"

namespace tern::cuda {

constexpr int kTileTokens = kGroupRows;
constexpr int kPanelBytes = kTileTokens * kPanelRowBytes;
constexpr float kLog2E = 1.44269504f, kLn2 = 0.693147181f;

__device__ __forceinline__ float power_of_two(float x) {
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x));
  return power;
}

// ---------------------------------------------------------------- shared memory

__device__ __forceinline__ uint64_t tile_operand(const uint8_t* tile) {
  return operand_in_shared(shared_address(tile));
}

// Where 8 columns of a row of panels are, each kTileTokens rows long.
__device__ __forceinline__ unsigned piece_of_panels(unsigned row, unsigned piece) {
  constexpr unsigned kPieces = kPanelRowBytes / 16;
  return piece / kPieces * kPanelBytes + row * kPanelRowBytes + (piece % kPieces ^ row % kPieces) * 16;
}

// The operand of columns 16 · depth on, of panels each kTokens rows long.
template <int kTokens>
__device__ __forceinline__ uint64_t columns_of(uint64_t operand, int depth) {
  constexpr int kDepthsOfPanel = kPanelColumns / kProductDepth;
  return operand + depth / kDepthsOfPanel * (kTokens * kPanelRowBytes / 16) + depth % kDepthsOfPanel * kColumnsStep;
}

// A warp is done with what the barrier guards.
__device__ __forceinline__ void release(Barrier& empty) {
  __syncwarp();
  if (lane_of_thread() == 0) empty.arrive();
}

// kTokens tokens of a head from a token on, as panels of 64 columns each kTokens rows long. Columns beyond the head's
// and tokens beyond the sequence's come as zeros.
template <int kPanels, int kTokens>
__device__ void copy_head(uint8_t* to, const CUtensorMap& map, int head, int token, int entry, const Barrier& done,
                          CachePolicy policy = CachePolicy::evict_normal()) {
#pragma unroll
  for (int panel = 0; panel < kPanels; ++panel) {
    copy_box(to + panel * kTokens * kPanelRowBytes, map, panel * kPanelColumns, head, token, entry, done, policy);
  }
}

// Of rows [batch·tokens] of heads, for copy_head.
inline CUtensorMap map_of_heads(const Exec& exec, const char* name, const bf16* rows, int64_t batch, int64_t heads,
                                int64_t tokens, int64_t dim, int64_t stride, int box_tokens) {
  static const auto encode = [] {
    void* entry = nullptr;
    cudaDriverEntryPointQueryResult result;
    cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &entry, 12000, cudaEnableDefault, &result);
    return reinterpret_cast<PFN_cuTensorMapEncodeTiled_v12000>(entry);
  }();
  const auto row_bytes = static_cast<cuuint64_t>(stride) * sizeof(bf16);
  const cuuint64_t extents[] = {static_cast<cuuint64_t>(dim), static_cast<cuuint64_t>(heads),
                                static_cast<cuuint64_t>(tokens), static_cast<cuuint64_t>(batch)};
  const cuuint64_t strides[] = {static_cast<cuuint64_t>(dim) * sizeof(bf16), row_bytes,
                                static_cast<cuuint64_t>(tokens) * row_bytes};
  const cuuint32_t box[] = {kPanelColumns, 1, static_cast<cuuint32_t>(box_tokens), 1}, steps[] = {1, 1, 1, 1};
  CUtensorMap map = {};
  const bool made =
      encode && encode(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 4, const_cast<bf16*>(rows), extents, strides, box, steps,
                       CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
                       CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
  if (!made) keep_error(exec, cudaErrorNotSupported, name);
  return map;
}

// ---------------------------------------------------------------- what blocks do

// Neighbouring tiles of a line, one head of one entry, from `first` on, one for each group of a block. Those outside
// the sequence are not there.
struct alignas(16) Item {
  int line, entry, head, first;

  __device__ bool ends() const { return line < 0; }  // there are no more
};

// Blocks stay and take items as they come. Lines go by sections, of which the L2 cache holds what their items share; of
// a section what has most to do comes first, and it has enough for all blocks, so that they end together.
struct Schedule {
  unsigned lines, heads, tiles, groups, ranks, section, items;  // `ranks` items of a line; a section has so many lines
  bool last_first;                                              // the last tiles have most to do, else the first ones

  Schedule() = default;
  // A line's items share `line_bytes`.
  Schedule(int64_t batch, int64_t heads_, int64_t tiles_, int groups_, bool last_first_, int64_t line_bytes, int blocks)
      : lines(static_cast<unsigned>(batch * heads_)),
        heads(static_cast<unsigned>(heads_)),
        tiles(static_cast<unsigned>(tiles_)),
        groups(static_cast<unsigned>(groups_)),
        ranks((tiles + groups - 1) / groups),
        items(lines * ranks),
        last_first(last_first_) {
    const int64_t most = std::max(kSectionBytes / line_bytes, ceil_div(blocks, ranks));
    section = static_cast<unsigned>(ceil_div(lines, ceil_div(lines, most)));
  }

  // 3 to 24 MiB do as well, 48 makes a step of training 1 % slower.
  static constexpr int64_t kSectionBytes = int64_t{6} << 20;
};

// The items of a block, by one of its threads. `taken`, 0 before: how many items blocks have taken after their first
// ones. Each is taken one ahead, for the answer takes a while.
class Work {
 public:
  __device__ Work(const Schedule& schedule, unsigned* taken) : schedule_(schedule), taken_(taken) {}

  __device__ Item next() {
    const unsigned i = next_;
    if (i >= schedule_.items) return {-1, 0, 0, 0};
    next_ = gridDim.x + atomicAdd(taken_, 1u);
    const unsigned before = i / (schedule_.section * schedule_.ranks) * schedule_.section;
    const unsigned lines = min(schedule_.section, schedule_.lines - before), in_section = i - before * schedule_.ranks;
    const unsigned rank = in_section / lines, line = before + in_section % lines;
    const auto first = static_cast<int>(rank * schedule_.groups);
    return {static_cast<int>(line), static_cast<int>(line / schedule_.heads), static_cast<int>(line % schedule_.heads),
            schedule_.last_first ? static_cast<int>(schedule_.tiles - schedule_.groups) - first : first};
  }

 private:
  const Schedule& schedule_;
  unsigned* const taken_;
  unsigned next_ = blockIdx.x;
};

// By one warp, in front of a kernel whose blocks take items.
static __global__ void __launch_bounds__(kWarp) clear_taken(unsigned* taken, unsigned count) {
  wait_for_inputs();
  let_next_start();
  if (threadIdx.x < count) taken[threadIdx.x] = 0;
}

// ---------------------------------------------------------------- rows in registers

// A lane's place in a tile: it has pairs of columns, column() + 8j, of the rows row() and row() + 8.
struct LanePlace {
  __device__ static int row() {
    return static_cast<int>(threadIdx.x % kGroupThreads / kWarp * 16 + lane_of_thread() / 4);
  }
  __device__ static int column() { return static_cast<int>(lane_of_thread() % 4 * 2); }
};

// A tile's rows as the left operands of products over their columns.
template <int kPanels>
using RowOperands = uint32_t[kPanels * kPanelColumns / kProductDepth][4];

// From memory, `rows` the tile's first row of a head; zeros beyond `dim` and from the row `end` on.
template <int kPanels>
__device__ __forceinline__ void load_operands(const bf16* rows, int64_t stride, int dim, int end,
                                              RowOperands<kPanels>& operands) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = LanePlace::row() + 8 * half;
    const bf16* const from = rows + row * stride;
#pragma unroll
    for (int i = 0; i < kPanels * kPanelColumns / 8; ++i) {
      const int column = 8 * i + LanePlace::column();
      operands[i / 2][i % 2 * 2 + half] =
          row < end && column < dim ? *reinterpret_cast<const uint32_t*>(from + column) : 0;
    }
  }
}

// From panels in shared memory.
template <int kPanels>
__device__ __forceinline__ void load_operands(const uint8_t* tile, RowOperands<kPanels>& operands) {
  const unsigned lane = lane_of_thread(), row = threadIdx.x % kGroupThreads / kWarp * 16 + lane % 16;
#pragma unroll
  for (unsigned depth = 0; depth < kPanels * kPanelColumns / kProductDepth; ++depth) {
    const uint8_t* const at = tile + piece_of_panels(row, depth * 2 + lane / 16);
    uint32_t(&to)[4] = operands[depth];
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(shared_address(at))
                 : "memory");
  }
}

// A tile of one panel from these registers to shared memory.
__device__ __forceinline__ void store_operands(const RowOperands<1>& operands, uint8_t* tile) {
  const unsigned lane = lane_of_thread(), row = threadIdx.x % kGroupThreads / kWarp * 16 + lane % 16;
#pragma unroll
  for (unsigned depth = 0; depth < kPanelColumns / kProductDepth; ++depth) {
    const uint32_t(&from)[4] = operands[depth];
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(
                     shared_address(tile + piece_of_panels(row, depth * 2 + lane / 16))),
                 "r"(from[0]), "r"(from[1]), "r"(from[2]), "r"(from[3])
                 : "memory");
  }
}

// Weights of a step as left operands of products over what they weigh.
template <int kCount>
__device__ __forceinline__ void round_weights(const float (&weights)[kCount], uint32_t (*operands)[4]) {
#pragma unroll
  for (int i = 0; i < kCount / 2; ++i) operands[i / 4][i % 4] = bf16_pair(weights[2 * i], weights[2 * i + 1]);
}

}  // namespace tern::cuda
