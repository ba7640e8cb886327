// SPDX-License-Identifier: Apache-2.0
// The ternary product of one row of activations by the tensor cores, whose codes the lanes of a warp make for it.
//
// A tile's four words (ternary_layout.cuh), which have columns of their own, are one operand of the tensor cores: a and
// c, the words 0 and 2, in its rows g, b and d in its rows g + 8. Columns 0 and 1 of the other operand have the codes
// of both halves of the columns of a and c, and columns 2 and 3 those of b and d. So results g of columns 0 and 1 and g
// + 8 of columns 2 and 3 are what is wanted, and those of other columns are not. Codes are operands as they are made:
// the lane 4n + t has the quad 4n + t of a tile's columns, which is its part of column n, and those of c and d are 16
// lanes further. Beside the product of up to four rows (ternary_copied.cuh) this spares copies of words, which took as
// long as masks of them.
#pragma once

#include "devices/cuda/int8_mma.cuh"
#include "devices/cuda/ternary_layout.cuh"

namespace tern::cuda {

struct RowCodesOfTile {
  uint32_t low, high;
};

__device__ __forceinline__ RowCodesOfTile row_codes_of_tile(uint32_t quad) {
  return {quad, __shfl_down_sync(kAllLanes, quad, 16)};
}

using RowDigitSums = uint32_t[4][4];  // of the products of one, two, three and four digits

__device__ __forceinline__ void add_tile(RowDigitSums& sums, const uint4& tile, const RowCodesOfTile& q) {
  constexpr uint32_t kMasks[4] = {0x03030303u, 0x0f0f0f0fu, 0x3f3f3f3fu, 0xffffffffu};
#pragma unroll
  for (int m = 0; m < 4; ++m) {
    const uint32_t digits[4] = {tile.x & kMasks[m], tile.y & kMasks[m], tile.z & kMasks[m], tile.w & kMasks[m]};
    add_byte_products(sums[m], digits, q.low, q.high);
  }
}

// Of a lane: whether the results that it has are of the words b and d.
__device__ __forceinline__ int has_upper_words() { return static_cast<int>(threadIdx.x % 2); }

// Digit sums of the outputs g and g + 8, in the first of four lanes. upper: has_upper_words().
__device__ __forceinline__ int2 outputs_of(const RowDigitSums& sums, int upper) {
  const auto sum = [&](int digits, int half) {
    return upper != 0 ? sums[digits - 1][2 + half] : sums[digits - 1][half];
  };
  const uint32_t one = sum(1, 0), two = sum(2, 0), three = sum(3, 1);
  const int first = static_cast<int>(one) + (static_cast<int>(three - sum(2, 1)) >> 4);
  const int second = (static_cast<int>(two - one) >> 2) + (static_cast<int>(sum(4, 1) - three) >> 6);
  return make_int2(first + __shfl_xor_sync(kAllLanes, first, 1), second + __shfl_xor_sync(kAllLanes, second, 1));
}

}  // namespace tern::cuda
