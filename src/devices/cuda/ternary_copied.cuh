// SPDX-License-Identifier: Apache-2.0
// The ternary product of a few rows of activations, by blocks that have copied their weights, some rows of tiles, which
// lie one after the other, to shared memory before anything else is known: for decoding, where a product lasts two
// microseconds. Blocks are so small that those of the next product find room beside them and wait there with their
// weights. Each warp has the same columns of tiles in all rows of tiles: warp w of W those with the numbers w, w + W,
// w + 2·W, …, of which alone it needs the activations. Sums of the warps meet in shared memory, exactly. One warp more,
// the porter, copies the weights and ends the outputs.
//
// Instructions count: masks of the digits, at 64 lanes a cycle, take as long as the products of the tensor cores. A
// word has four digits of a byte, of two rows and two columns of a tile (ternary_layout.cuh). Masked so that a byte has
// one, two, three or all of them (the last mask is none), the sums of its products are those of one digit and all below
// it, and their differences the digits' own. The products of 8 columns of activations have room for both columns'
// activations of four rows.
#pragma once

#include <cuda_pipeline_primitives.h>

#include <algorithm>

#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/int8_mma.cuh"
#include "devices/cuda/mbarrier.cuh"
#include "devices/cuda/ternary_layout.cuh"
#include "devices/cuda/ternary_parts.cuh"

namespace tern::cuda {

constexpr int kProductRows = 4;  // of activations, of one product of the tensor cores
constexpr int kHalfTileRows = kTileRows / 2;

constexpr int kMostBlockTiles = 16;  // rows of tiles of a block, of all its matrices

// All rows of tiles of the parts, one part after the other, are shared evenly among the blocks; where gate and up meet,
// those of both in the same places. What blocks would find from other numbers is here: a block that starts when its
// inputs have come already begins by it, and each load or division is waited for by all that follows. (Decoding with
// 2B-4T, H200, tokens/s: 1873 where blocks divided and one lane asked for one row of tiles after the other, 1963 so.)
struct CopyPlan {
  int tiles;  // rows of tiles, of one matrix where gate and up meet
  int part_tiles[kMostTernaryParts];
  int blocks;
  int each, more;    // rows of tiles of a block, of each of its matrices; the first `more` blocks have one more
  int matrices;      // of a block: 2 where gate and up meet, else 1
  int tile_columns;  // columns of tiles
  int warps;         // of a block, without the porter
  int warp_columns;  // columns of tiles of a warp, at most
  int rows;          // of activations
  int sum_slots;     // of the warps' sums of an output
  int row_bytes;     // of a row of tiles
  // Between rows of a warp's activations, in bytes: rows that are read at once have banks of their own. And of a warp.
  int code_pitch, code_bytes;
  int codes_at, sums_at, memory;  // where they are in a block's memory, bytes, and all

  unsigned threads() const { return static_cast<unsigned>(warps + 1) * kWarp; }
};

// Ints that lie between an output's sums and the next one's, for kernels of at most `warps` warps that multiply: quads
// of eight neighbours are in different banks.
constexpr int sum_slots(int warps) { return 4 * (ceil_div(warps, 4) | 1); }

// At most `blocks` blocks, unless one would have more than `most_bytes` of weights. Of no blocks where there are more
// rows of tiles than can be counted.
inline CopyPlan copy_plan(const TernaryMatmulArgs& args, int64_t blocks, int64_t most_bytes, int matrices, int warps,
                          int most_warps, int warp_columns) {
  CopyPlan plan = {};
  const int64_t tiles = column_blocks(args, kTileRows) / matrices, tile_columns = column_tiles(args.k);
  if (tiles >> 31 != 0) return plan;
  const int64_t row_bytes = tile_columns * kTileBytes;
  const int64_t room = std::clamp<int64_t>(most_bytes / (matrices * row_bytes), 1, kMostBlockTiles / matrices);
  plan.tiles = static_cast<int>(tiles);
  for (int part = 0; part < args.parts; ++part) plan.part_tiles[part] = static_cast<int>(row_tiles(args.part[part].n));
  plan.blocks = static_cast<int>(std::min(std::max(blocks, ceil_div(tiles, room)), tiles));
  plan.each = plan.tiles / plan.blocks;
  plan.more = plan.tiles % plan.blocks;
  plan.matrices = matrices;
  plan.tile_columns = static_cast<int>(tile_columns);
  plan.warps = warps;
  plan.warp_columns = warp_columns;
  plan.rows = static_cast<int>(args.rows);
  plan.sum_slots = sum_slots(most_warps);
  plan.row_bytes = static_cast<int>(row_bytes);
  plan.code_pitch = warp_columns * kTileColumns + 16;
  plan.code_bytes = plan.rows * plan.code_pitch;
  const int block_tiles = matrices * (plan.each + (plan.more > 0 ? 1 : 0));
  plan.codes_at = block_tiles * plan.row_bytes;
  plan.sums_at = plan.codes_at + warps * plan.code_bytes;
  plan.memory = plan.sums_at + block_tiles * kTileRows * plan.rows * plan.sum_slots * static_cast<int>(sizeof(int));
  return plan;
}

// kernel(args, plan, more...) by `blocks` blocks, the plan's at least, of `least_bytes` of shared memory at least.
template <class Args, class... More>
void launch_copied(const Exec& exec, const char* name, void (*kernel)(Args, CopyPlan, More...), const Args& args,
                   const CopyPlan& plan, int least_bytes, int blocks, const More&... more) {
  const auto bytes = static_cast<size_t>(std::max(plan.memory, least_bytes));
  allow_shared(exec, name, kernel, bytes);
  launch_early(exec, name, kernel, static_cast<unsigned>(blocks), plan.threads(), bytes, args, plan, more...);
}

// ---------------------------------------------------------------- a block's place and memory

// Its rows of tiles.
struct CopiedPlace {
  int tile_row;  // the first
  int tile_rows;

  __device__ explicit CopiedPlace(const CopyPlan& plan) {
    const auto block = static_cast<int>(blockIdx.x);
    tile_row = block * plan.each + min(block, plan.more);
    tile_rows = plan.each + (block < plan.more ? 1 : 0);
  }
};

// Where a row of tiles is among the parts.
struct PartTiles {
  int part = 0;
  int tile_row;  // of the part's

  __device__ PartTiles(const CopyPlan& plan, int of_all) {
    int first = 0, end = 0;
#pragma unroll
    for (int p = 0; p + 1 < kMostTernaryParts; ++p) {
      end += plan.part_tiles[p];
      if (of_all >= end) first = end, part = p + 1;
    }
    tile_row = of_all - first;
  }
};

struct CopiedMemory {
  uint8_t* weights;  // [matrices, tile_rows] rows of tiles
  uint8_t* codes;    // of the warp: [rows, code_pitch]
  int* sums;  // [matrices, tile_rows, kHalfTileRows, rows, 2, sum_slots]: of outputs g and g + 8 one after the other

  __device__ CopiedMemory(const CopyPlan& plan, uint4* memory)
      : weights(reinterpret_cast<uint8_t*>(memory)),
        codes(weights + plan.codes_at + static_cast<int>(threadIdx.x / kWarp) * plan.code_bytes),
        sums(reinterpret_cast<int*>(weights + plan.sums_at)) {}
};

__device__ __forceinline__ bool is_porter(const CopyPlan& plan) {
  return static_cast<int>(threadIdx.x / kWarp) == plan.warps;
}

// The weights of a block, with a barrier for each row of tiles, of which at most `at_once` are on their way at one
// time; or all at once with a single barrier.
template <bool kTogether>
class CopiedWeights {
 public:
  static constexpr int kBarriers = kTogether ? 1 : kMostBlockTiles;

  __device__ CopiedWeights(const CopyPlan& plan, const CopiedPlace& place, uint8_t* memory,
                           Barrier (&arrived)[kBarriers], int at_once = kMostBlockTiles)
      : plan_(plan), place_(place), memory_(memory), arrived_(arrived), at_once_(at_once) {}

  __device__ int tile_rows() const { return plan_.matrices * place_.tile_rows; }

  // By the porter, with barriers of the block before others wait and before more() of the rows that this leaves. Each
  // lane asks for a row of tiles.
  __device__ void begin(const TernaryMatmulArgs& args) const {
#if __CUDA_ARCH__ >= 900
    static_assert(kMostBlockTiles <= kWarp);
    const int lane = static_cast<int>(threadIdx.x % kWarp);
    const uint8_t* from = source(args, min(lane, tile_rows() - 1));
    have_ready(from);
    if (lane < (kTogether ? 1 : tile_rows())) {
      arrived_[kTogether ? 0 : lane].init(kTogether ? static_cast<unsigned>(tile_rows()) : 1);
      publish_barriers();
    }
    __syncwarp();
    if (lane < min(tile_rows(), at_once_)) copy(from, lane);
    __syncwarp();
#else
    for (int r = 0; r < tile_rows(); ++r) {
      const uint8_t* const from = source(args, r);
      for (int at = static_cast<int>(threadIdx.x % kWarp) * 16; at < plan_.row_bytes; at += kWarp * 16) {
        __pipeline_memcpy_async(memory_ + r * plan_.row_bytes + at, from + at, 16);
      }
    }
    __pipeline_commit();
    __pipeline_wait_prior(0);
#endif
  }
  __device__ void more(const TernaryMatmulArgs& args) const {
#if __CUDA_ARCH__ >= 900
    if (threadIdx.x % kWarp > 0) return;
    for (int r = at_once_; r < tile_rows(); ++r) {
      wait(r - at_once_);
      copy(source(args, r), r);
    }
#endif
  }

  // For the r-th row of tiles; where all come together, for all.
  __device__ void wait(int r) const {
#if __CUDA_ARCH__ >= 900
    arrived_[kTogether ? 0 : r].wait(0);
#endif
  }

 private:
  // Of the r-th row of tiles.
  __device__ const uint8_t* source(const TernaryMatmulArgs& args, int r) const {
    const int up = r >= place_.tile_rows ? plan_.tiles - place_.tile_rows : 0;
    const PartTiles tiles(plan_, up + place_.tile_row + r);
    return args.part[tiles.part].packed + int64_t{tiles.tile_row} * plan_.row_bytes;
  }
#if __CUDA_ARCH__ >= 900
  __device__ void copy(const uint8_t* from, int r) const {
    Barrier& arrived = arrived_[kTogether ? 0 : r];
    arrived.arrive_expecting(static_cast<unsigned>(plan_.row_bytes));
    copy_in_bulk(memory_ + r * plan_.row_bytes, from, plan_.row_bytes, arrived);
  }
#endif

  const CopyPlan& plan_;
  const CopiedPlace& place_;
  uint8_t* const memory_;
  Barrier (&arrived_)[kBarriers];
  const int at_once_;
};

// ---------------------------------------------------------------- products

using TileCodes = uint32_t[4];     // operands of a tile's words
using DigitSums = uint32_t[2][4];  // of the products of one and two digits, of three and four

// Where a lane reads the operands of a warp's codes. What is multiplied in place of rows beyond the last is not wanted.
__device__ __forceinline__ const uint8_t* operands_of(const CopyPlan& plan, int rows, const uint8_t* codes) {
  const int lane = static_cast<int>(threadIdx.x % kWarp), row = min(lane % 8 / 2, rows - 1);
  return codes + row * plan.code_pitch + lane / 8 * 32 + lane % 2 * 16;
}

__device__ __forceinline__ void add_tile(DigitSums& sums, const uint4& tile, const TileCodes& q) {
  const uint32_t words[4] = {tile.x, tile.y, tile.z, tile.w};
#pragma unroll
  for (int i = 0; i < 4; i += 2) {
    const uint32_t a = words[i], b = words[i + 1];
    const uint32_t few[4] = {a & 0x03030303u, a & 0x0f0f0f0fu, b & 0x03030303u, b & 0x0f0f0f0fu};
    const uint32_t more[4] = {a & 0x3f3f3f3fu, a, b & 0x3f3f3f3fu, b};
    add_byte_products(sums[0], few, q[i], q[i + 1]);
    add_byte_products(sums[1], more, q[i], q[i + 1]);
  }
}

// The digit sums of two outputs, g and g + 8. Those of their four digits stand as 1, 16, 4 and 64 times their value,
// modulo 2^32. |64·sum| <= 64·2·128·columns/2 is at most 2^31 with up to 2^18 columns, so that the divisions are exact.
__device__ __forceinline__ int2 outputs_of(const DigitSums& sums) {
  const auto &few = sums[0], &more = sums[1];
  return make_int2(static_cast<int>(few[0]) + (static_cast<int>(more[1] - few[3]) >> 4),
                   (static_cast<int>(few[2] - few[0]) >> 2) + (static_cast<int>(more[3] - more[1]) >> 6));
}

// Where a lane puts its warp's, if its row of activations is one of `rows`.
class OutputSums {
 public:
  __device__ OutputSums(const CopyPlan& plan, int rows, int* sums)
      : of_tile_(2 * kHalfTileRows * rows * plan.sum_slots * kBytes), second_(plan.sum_slots * kBytes) {
    const int warp = static_cast<int>(threadIdx.x / kWarp), lane = static_cast<int>(threadIdx.x % kWarp);
    const int row = lane % kProductRows;
    has_row_ = row < rows;
    first_ = static_cast<int>(shared_address(sums)) +
             (2 * (lane / kProductRows * rows + row) * plan.sum_slots + warp) * kBytes;
    have_ready(has_row_);
    have_ready(first_);
    have_ready(of_tile_);
    have_ready(second_);
  }

  // Of the block's r-th row of tiles. Without a jump, which would cost more than the stores.
  __device__ void put(int r, const int2& outputs) const {
    const int to = first_ + r * of_tile_;
    asm volatile(
        "{\n.reg .pred p;\n"
        "setp.ne.s32 p, %4, 0;\n"
        "@p st.shared.s32 [%0], %1;\n"
        "@p st.shared.s32 [%2], %3;\n}" ::"r"(to),
        "r"(outputs.x), "r"(to + second_), "r"(outputs.y), "r"(has_row_)
        : "memory");
  }

 private:
  static constexpr int kBytes = sizeof(int);

  int has_row_, first_, of_tile_, second_;
};

// By one warp, before sums are put: 0 for warps that there are not.
template <int kMostWarps>
__device__ __forceinline__ void clear_sums(const CopyPlan& plan, int* sums, int outputs) {
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x % kWarp); i < outputs; i += kWarp) {
    int4* const quads = reinterpret_cast<int4*>(sums + i * plan.sum_slots);
#pragma unroll
    for (int q = 0; q < ceil_div(kMostWarps, 4); ++q) {
      if (4 * q + 4 > plan.warps) quads[q] = {};
    }
  }
}

// An output's digit sum, of what all warps have left.
template <int kMostWarps>
__device__ __forceinline__ uint32_t sum_of_warps(const int* of_warps) {
  constexpr int kQuads = ceil_div(kMostWarps, 4);
  uint32_t of[kQuads * 4];
#pragma unroll
  for (int q = 0; q < kQuads; ++q) {
    const uint4 quad = reinterpret_cast<const uint4*>(of_warps)[q];
    of[4 * q] = quad.x, of[4 * q + 1] = quad.y, of[4 * q + 2] = quad.z, of[4 * q + 3] = quad.w;
  }
  // By threes, which is one instruction.
#pragma unroll
  for (int count = kQuads * 4; count > 1; count = ceil_div(count, 3)) {
#pragma unroll
    for (int i = 0; i < ceil_div(count, 3); ++i) {
      uint32_t sum = of[3 * i];
      if (3 * i + 1 < count) sum += of[3 * i + 1];
      if (3 * i + 2 < count) sum += of[3 * i + 2];
      of[i] = sum;
    }
  }
  return of[0];
}

// Of `rows` rows of activations, the plan's.
__device__ __forceinline__ int outputs_of(const CopiedPlace& place, int rows) {
  return place.tile_rows * kTileRows * rows;
}

// Where the i-th of a block's outputs goes, in the order of the sums; nowhere beyond the last.
struct Output {
  int number, row;  // among the sums, and of activations
  int64_t at;       // in y and acc
  float* y;         // null where nothing is to go there
  int32_t* acc;
  float weight_scale;
  bool exists;

  __device__ Output(const TernaryMatmulArgs& args, const CopyPlan& plan, const CopiedPlace& place, int rows, int i) {
    const int last = outputs_of(place, rows) - 1;
    number = min(i, last);
    const auto pair = static_cast<unsigned>(number) / 2;
    row = rows == 1 ? 0 : static_cast<int>(pair % rows);
    const unsigned of_row = rows == 1 ? pair : pair / rows;
    const PartTiles tiles(plan, place.tile_row + static_cast<int>(of_row / kHalfTileRows));
    const TernaryPart& part = args.part[tiles.part];
    const int64_t column =
        int64_t{tiles.tile_row} * kTileRows + static_cast<int>(number % 2 * kHalfTileRows + of_row % kHalfTileRows);
    at = row * part.n + column;
    weight_scale = part.weight_scale;
    exists = i <= last && column < part.n;
    y = exists && part.y ? part.y + at : nullptr;
    acc = exists && part.acc ? part.acc + at : nullptr;
  }
};

// Calls end(output) for the outputs of a block from number `first` on: those that the porter has not ended.
template <class End>
__device__ __forceinline__ void for_more_outputs(const TernaryMatmulArgs& args, const CopyPlan& plan,
                                                 const CopiedPlace& place, int rows, int first, const End& end) {
  const int count = outputs_of(place, rows);
  for (int i = first + static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
    end(Output(args, plan, place, rows, i));
  }
}

// Asks the L2 cache for what is multiplied in place of the block's rows of tiles next (TernaryPart).
__device__ __forceinline__ void read_ahead(const TernaryMatmulArgs& args, const CopyPlan& plan,
                                           const CopiedPlace& place) {
#if __CUDA_ARCH__ >= 900
  const int lane = static_cast<int>(threadIdx.x % kWarp);
  for (int r = lane; r < place.tile_rows; r += kWarp) {
    const PartTiles tiles(plan, place.tile_row + r);
    const uint8_t* const ahead = args.part[tiles.part].ahead;
    if (ahead) prefetch_in_bulk(ahead + int64_t{tiles.tile_row} * plan.row_bytes, plan.row_bytes);
  }
#endif
}

}  // namespace tern::cuda
