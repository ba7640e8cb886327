// SPDX-License-Identifier: Apache-2.0
// The ternary product of few rows of activations. It is bound by reading the weights, from memory and once, so all that
// counts is to have enough of them under way on every multiprocessor: a block has all columns of one or two rows of
// tiles, its warps take the tiles in turn and ask for four of them before the first arrives. The tensor cores multiply
// a tile with 8 rows at the price of one; sums of the warps meet in shared memory, exactly, in any order.
#include <cuda_pipeline_primitives.h>

#include "devices/cuda/ternary.h"
#include "devices/cuda/ternary_parts.cuh"
#include "devices/cuda/ternary_products.cuh"

namespace tern::cuda {
namespace {

constexpr int kRowsOfProduct = 8;  // rows of activations in one product of the tensor cores

template <int kRowGroups_, int kWeightTiles_>
struct GemvShape {
  static constexpr int kRowGroups = kRowGroups_;      // of 8 rows of activations
  static constexpr int kWeightTiles = kWeightTiles_;  // rows of tiles
  static constexpr int kRows = kRowsOfProduct * kRowGroups, kColumns = kTileRows * kWeightTiles;
  static constexpr int kBatch = 4 / kWeightTiles;  // tiles of a row whose weights a warp asks for at once
  static constexpr int kHalves = 2 * kBatch;
  // Halves of tiles whose activations a warp asks for at once, as registers allow: the wider the fewer.
  static constexpr int kAhead = kRowGroups * kWeightTiles == 1 ? 6 : 8 / (kRowGroups * kWeightTiles);
  // Of a block, such that two blocks fit a multiprocessor's 65536 registers with 72 or 96 for each thread.
  static constexpr int kMostWarps = kRowGroups == 1 ? 14 : 10;
  // Chains of dependent products; one would leave a lone product waiting for itself.
  static constexpr int kChains = kRowGroups * kWeightTiles == 1 ? 2 : 1;
  // Between rows of shared sums: a warp's lanes, at 2t·kPitch + g, fall in different banks.
  static constexpr int kPitch = kColumns + 4;
  static_assert(2 * kPitch % 32 == 8 || 2 * kPitch % 32 == 24);
  static_assert(kAhead > 0 && kAhead <= kHalves);
};

// One warp's share of a block: sums over its tiles, in registers.
template <class Shape>
class GemvWarp {
 public:
  __device__ GemvWarp(const TernaryMatmulArgs& args, const PartBlock& place, int64_t first_row)
      : columns_(static_cast<int>(min(args.q_stride, column_tiles(args.k) * kTileColumns))) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int64_t tile = place.column / kTileRows, tile_row_bytes = column_tiles(args.k) * kTileBytes;
    weights_ = place.part.packed + tile * tile_row_bytes + lane * 16;
    q_ = args.q + first_row * args.q_stride + lane % 4 * 16;
    // What is loaded again in place of rows beyond the last reaches only outputs that are not written.
    const int64_t last_tile = row_tiles(place.part.n) - 1 - tile, last_row = args.rows - 1 - first_row;
#pragma unroll
    for (int w = 0; w < Shape::kWeightTiles; ++w) {
      tiles_[w] = static_cast<uint32_t>(min(int64_t{w}, last_tile) * tile_row_bytes);
    }
#pragma unroll
    for (int r = 0; r < Shape::kRowGroups; ++r) {
      rows_[r] = static_cast<uint32_t>(min(int64_t{kRowsOfProduct * r + lane / 4}, last_row) * args.q_stride);
    }
  }

  // The tiles first, first + step, …
  __device__ void add_tiles(int first, int step) {
    const int tiles = static_cast<int>(ceil_div(columns_, kTileColumns));
    for (int tile = first; tile < tiles; tile += Shape::kBatch * step) add_batch(tile, step);
  }

  // Adds the sums to shared ones [kRows, kPitch], of which `rows` are wanted.
  __device__ void add_to(uint32_t* shared, int rows) const {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
    for (int r = 0; r < Shape::kRowGroups; ++r) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int row = kRowsOfProduct * r + lane % 4 * 2 + i % 2;
        if (row >= rows) continue;
#pragma unroll
        for (int w = 0; w < Shape::kWeightTiles; ++w) {
          uint32_t sum = 0;
#pragma unroll
          for (int chain = 0; chain < Shape::kChains; ++chain) sum += sums_[chain][w][r][i];
          atomicAdd(shared + row * Shape::kPitch + kTileRows * w + lane / 4 + i / 2 * 8, sum);
        }
      }
    }
  }

 private:
  using Weights = Words[Shape::kWeightTiles];
  using Activations = Words[Shape::kRowGroups];

  // Columns there are activations for end within a tile, or within its first half.
  __device__ bool has(int column) const { return column < columns_; }

  __device__ void load_weights(Weights& to, int tile) const {
#pragma unroll
    for (int w = 0; w < Shape::kWeightTiles; ++w) {
      const uint32_t at = static_cast<uint32_t>(tile * kTileBytes);
      to[w] = has(tile * kTileColumns) ? load_words(weights_ + tiles_[w] + at) : Words{};
    }
  }

  __device__ void load_activations(Activations& to, int column) const {
#pragma unroll
    for (int r = 0; r < Shape::kRowGroups; ++r) {
      const uint32_t at = static_cast<uint32_t>(column);
      to[r] = has(column) ? load_words(q_ + rows_[r] + at) : Words{};
    }
  }

  __device__ void add_half(const Weights& weights, int half, const Activations& q) {
    add_half_tiles(
        weights, half, q, [this](int s, int w, int r) -> auto& { return sums_[s % Shape::kChains][w][r]; });
  }

  // Up to kBatch tiles: all weights are asked for first, activations as far ahead as registers reach.
  __device__ void add_batch(int first, int step) {
    const auto column = [&](int half) { return (first + half / 2 * step) * kTileColumns + half % 2 * kHalfColumns; };
    Weights weights[Shape::kBatch];
    Activations q[Shape::kAhead];
#pragma unroll
    for (int b = 0; b < Shape::kBatch; ++b) load_weights(weights[b], first + b * step);
#pragma unroll
    for (int half = 0; half < Shape::kAhead; ++half) load_activations(q[half], column(half));
#pragma unroll
    for (int half = 0; half < Shape::kHalves; ++half) {
      if (!has(column(half))) break;
      add_half(weights[half / 2], half % 2, q[half % Shape::kAhead]);
      if (half + Shape::kAhead < Shape::kHalves)
        load_activations(q[half % Shape::kAhead], column(half + Shape::kAhead));
    }
  }

  const int columns_;
  const uint8_t* weights_;
  const int8_t* q_;
  uint32_t tiles_[Shape::kWeightTiles], rows_[Shape::kRowGroups];  // distances in bytes, of rows below 32 · 2^24
  uint32_t sums_[Shape::kChains][Shape::kWeightTiles][Shape::kRowGroups][4] = {};
};

template <class Shape>
__global__ void __launch_bounds__(Shape::kMostWarps* kWarp, 2)
    multiply_few_rows(const __grid_constant__ TernaryMatmulArgs args, unsigned across) {
  __shared__ uint32_t sums[Shape::kRows * Shape::kPitch];
  __shared__ int32_t row_sums[Shape::kRows];
  __shared__ float q_scales[Shape::kRows];
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  const PartBlock place = part_block<Shape::kColumns>(args, blockIdx.x % across);
  const int64_t first_row = int64_t{blockIdx.x / across} * Shape::kRows;
  const int rows = static_cast<int>(min(args.rows - first_row, int64_t{Shape::kRows}));

  // What ends the outputs arrives meanwhile.
  if (thread < rows) {
    __pipeline_memcpy_async(row_sums + thread, args.sums + first_row + thread, sizeof *row_sums);
    __pipeline_memcpy_async(q_scales + thread, args.q_scale + first_row + thread, sizeof *q_scales);
  }
  __pipeline_commit();
  for (int i = thread; i < Shape::kRows * Shape::kPitch; i += threads) sums[i] = 0;
  GemvWarp<Shape> warp(args, place, first_row);
  warp.add_tiles(thread / kWarp, threads / kWarp);
  __pipeline_wait_prior(0);
  __syncthreads();
  warp.add_to(sums, rows);
  __syncthreads();

  for (int i = thread; i < rows * Shape::kColumns; i += threads) {
    const int row = i / Shape::kColumns, column = i % Shape::kColumns;
    if (place.column + column >= place.part.n) continue;
    const uint32_t sum = sums[row * Shape::kPitch + column];
    const float factor = output_factor(place.part, q_scales[row]);
    put_output(place.part, first_row + row, place.column + column, sum, row_sums[row], factor);
  }
}

// As many warps as have even shares of a row's tiles.
unsigned warps_for(int64_t tiles, int64_t most) {
  const int64_t each = ceil_div(tiles, most);
  return each == 0 ? 1 : static_cast<unsigned>(ceil_div(tiles, each));
}

template <class Shape>
void launch(const Exec& exec, const TernaryMatmulArgs& args) {
  const int64_t across = column_blocks(args, Shape::kColumns), blocks = across * ceil_div(args.rows, Shape::kRows);
  const unsigned threads = kWarp * warps_for(column_tiles(args.k), Shape::kMostWarps);
  multiply_few_rows<Shape>
      <<<static_cast<unsigned>(blocks), threads, 0, stream_of(exec)>>>(args, static_cast<unsigned>(across));
  launched(exec, "ternary_gemv");
}

// Two rows of tiles share the loads of activations, where this leaves blocks for all multiprocessors.
template <int kRowGroups>
void launch(const Exec& exec, const TernaryMatmulArgs& args) {
  using Wide = GemvShape<kRowGroups, 2>;
  const int64_t wide_blocks = column_blocks(args, Wide::kColumns) * ceil_div(args.rows, Wide::kRows);
  wide_blocks >= multiprocessors(exec) ? launch<Wide>(exec, args) : launch<GemvShape<kRowGroups, 1>>(exec, args);
}

}  // namespace

void ternary_gemv(const Exec& exec, const TernaryMatmulArgs& args) noexcept {
  static_assert(kMostGemvRows == 4 * kRowsOfProduct);
  if (args.rows <= kRowsOfProduct) return launch<1>(exec, args);
  if (args.rows <= 2 * kRowsOfProduct) return launch<2>(exec, args);
  launch<4>(exec, args);
}

}  // namespace tern::cuda
