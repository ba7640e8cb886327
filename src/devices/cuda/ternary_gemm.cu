// SPDX-License-Identifier: Apache-2.0
// The ternary product of many rows of activations. A block has some hundred output columns by as many rows; it walks
// along k a tile of weights, 128 columns, at a time. Activations and packed weights of the next tiles come into shared
// memory while the tensor cores are at one. Weights become bytes in the registers of the warps that use them, a shift
// and a mask for each operand register: against the products of 32 rows of activations or more this is little.
#include <cuda_pipeline_primitives.h>

#include "devices/cuda/int8_mma.cuh"
#include "devices/cuda/ternary.h"
#include "devices/cuda/ternary_layout.cuh"
#include "devices/cuda/ternary_parts.cuh"

namespace tern::cuda {
namespace {

constexpr int kPieces = kTileColumns / 16;  // of 16 bytes in a row of activations

template <int kColumnWarps_, int kRowWarps_, int kWeightTiles_, int kRowGroups_, int kStages_, int kBlocksEach_>
struct GemmShape {
  static constexpr int kColumnWarps = kColumnWarps_, kRowWarps = kRowWarps_;
  static constexpr int kWeightTiles = kWeightTiles_, kRowGroups = kRowGroups_;  // of a warp: 16 columns, 8 rows each
  static constexpr int kStages = kStages_;                                      // tiles along k in shared memory
  static constexpr int kBlocksEach = kBlocksEach_;  // blocks that a multiprocessor has room for
  static constexpr int kWarps = kColumnWarps * kRowWarps, kThreads = kWarp * kWarps;
  static constexpr int kTiles = kColumnWarps * kWeightTiles, kColumns = kTileRows * kTiles;
  static constexpr int kRows = 8 * kRowGroups * kRowWarps;
};
using WideShape = GemmShape<2, 4, 4, 4, 2, 2>;    // 128 columns by 128 rows
using NarrowShape = GemmShape<2, 2, 2, 4, 3, 4>;  // 64 by 64

// One step along k. Piece c of row r of activations lies at c ^ r % 8: the same piece of 8 rows, which the tensor
// cores' operands are loaded by, falls in different banks.
template <class Shape>
struct Stage {
  uint4 q[Shape::kRows][kPieces];
  uint4 weights[Shape::kTiles][kWarp];
};

__device__ unsigned piece_place(unsigned row, unsigned piece) { return piece ^ row % kPieces; }

// What a thread brings of its block's operands: pieces of some tiles, and one piece of some rows of activations. What
// it brings again in place of tiles and rows beyond the last reaches only outputs that are not written.
template <class Shape>
class Operands {
 public:
  __device__ Operands(const TernaryMatmulArgs& args, const PartBlock& place, int64_t first_row)
      : packed_(place.part.packed + place.column / kTileRows * column_tiles(args.k) * kTileBytes +
                threadIdx.x % kWarp * 16),
        q_(args.q + first_row * args.q_stride + piece() * 16) {
    const int64_t last_tile = row_tiles(place.part.n) - 1 - place.column / kTileRows,
                  last_row = args.rows - 1 - first_row;
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      const int64_t at = min(int64_t{tile() + i * kWarps}, last_tile);
      tiles_[i] = static_cast<uint32_t>(at * column_tiles(args.k) * kTileBytes);
    }
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      rows_[i] = static_cast<uint32_t>(min(int64_t{row() + i * kRowsAtOnce}, last_row) * args.q_stride);
    }
  }

  // Starts to bring those of a step.
  __device__ void fetch(Stage<Shape>& stage, int step, int64_t q_stride) const {
    const auto* const packed = packed_ + int64_t{step} * kTileBytes;
    const int column = step * kTileColumns;
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      __pipeline_memcpy_async(&stage.weights[tile() + i * kWarps][threadIdx.x % kWarp], packed + tiles_[i], 16);
    }
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      uint4* const to = &stage.q[row() + i * kRowsAtOnce][piece_place(row(), piece())];
      if (column + static_cast<int>(piece() * 16) < q_stride) {
        __pipeline_memcpy_async(to, q_ + column + rows_[i], 16);
      } else {
        *to = uint4{};
      }
    }
  }

 private:
  static constexpr int kWarps = Shape::kWarps, kTiles = Shape::kTiles / kWarps;
  static constexpr int kRowsAtOnce = Shape::kThreads / kPieces, kRows = Shape::kRows / kRowsAtOnce;
  static_assert(kTiles * kWarps == Shape::kTiles && kRows * kRowsAtOnce == Shape::kRows && kRowsAtOnce % kPieces == 0);

  __device__ static unsigned tile() { return threadIdx.x / kWarp; }
  __device__ static unsigned row() { return threadIdx.x / kPieces; }
  __device__ static unsigned piece() { return threadIdx.x % kPieces; }

  const uint8_t* packed_;
  const int8_t* q_;
  // Distances in bytes from the block's first; of rows below 128 · 2^24.
  uint32_t tiles_[kTiles], rows_[kRows];
};

__device__ Words shared_words(const uint4& from) {
  const uint4 words = from;
  return {{words.x, words.y, words.z, words.w}};
}

// One warp's outputs: kWeightTiles · 16 columns by kRowGroups · 8 rows of its block's.
template <class Shape>
class GemmWarp {
 public:
  __device__ GemmWarp()
      : lane_(threadIdx.x % kWarp),
        tile_(threadIdx.x / kWarp % Shape::kColumnWarps * Shape::kWeightTiles),
        row_(threadIdx.x / kWarp / Shape::kColumnWarps * Shape::kRowGroups * 8) {}

  __device__ void add(const Stage<Shape>& stage) {
    Words weights[Shape::kWeightTiles];
#pragma unroll
    for (int w = 0; w < Shape::kWeightTiles; ++w) weights[w] = shared_words(stage.weights[tile_ + w][lane_]);
    // Two groups of rows are loaded at once, with two pieces each.
    static_assert(Shape::kRowGroups % 2 == 0);
    const unsigned row = row_ + lane_ / 16 * 8 + lane_ % 8, piece = piece_place(row, lane_ / 8 % 2);
#pragma unroll
    for (int s = 0; s < 4; ++s) {
      uint32_t q[Shape::kRowGroups / 2][4];
#pragma unroll
      for (int r = 0; r < Shape::kRowGroups / 2; ++r) load_operands(q[r], &stage.q[row + 16 * r][piece ^ 2 * s]);
#pragma unroll
      for (int w = 0; w < Shape::kWeightTiles; ++w) {
        uint32_t u[4];
        unpack_digits(weights[w].at[s], u);
#pragma unroll
        for (int r = 0; r < Shape::kRowGroups; ++r) {
          add_byte_products(sums_[w][r], u, q[r / 2][r % 2 * 2], q[r / 2][r % 2 * 2 + 1]);
        }
      }
    }
  }

  __device__ void put(const TernaryMatmulArgs& args, const PartBlock& place, int64_t first_row) const {
#pragma unroll
    for (int r = 0; r < Shape::kRowGroups; ++r) {
#pragma unroll
      for (int odd = 0; odd < 2; ++odd) {
        const int64_t row = first_row + row_ + 8 * r + lane_ % 4 * 2 + odd;
        if (row >= args.rows) continue;
        const int32_t q_sum = args.sums[row];
        const float factor = output_factor(place.part, args.q_scale[row]);
#pragma unroll
        for (int w = 0; w < Shape::kWeightTiles; ++w) {
#pragma unroll
          for (int below = 0; below < 2; ++below) {
            const int64_t column = place.column + (tile_ + w) * kTileRows + lane_ / 4 + 8 * below;
            if (column < place.part.n) put_output(place.part, row, column, sums_[w][r][2 * below + odd], q_sum, factor);
          }
        }
      }
    }
  }

 private:
  const unsigned lane_, tile_, row_;
  uint32_t sums_[Shape::kWeightTiles][Shape::kRowGroups][4] = {};
};

// Blocks run through the columns first: the rows of activations that are at work at one time, and the packed weights,
// stay in the L2 cache.
template <class Shape>
__global__ void __launch_bounds__(Shape::kThreads, Shape::kBlocksEach)
    multiply_many_rows(const __grid_constant__ TernaryMatmulArgs args, unsigned across) {
  __shared__ Stage<Shape> stages[Shape::kStages];
  const PartBlock place = part_block<Shape::kColumns>(args, blockIdx.x % across);
  const int64_t first_row = int64_t{blockIdx.x / across} * Shape::kRows;
  const int steps = static_cast<int>(column_tiles(args.k));
  Operands<Shape> operands(args, place, first_row);

  constexpr int kAhead = Shape::kStages - 1;
#pragma unroll
  for (int step = 0; step < kAhead; ++step) {
    if (step < steps) operands.fetch(stages[step], step, args.q_stride);
    __pipeline_commit();
  }
  GemmWarp<Shape> warp;
  for (int step = 0; step < steps; ++step) {
    // This step's operands are there for all threads, and all are done with the stage that is filled next.
    __pipeline_wait_prior(kAhead - 1);
    __syncthreads();
    if (step + kAhead < steps) operands.fetch(stages[(step + kAhead) % Shape::kStages], step + kAhead, args.q_stride);
    __pipeline_commit();
    warp.add(stages[step % Shape::kStages]);
  }
  warp.put(args, place, first_row);
}

template <class Shape>
int64_t blocks_of(const TernaryMatmulArgs& args) {
  return column_blocks(args, Shape::kColumns) * ceil_div(args.rows, Shape::kRows);
}

template <class Shape>
void launch(const Exec& exec, const TernaryMatmulArgs& args) {
  multiply_many_rows<Shape><<<static_cast<unsigned>(blocks_of<Shape>(args)), Shape::kThreads, 0, stream_of(exec)>>>(
      args, static_cast<unsigned>(column_blocks(args, Shape::kColumns)));
  launched(exec, "ternary_gemm");
}

}  // namespace

int64_t ternary_gemm_blocks(const TernaryMatmulArgs& args) noexcept { return blocks_of<NarrowShape>(args); }

// Large blocks load less for each product, and want at least one round of them on the whole device.
void ternary_gemm(const Exec& exec, const TernaryMatmulArgs& args) noexcept {
  const bool wide = blocks_of<WideShape>(args) >= int64_t{multiprocessors(exec)} * WideShape::kBlocksEach;
  wide ? launch<WideShape>(exec, args) : launch<NarrowShape>(exec, args);
}

}  // namespace tern::cuda
