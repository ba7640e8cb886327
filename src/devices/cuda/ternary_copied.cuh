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

#include "devices/cuda/divisor.cuh"
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
// those of both in the same places.
struct CopyPlan {
  int64_t tiles;  // rows of tiles, of one matrix where gate and up meet
  int64_t part_tiles[kMostTernaryParts];
  Divisor blocks;
  int block_tiles;   // rows of tiles of a block, at most, of each of its matrices
  int matrices;      // of a block: 2 where gate and up meet, else 1
  int tile_columns;  // columns of tiles
  int warps;         // of a block, without the porter
  int warp_columns;  // columns of tiles of a warp, at most
  int rows;          // of activations
  int sum_slots;     // of the warps' sums of an output

  __host__ __device__ int row_bytes() const { return tile_columns * kTileBytes; }
  __host__ __device__ int weight_bytes() const { return matrices * block_tiles * row_bytes(); }
  // Between rows of a warp's activations, in bytes: rows that are read at once have banks of their own.
  __host__ __device__ int code_pitch() const { return warp_columns * kTileColumns + 16; }
  __host__ __device__ int code_bytes() const { return rows * code_pitch(); }  // of a warp
  int64_t sum_bytes() const {
    return int64_t{matrices} * block_tiles * kTileRows * rows * sum_slots * static_cast<int>(sizeof(int));
  }
  int64_t memory() const { return weight_bytes() + warps * code_bytes() + sum_bytes(); }
  unsigned threads() const { return static_cast<unsigned>(warps + 1) * kWarp; }
};

// Ints that lie between an output's sums and the next one's, for kernels of at most `warps` warps that multiply: quads
// of eight neighbours are in different banks.
constexpr int sum_slots(int warps) { return 4 * (ceil_div(warps, 4) | 1); }

// At most `blocks` blocks, unless one would have more than `most_bytes` of weights.
inline CopyPlan copy_plan(const TernaryMatmulArgs& args, int64_t blocks, int64_t most_bytes, int matrices, int warps,
                          int most_warps, int warp_columns) {
  const int64_t tiles = column_blocks(args, kTileRows) / matrices, tile_columns = column_tiles(args.k);
  const int64_t room =
      std::clamp<int64_t>(most_bytes / (matrices * tile_columns * kTileBytes), 1, kMostBlockTiles / matrices);
  const int64_t wanted = std::min(std::max(blocks, ceil_div(tiles, room)), tiles);
  CopyPlan plan = {tiles,
                   {},
                   Divisor(wanted),
                   static_cast<int>(ceil_div(tiles, wanted)),
                   matrices,
                   static_cast<int>(tile_columns),
                   warps,
                   warp_columns,
                   static_cast<int>(args.rows),
                   sum_slots(most_warps)};
  for (int part = 0; part < args.parts; ++part) plan.part_tiles[part] = row_tiles(args.part[part].n);
  return plan;
}

// kernel(args, plan) by `blocks` blocks, the plan's at least, of `least_bytes` of shared memory at least.
template <class Args>
void launch_copied(const Exec& exec, const char* name, void (*kernel)(Args, CopyPlan), const Args& args,
                   const CopyPlan& plan, int64_t least_bytes, int64_t blocks) {
  const auto bytes = static_cast<size_t>(std::max(plan.memory(), least_bytes));
  allow_shared(exec, name, kernel, bytes);
  launch_early(exec, name, kernel, static_cast<unsigned>(blocks), plan.threads(), bytes, args, plan);
}

// ---------------------------------------------------------------- a block's place and memory

// Its rows of tiles.
struct CopiedPlace {
  int64_t tile_row;  // the first
  int tile_rows;

  __device__ explicit CopiedPlace(const CopyPlan& plan)
      : tile_row(plan.blocks.quotient(plan.tiles * blockIdx.x)),
        tile_rows(static_cast<int>(plan.blocks.quotient(plan.tiles * (blockIdx.x + 1)) - tile_row)) {}
};

// Where a row of tiles is among the parts.
struct PartTiles {
  int part = 0;
  int64_t tile_row;  // of the part's

  __device__ PartTiles(const CopyPlan& plan, int64_t of_all) : tile_row(of_all) {
    for (; tile_row >= plan.part_tiles[part]; ++part) tile_row -= plan.part_tiles[part];
  }
};

struct CopiedMemory {
  uint8_t* weights;  // [matrices, tile_rows] rows of tiles
  uint8_t* codes;    // of the warp: [rows, code_pitch]
  int* sums;  // [matrices, tile_rows, kHalfTileRows, rows, 2, sum_slots]: of outputs g and g + 8 one after the other

  __device__ CopiedMemory(const CopyPlan& plan, uint4* memory)
      : weights(reinterpret_cast<uint8_t*>(memory)),
        codes(weights + plan.weight_bytes() + static_cast<int>(threadIdx.x / kWarp) * plan.code_bytes()),
        sums(reinterpret_cast<int*>(weights + plan.weight_bytes() + plan.warps * plan.code_bytes())) {}
};

__device__ __forceinline__ bool is_porter(const CopyPlan& plan) {
  return static_cast<int>(threadIdx.x / kWarp) == plan.warps;
}

// The weights of a block, a barrier for each row of tiles.
class CopiedWeights {
 public:
  // At most `at_once` rows of tiles are on their way at one time.
  __device__ CopiedWeights(const CopyPlan& plan, const CopiedPlace& place, uint8_t* memory, Barrier* arrived,
                           int at_once)
      : plan_(plan), place_(place), memory_(memory), arrived_(arrived), at_once_(at_once) {}

  __device__ int tile_rows() const { return plan_.matrices * place_.tile_rows; }

  // By the porter, with barriers of the block before others wait and before more() of the rows that this leaves.
  __device__ void begin(const TernaryMatmulArgs& args) const {
#if __CUDA_ARCH__ >= 900
    if (threadIdx.x % kWarp > 0) return;
    for (int r = 0; r < tile_rows(); ++r) arrived_[r].init(1);
    publish_barriers();
    for (int r = 0; r < min(tile_rows(), at_once_); ++r) copy(args, r);
#else
    for (int r = 0; r < tile_rows(); ++r) {
      for (int at = static_cast<int>(threadIdx.x % kWarp) * 16; at < plan_.row_bytes(); at += kWarp * 16) {
        __pipeline_memcpy_async(memory_ + r * plan_.row_bytes() + at, source(args, r) + at, 16);
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
      copy(args, r);
    }
#endif
  }

  __device__ void wait(int r) const {
#if __CUDA_ARCH__ >= 900
    arrived_[r].wait(0);
#endif
  }

 private:
  __device__ const uint8_t* source(const TernaryMatmulArgs& args, int r) const {
    const int matrix = r >= place_.tile_rows;
    const PartTiles tiles(plan_, matrix * (plan_.tiles - place_.tile_rows) + place_.tile_row + r);
    return args.part[tiles.part].packed + tiles.tile_row * plan_.row_bytes();
  }
#if __CUDA_ARCH__ >= 900
  __device__ void copy(const TernaryMatmulArgs& args, int r) const {
    arrived_[r].arrive_expecting(plan_.row_bytes());
    copy_in_bulk(memory_ + r * plan_.row_bytes(), source(args, r), plan_.row_bytes(), arrived_[r]);
  }
#endif

  const CopyPlan& plan_;
  const CopiedPlace& place_;
  uint8_t* const memory_;
  Barrier* const arrived_;
  const int at_once_;
};

// ---------------------------------------------------------------- products

using TileCodes = uint32_t[4];     // operands of a tile's words
using DigitSums = uint32_t[2][4];  // of the products of one and two digits, of three and four

// Where a lane reads the operands of a warp's codes. What is multiplied in place of rows beyond the last is not wanted.
__device__ __forceinline__ const uint8_t* operands_of(const CopyPlan& plan, int rows, const uint8_t* codes) {
  const int lane = static_cast<int>(threadIdx.x % kWarp), row = min(lane % 8 / 2, rows - 1);
  return codes + row * plan.code_pitch() + lane / 8 * 32 + lane % 2 * 16;
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
      : sums_(sums), of_tile_(2 * kHalfTileRows * rows * plan.sum_slots), second_(plan.sum_slots) {
    const int warp = static_cast<int>(threadIdx.x / kWarp), lane = static_cast<int>(threadIdx.x % kWarp);
    const int row = lane % kProductRows;
    first_ = row < rows ? 2 * (lane / kProductRows * rows + row) * plan.sum_slots + warp : kNone;
    have_ready(first_);
    have_ready(of_tile_);
    have_ready(second_);
  }

  // Of the block's row of tiles number r.
  __device__ __forceinline__ void put(int r, int2 outputs) const {
    if (first_ == kNone) return;
    int* const to = sums_ + (first_ + r * of_tile_);
    to[0] = outputs.x;
    to[second_] = outputs.y;
  }

 private:
  static constexpr int kNone = -1;

  int* sums_;
  int first_, of_tile_, second_;
};

// By one warp, before sums are put: 0 for warps that there are not.
template <int kMostWarps>
__device__ __forceinline__ void clear_sums(const CopyPlan& plan, int* sums, int outputs) {
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
  int4 of[kQuads];
#pragma unroll
  for (int q = 0; q < kQuads; ++q) of[q] = reinterpret_cast<const int4*>(of_warps)[q];
  uint32_t sum = 0;
#pragma unroll
  for (const int4& quad : of) sum += static_cast<uint32_t>(quad.x + quad.y + (quad.z + quad.w));
  return sum;
}

__device__ __forceinline__ int outputs_of(const CopyPlan& plan, const CopiedPlace& place) {
  return place.tile_rows * kTileRows * plan.rows;
}

// Where the i-th of a block's outputs goes, in the order of the sums; nowhere beyond the last.
struct Output {
  int number, row;  // among the sums, and of activations
  int64_t at;       // in y and acc
  float* y;         // null where nothing is to go there
  int32_t* acc;
  float weight_scale;
  bool exists;

  __device__ Output(const TernaryMatmulArgs& args, const CopyPlan& plan, const CopiedPlace& place, int i) {
    const int last = outputs_of(plan, place) - 1;
    number = min(i, last);
    const int pair = number / 2;
    row = plan.rows == 1 ? 0 : pair % plan.rows;
    const int of_row = plan.rows == 1 ? pair : pair / plan.rows;
    const PartTiles tiles(plan, place.tile_row + of_row / kHalfTileRows);
    const TernaryPart& part = args.part[tiles.part];
    const int64_t column = tiles.tile_row * kTileRows + number % 2 * kHalfTileRows + of_row % kHalfTileRows;
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
                                                 const CopiedPlace& place, int first, const End& end) {
  const int count = outputs_of(plan, place);
  for (int i = first + static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
    end(Output(args, plan, place, i));
  }
}

// Asks the L2 cache for what is multiplied in place of the block's rows of tiles next (TernaryPart).
__device__ __forceinline__ void read_ahead(const TernaryMatmulArgs& args, const CopyPlan& plan,
                                           const CopiedPlace& place) {
#if __CUDA_ARCH__ >= 900
  const int lane = static_cast<int>(threadIdx.x % kWarp);
  for (int r = lane; r < plan.matrices * place.tile_rows; r += kWarp) {
    const int matrix = r >= place.tile_rows;
    const PartTiles tiles(plan, matrix * (plan.tiles - place.tile_rows) + place.tile_row + r);
    const uint8_t* const ahead = args.part[tiles.part].ahead;
    if (ahead) prefetch_in_bulk(ahead + tiles.tile_row * plan.row_bytes(), plan.row_bytes());
  }
#endif
}

}  // namespace tern::cuda
