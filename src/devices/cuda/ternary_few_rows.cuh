// SPDX-License-Identifier: Apache-2.0
// The ternary product of few rows of activations, by a block whose activations are in shared memory. It is bound by
// reading the weights once, and where these are soon read by the time from the last input to the first output. So a
// block, of which each multiprocessor has one at work, asks for its weights before its activations are there, tens of
// KB of them, into a ring in shared memory. The tiles of its outputs are shared evenly among its warps, which end sums
// of their own in shared memory, exactly, in any order. A lane multiplies what it has asked for itself: nobody waits
// for the weights of another.
#pragma once

#include <cuda_pipeline_primitives.h>

#include <algorithm>

#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/int8_mma.cuh"
#include "devices/cuda/ternary_layout.cuh"
#include "devices/cuda/ternary_parts.cuh"

namespace tern::cuda {

constexpr int kFewRowsWarps = 16, kFewRowsThreads = kFewRowsWarps * kWarp;
constexpr int kRowsOfProduct = 8;  // rows of activations in one product of the tensor cores
// Between rows of shared sums: lanes, at 2t·pitch + g, have banks of their own.
constexpr int kSumsPitch = kTileRows + 4;
static_assert(2 * kSumsPitch % 32 == 8 || 2 * kSumsPitch % 32 == 24);

template <int kRowGroups_>
struct FewRowsShape {
  static constexpr int kRowGroups = kRowGroups_;  // of 8 rows of activations
  static constexpr int kRows = kRowsOfProduct * kRowGroups;
  static constexpr int kBatch = kRowGroups == 1 ? 2 : 1;  // tiles that a warp multiplies at once
  static_assert(kBatch <= 2);                             // columns are looked at one tile ahead
  static constexpr int kRingTiles = 10, kStages = kRingTiles / kBatch;
  static constexpr int kChains = kRowGroups == 1 ? 2 : 1;  // of dependent products, for each place of digits in a byte
  // So that the blocks of the next kernel find room for their threads.
  static constexpr int kBlocksEach = kRowGroups <= 2 ? 2 : 1;
};

// ---------------------------------------------------------------- the split

struct FewRowsPlan {
  int block_tiles;       // rows of tiles of a block, at most
  unsigned across;       // blocks that have all columns of the outputs
  int rows;              // of activations of a block, at most
  int tile_columns;      // columns of tiles
  int panel_tiles;       // those whose activations are in shared memory at one time
  int ring_tiles;        // of each warp

  __host__ __device__ int64_t ring_bytes() const { return int64_t{kFewRowsWarps} * ring_tiles * kTileBytes; }
  // Between rows of activations, so that the rows that a load takes at once have banks of their own.
  __host__ __device__ int pitch() const { return panel_tiles * kTileColumns + 16; }
  __host__ __device__ int64_t codes_bytes() const { return int64_t{rows} * pitch(); }
  __host__ __device__ int64_t sums_bytes() const { return int64_t{block_tiles} * rows * kSumsPitch * 4; }
  __host__ __device__ int64_t memory() const { return ring_bytes() + codes_bytes() + sums_bytes(); }
};

// Blocks with even shares of the rows of tiles, in one round of the device if their sums find room. There are outputs.
template <class Shape>
FewRowsPlan few_rows_plan(const Exec& exec, const TernaryMatmulArgs& args) {
  // Sums of products with digits that stand as high as 64 are exact below 2^17 columns (FewRowsWarp).
  constexpr int kMostPanelTiles = 1 << 10;
  const int64_t memory = few_rows_memory(exec), device = multiprocessors(exec);
  FewRowsPlan plan = {};
  plan.rows = static_cast<int>(std::min<int64_t>(args.rows, Shape::kRows));
  plan.tile_columns = static_cast<int>(column_tiles(args.k));
  // Sums find room, and places of tiles in 32 bits.
  const int64_t most_tiles = std::min(memory / 10 / (int64_t{plan.rows} * kSumsPitch * 4),
                                      (int64_t{1} << 32) / kTileBytes / std::max(plan.tile_columns, 1));
  const int64_t tile_rows = column_blocks(args, kTileRows), rounds = ceil_div(tile_rows, device * most_tiles);
  plan.block_tiles = static_cast<int>(ceil_div(tile_rows, device * rounds));
  plan.across = static_cast<unsigned>(column_blocks(args, int64_t{plan.block_tiles} * kTileRows));

  const auto fit = [&] {
    const int64_t room = (memory - plan.memory()) / plan.rows / kTileColumns;
    return static_cast<int>(std::clamp<int64_t>(room, 0, std::min(plan.tile_columns, kMostPanelTiles)));
  };
  const int batches =
      static_cast<int>(ceil_div(ceil_div(int64_t{plan.block_tiles} * plan.tile_columns, kFewRowsWarps), Shape::kBatch));
  plan.ring_tiles = Shape::kBatch * std::min(batches, Shape::kStages);
  if (fit() < plan.tile_columns) plan.ring_tiles = Shape::kRingTiles;
  plan.panel_tiles = fit();
  return plan;
}

// ---------------------------------------------------------------- a block's work

struct FewRowsMemory {
  uint4* ring;
  int8_t* codes;   // [rows, pitch]
  uint32_t* sums;  // [block_tiles, rows, kSumsPitch]

  __device__ FewRowsMemory(const FewRowsPlan& plan, uint4* memory)
      : ring(memory),
        codes(reinterpret_cast<int8_t*>(memory) + plan.ring_bytes()),
        sums(reinterpret_cast<uint32_t*>(codes + plan.codes_bytes())) {}
};

// The outputs of a block, and where its tiles are.
struct FewRowsBlock {
  const PartBlock place;
  const int tile_rows;
  const uint8_t* const packed;

  __device__ FewRowsBlock(const TernaryMatmulArgs& args, const FewRowsPlan& plan)
      : place(part_block(args, blockIdx.x % plan.across, plan.block_tiles * kTileRows)),
        tile_rows(static_cast<int>(min(int64_t{plan.block_tiles}, row_tiles(place.part.n) - place.column / kTileRows))),
        packed(place.part.packed + place.column / kTileRows * plan.tile_columns * kTileBytes) {}
};

// One warp of a block. Of each panel it has an even share of the tiles, along the rows of tiles, and takes them in
// batches.
template <class Shape>
class FewRowsWarp {
 public:
  __device__ FewRowsWarp(const FewRowsBlock& block, const FewRowsPlan& plan, uint4* ring)
      : plan_(plan),
        tile_rows_(block.tile_rows),
        packed_(block.packed + lane() * 16),
        ring_(ring + threadIdx.x / kWarp * (plan.ring_tiles * kWarp) + lane()) {}

  // Begins a panel at the column `first` of tiles: asks for as many tiles as the ring has room for. Weights are
  // constants.
  __device__ void ask_panel(int first) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    width_ = min(plan_.panel_tiles, plan_.tile_columns - first);
    const int tiles = tile_rows_ * width_, begin = tiles * warp / kFewRowsWarps;
    to_take_ = to_ask_ = tiles * (warp + 1) / kFewRowsWarps - begin;
    row_ = begin / width_;
    column_ = ask_column_ = begin - row_ * width_;
    ask_at_ = static_cast<uint32_t>(row_ * plan_.tile_columns + first + column_) * kTileBytes;
    int stage = 0;
#pragma unroll 1
    do {
      ask(stage);
    } while (++stage < Shape::kStages);
  }

  // Adds the products of the panel with `rows` rows of codes to `sums`.
  __device__ void add_panel(const int8_t* codes, int rows, uint32_t* sums) {
    const int8_t* rows_of_codes[Shape::kRowGroups];
#pragma unroll
    for (int r = 0; r < Shape::kRowGroups; ++r) {
      // What is multiplied again in place of rows beyond the last reaches only sums that are not wanted.
      const int row = min(kRowsOfProduct * r + lane() % 8, rows - 1);
      rows_of_codes[r] = codes + row * plan_.pitch() + lane() / 8 * 16;
    }
    uint32_t* to = sums + row_ * rows * kSumsPitch + lane() % 4 * 2 * kSumsPitch + lane() / 4;
    const int stages = plan_.ring_tiles / Shape::kBatch;
    for (int stage = 0; to_take_ > 0; stage = stage + 1 == stages ? 0 : stage + 1) {
      add_batch(stage, rows_of_codes, rows, to);
      ask(stage);
    }
  }

 private:
  using Codes = uint32_t[Shape::kRowGroups][2][4];  // of the halves of a tile

  __device__ static int lane() { return static_cast<int>(threadIdx.x) % kWarp; }
  __device__ uint4* ring_at(int stage, int b) const { return ring_ + (stage * Shape::kBatch + b) * kWarp; }

  // Asks for the next batch; each call is one group of copies, also without any left.
  __device__ void ask(int stage) {
#pragma unroll
    for (int b = 0; b < Shape::kBatch; ++b) {
      if (to_ask_ == 0) break;
      --to_ask_;
      __pipeline_memcpy_async(ring_at(stage, b), packed_ + ask_at_, 16);
      ask_at_ += kTileBytes;
      if (++ask_column_ == width_) {
        ask_column_ = 0;
        ask_at_ += static_cast<uint32_t>(plan_.tile_columns - width_) * kTileBytes;
      }
    }
    __pipeline_commit();
  }

  __device__ void add_batch(int stage, const int8_t* const (&rows_of_codes)[Shape::kRowGroups], int rows,
                            uint32_t*& to) {
    __pipeline_wait_prior(Shape::kStages - 1);
    Words weights[Shape::kBatch];
    Codes codes[Shape::kBatch];
#pragma unroll
    for (int b = 0; b < Shape::kBatch; ++b) {
      if (b == to_take_) break;
      const uint4 words = *ring_at(stage, b);
      weights[b] = {{words.x, words.y, words.z, words.w}};
      const int column = column_ + b == width_ ? 0 : column_ + b;
#pragma unroll
      for (int r = 0; r < Shape::kRowGroups; ++r) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          load_operands(codes[b][r][half], rows_of_codes[r] + column * kTileColumns + half * kHalfColumns);
        }
      }
    }
#pragma unroll
    for (int b = 0; b < Shape::kBatch; ++b) {
      if (to_take_ == 0) break;
      --to_take_;
      add_tile(weights[b], codes[b]);
      const bool row_ends = ++column_ == width_;
      if (row_ends || to_take_ == 0) put_sums(to, rows);
      if (row_ends) {
        column_ = 0;
        to += rows * kSumsPitch;
      }
    }
  }

  __device__ void add_tile(const Words& weights, const Codes& codes) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
#pragma unroll
      for (int place = 0; place < 2; ++place) {
        uint32_t u[4];
        mask_digits(weights, half, place, u);
#pragma unroll
        for (int r = 0; r < Shape::kRowGroups; ++r) {
          const auto& q = codes[r][half];
          add_byte_products(sums_[half % Shape::kChains][place][r], u, q[place], q[2 + place]);
        }
      }
    }
  }

  // Adds the sums of a row of tiles to the shared ones and starts anew.
  __device__ void put_sums(uint32_t* to, int rows) {
#pragma unroll
    for (int r = 0; r < Shape::kRowGroups; ++r) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        uint32_t at[2] = {};
#pragma unroll
        for (int chain = 0; chain < Shape::kChains; ++chain) {
#pragma unroll
          for (int place = 0; place < 2; ++place) {
            at[place] += sums_[chain][place][r][i];
            sums_[chain][place][r][i] = 0;
          }
        }
        const int row = kRowsOfProduct * r + i % 2, sum = sum_of_places(at[0], at[1], i);
        if (row + lane() % 4 * 2 < rows) atomicAdd(to + row * kSumsPitch + i / 2 * 8, static_cast<uint32_t>(sum));
      }
    }
  }

  const FewRowsPlan& plan_;
  const int tile_rows_;
  const uint8_t* const packed_;
  uint4* const ring_;
  int width_;                   // of the panel, in tiles
  int to_ask_, ask_column_;     // tiles of the panel that are to be asked for, and the column of the next
  uint32_t ask_at_;             // where it is
  int to_take_, row_, column_;  // tiles that are to be multiplied, the row of the first, the column of the next
  uint32_t sums_[Shape::kChains][2][Shape::kRowGroups][4] = {};
};

// Ends the outputs of a block: `rows` rows from `first_row` on, with q_sum(row) and q_scale(row) of the block's row.
template <class Sum, class Scale>
__device__ void put_outputs(const FewRowsBlock& block, int64_t first_row, int rows, const uint32_t* sums,
                            const Sum& q_sum, const Scale& q_scale) {
  const auto of_tile = static_cast<int64_t>(threadIdx.x % kTileRows);
  const unsigned count = block.tile_rows * rows, step = kFewRowsThreads / kTileRows;
#pragma unroll 1
  for (unsigned i = threadIdx.x / kTileRows; i < count; i += step) {
    const int64_t column = block.place.column + i / rows * kTileRows + of_tile;
    const int row = static_cast<int>(i % rows);
    if (column >= block.place.part.n) continue;
    put_output(block.place.part, first_row + row, column, sums[i * kSumsPitch + of_tile], q_sum(row),
               output_factor(block.place.part, q_scale(row)));
  }
}

__device__ inline void clear_sums(const FewRowsPlan& plan, uint32_t* sums) {
  const int count = plan.block_tiles * plan.rows * kSumsPitch;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kFewRowsThreads) sums[i] = 0;
}

// kernel(args..., plan) by the blocks of the plan, `passes` times as many as its columns want.
template <class... Parameters, class... Args>
void launch_few_rows(const Exec& exec, const char* name, void (*kernel)(Parameters...), const FewRowsPlan& plan,
                     int64_t passes, const Args&... args) {
  const auto bytes = static_cast<int>(plan.memory());
  keep_error(exec, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes), name);
  launch_early(exec, name, kernel, static_cast<unsigned>(plan.across * passes), kFewRowsThreads,
               static_cast<size_t>(bytes), args..., plan);
}

}  // namespace tern::cuda
