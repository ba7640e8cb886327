// SPDX-License-Identifier: Apache-2.0
// The ternary product of a few rows of activations with the weights straight in registers: for decoding, where a product
// lasts two microseconds and instructions count. A block has kTileRows rows of tiles, and each of its warps has the same
// kColumns columns of tiles in all of them: warp w of W those with the numbers w, w + W, w + 2·W, …. So a warp asks for
// all of its weights at once, before anything else is known, and needs of the activations only those of its own columns.
// Sums of the warps meet in shared memory, exactly.
//
// A lane's codes for a tile are 32 bytes that it reads at once: word (s, h) of the lanes 4g + t, for the step s and the
// half h of its 32 columns, lies at 8·t + 2·s + h of the tile's 32 words.
#pragma once

#include <algorithm>
#include <type_traits>

#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/int8_mma.cuh"
#include "devices/cuda/ternary_layout.cuh"
#include "devices/cuda/ternary_parts.cuh"

namespace tern::cuda {

constexpr int kMostDirectRows = 8;  // of activations: the tensor cores multiply so many at the price of one

template <int kTileRows_, int kColumns_, int kRows_>
struct DirectShape {
  static constexpr int kTileRows = kTileRows_;  // rows of tiles of a block
  static constexpr int kColumns = kColumns_;    // columns of tiles of a warp, at most
  static constexpr int kRows = kRows_;          // of activations, at most
  static constexpr int kOutputs = 16 * kTileRows;
};

// Rows of tiles of a part of the product, one after the other.
struct DirectPlace {
  const TernaryPart& part;
  int64_t tile_row;  // the first
  int tile_rows;

  template <class Shape>
  __device__ static DirectPlace of(const TernaryMatmulArgs& args) {
    const PartBlock block = part_block<Shape::kOutputs>(args, blockIdx.x);
    const int64_t first = block.column / kTileRows, left = row_tiles(block.part.n) - first;
    return {block.part, first, static_cast<int>(min(left, int64_t{Shape::kTileRows}))};
  }
};

// A warp's weights and sums.
template <class Shape>
class DirectWarp {
 public:
  __device__ DirectWarp(const DirectPlace& place, int tile_columns)
      : tile_rows_(place.tile_rows), tile_columns_(tile_columns), row_bytes_(static_cast<uint32_t>(tile_columns) * kTileBytes) {
    const int64_t at = place.tile_row * row_bytes_ + warp() * kTileBytes;
    ask(place.part.packed + at + lane() * 16);
  }

  __device__ static int warp() { return static_cast<int>(threadIdx.x) / kWarp; }
  __device__ static int lane() { return static_cast<int>(threadIdx.x) % kWarp; }
  __device__ static int warps() { return static_cast<int>(blockDim.x) / kWarp; }
  // Whether the warp has the column c of its own.
  __device__ bool has(int c) const { return warp() + c * warps() < tile_columns_; }

  // Adds the products with `codes` [rows, pitch] words, those of the column c begin at 32·c; the warp has written them.
  __device__ void multiply(const uint32_t* codes, int rows, int pitch) {
    const int row = min(lane() / 4, rows - 1);  // what is multiplied in place of rows beyond the last is not wanted
    const uint4* const from = reinterpret_cast<const uint4*>(codes + row * pitch) + lane() % 4 * 2;
#pragma unroll
    for (int c = 0; c < Shape::kColumns; ++c) {
      if (!has(c)) break;
      const uint4 first = from[8 * c], second = from[8 * c + 1];
      const uint32_t q[4][2] = {{first.x, first.y}, {first.z, first.w}, {second.x, second.y}, {second.z, second.w}};
#pragma unroll
      for (int r = 0; r < Shape::kTileRows; ++r) add_tile(sums_[r], weights_[r][c], q);
    }
  }

  // Leaves the sums in shared [warps, kOutputs, rows].
  __device__ void put_sums(int32_t* shared, int rows) const {
    int32_t* const to = shared + warp() * (Shape::kOutputs * rows);
#pragma unroll
    for (int r = 0; r < Shape::kTileRows; ++r) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int row = lane() % 4 * 2 + i % 2, output = 16 * r + lane() / 4 + i / 2 * 8;
        const int sum = sum_of_places(sums_[r][0][i], sums_[r][1][i], i);
        if (row < rows) to[output * rows + row] = sum;
      }
    }
  }

 private:
  using Sums = uint32_t[2][4];  // of the places of mask_digits

  __device__ void ask(const uint8_t* from) {
#pragma unroll
    for (int r = 0; r < Shape::kTileRows; ++r) {
#pragma unroll
      for (int c = 0; c < Shape::kColumns; ++c) {
        const uint32_t at = static_cast<uint32_t>(r) * row_bytes_ + static_cast<uint32_t>(c * warps()) * kTileBytes;
        weights_[r][c] = r < tile_rows_ && has(c) ? load_words(from + at) : Words{};
      }
    }
  }

  __device__ static void add_tile(Sums& sums, const Words& weights, const uint32_t (&q)[4][2]) {
#pragma unroll
    for (int pair = 0; pair < 2; ++pair) {
#pragma unroll
      for (int place = 0; place < 2; ++place) {
        uint32_t u[4];
        mask_digits(weights, pair, place, u);
        add_byte_products(sums[place], u, q[2 * pair][place], q[2 * pair + 1][place]);
      }
    }
  }

  const int tile_rows_, tile_columns_;
  const uint32_t row_bytes_;
  Words weights_[Shape::kTileRows][Shape::kColumns];
  Sums sums_[Shape::kTileRows] = {};
};

// Where the word of four codes from the column 4·at of a tile goes among its 32.
__device__ inline int direct_code_place(int at) { return at % 4 * 8 + at / 8 * 2 + at / 4 % 2; }

// Ends the outputs of a block from the sums of its warps.
template <class Shape, class Sum, class Scale>
__device__ void put_direct_outputs(const DirectPlace& place, const int32_t* sums, int rows, const Sum& q_sum,
                                   const Scale& q_scale) {
  const int warps = static_cast<int>(blockDim.x) / kWarp, count = Shape::kOutputs * rows;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
    int32_t sum = 0;
    for (int w = 0; w < warps; ++w) sum += sums[w * count + i];
    const int row = rows == 1 ? 0 : i % rows;
    const int64_t column = place.tile_row * kTileRows + (rows == 1 ? i : i / rows);
    if (column >= place.part.n) continue;
    put_output(place.part, row, column, static_cast<uint32_t>(sum), q_sum(row), output_factor(place.part, q_scale(row)));
  }
}

// Calls launch(tile rows) with a constant: the fewest that make at most `most_blocks` blocks, if registers have room for
// them with kColumns columns.
template <int kColumns, class Launch>
void with_direct_tile_rows(const TernaryMatmulArgs& args, int64_t most_blocks, const Launch& launch) {
  constexpr int kMost = 8 / kColumns;
  const int64_t tiles = column_blocks(args, kTileRows);
  if (tiles > 2 * most_blocks && kMost >= 4) return launch(std::integral_constant<int, std::min(4, kMost)>());
  if (tiles > most_blocks) return launch(std::integral_constant<int, std::min(2, kMost)>());
  launch(std::integral_constant<int, 1>());
}

inline size_t direct_sums_bytes(int64_t warps, int tile_rows, int64_t rows) {
  return static_cast<size_t>(warps * 16 * tile_rows * rows) * sizeof(int32_t);
}

}  // namespace tern::cuda
