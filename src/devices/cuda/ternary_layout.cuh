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

// The same with the digits of the lower 8 rows as 4 times their value, which spares two shifts of three.
__device__ __forceinline__ void unpack_row_digits(uint32_t word, uint32_t (&u)[4]) {
#pragma unroll
  for (int half = 0; half < 2; ++half, word >>= 4) {
    u[2 * half] = word & 0x03030303u;
    u[2 * half + 1] = word & 0x0c0c0c0cu;
  }
}

// A sum of products of such digits from what it is modulo 2^32. |4·sum| <= 4·2·128·columns is at most 2^31 with up to
// so many columns (2^31 itself only as -2^31), so that the division is exact.
constexpr int64_t kMostRowDigitColumns = int64_t{1} << 21;
__device__ __forceinline__ uint32_t sum_of_row_digits(uint32_t sum, bool lower) {
  return lower ? static_cast<uint32_t>(static_cast<int>(sum) >> 2) : sum;
}

// The digits of the words 2·pair and 2·pair + 1 of a lane as the registers of an operand, masked where they stand
// instead of shifted down, which spares the shifts. An operand has, for the place 0, the columns 0 … 15 of the steps of
// both words, and for the place 1 their columns 16 … 31: so all digits of a row of it stand alike.
__device__ __forceinline__ void mask_digits(const Words& weights, int pair, int place, uint32_t (&u)[4]) {
  const uint32_t low = weights.at[2 * pair], high = weights.at[2 * pair + 1];
  const uint32_t upper_row = 0x03030303u << (4 * place), lower_row = 0x0c0c0c0cu << (4 * place);
  u[0] = low & upper_row;
  u[1] = low & lower_row;
  u[2] = high & upper_row;
  u[3] = high & lower_row;
}

// A lane's i-th sum of products of digits from its sums with the operands of both places, which are modulo 2^32: there
// digits stand as 1 and 16 times their value in the upper 8 rows, as 4 and 64 times in the lower ones. |64·sum| <=
// 64·2·128·columns is at most 2^31 with up to 2^17 columns (2^31 itself only as -2^31), so that the division is exact.
__device__ __forceinline__ int sum_of_places(uint32_t first, uint32_t second, int i) {
  const int shift = i / 2 * 2;
  return (static_cast<int>(first) >> shift) + (static_cast<int>(second) >> (4 + shift));
}

}  // namespace tern::cuda
