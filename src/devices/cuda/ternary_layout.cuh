// SPDX-License-Identifier: Apache-2.0
// The layout of ternary matrices on CUDA devices: tiles of 512 bytes that hold 16 rows and 128 columns, 2 bits a
// weight, ordered as the tensor cores take them (int8_mma.cuh, wgmma.cuh). A code is stored as the digit code + 1, so
// 0, 1 or 2.
//
// A warp loads a tile with one instruction: 16 bytes, four words, to the lane 4g + t. Word s has columns 32s … 32s + 31
// and is the lane's operand of one product of 16 rows by 32 columns: bits 2p and 2p + 1 of its byte i hold
//
//      row g + 8·(p & 1),  column 32s + 16·(p >> 1) + 4t + i        p, i = 0 … 3
//
// so (word >> 2p) & 0x03030303 is the operand's register p:
//
//      columns 32s +        4t …    16 + 4t …
//      row g                p = 0       p = 2
//      row g + 8            p = 1       p = 3
//
// Columns are in their natural order, and so activations are taken as they lie: of a row's, the lane's operand is the 4
// bytes 32s + 4t … and the 4 bytes 32s + 16 + 4t ….
//
// Tiles lie in ascending columns, and rows of tiles in ascending rows. Rows and columns beyond the matrix hold code 0.
//
// base3 is stored like two_bit, whose words are operands after a shift and a mask; results never depend on the layout.
#pragma once

#include <cstdint>

#include "devices/cuda/launch.h"
#include "devices/cuda/warp.cuh"

namespace tern::cuda {

constexpr int kTileRows = 16, kTileColumns = 128, kTileBytes = 512;
constexpr int kHalfColumns = 64;  // of the halves h of a tile

constexpr int64_t row_tiles(int64_t rows) { return ceil_div(rows, kTileRows); }
constexpr int64_t column_tiles(int64_t columns) { return ceil_div(columns, kTileColumns); }

// 16 bytes as words that constants index, so that they stay in registers.
struct Words {
  uint32_t at[4];
};

// From an address on 16 bytes, of memory that no kernel writes meanwhile.
__device__ __forceinline__ Words load_words(const void* from) {
  const uint4 words = __ldg(static_cast<const uint4*>(from));
  return {{words.x, words.y, words.z, words.w}};
}

__device__ __forceinline__ void unpack_digits(uint32_t word, uint32_t (&u)[4]) {
#pragma unroll
  for (int p = 0; p < 4; ++p) u[p] = (word >> (2 * p)) & 0x03030303u;
}

}  // namespace tern::cuda
