// SPDX-License-Identifier: Apache-2.0
// What a warp multiplies of half a tile of ternary weights.
#pragma once

#include "devices/cuda/int8_mma.cuh"
#include "devices/cuda/ternary_layout.cuh"

namespace tern::cuda {

// The products of the halves `half` of kWeightTiles tiles with kRowGroups groups of 8 rows of activations, unpacked in
// registers. sums(s, w, r) are those of the step s, 0 or 1, of the tile w and of the group r.
template <int kWeightTiles, int kRowGroups, class Sums>
__device__ __forceinline__ void add_half_tiles(const Words (&weights)[kWeightTiles], int half,
                                               const Words (&q)[kRowGroups], const Sums& sums) {
#pragma unroll
  for (int s = 0; s < 2; ++s) {
#pragma unroll
    for (int w = 0; w < kWeightTiles; ++w) {
      uint32_t u[4];
      unpack_digits(weights[w].at[2 * half + s], u);
#pragma unroll
      for (int r = 0; r < kRowGroups; ++r) add_byte_products(sums(s, w, r), u, q[r].at[2 * s], q[r].at[2 * s + 1]);
    }
  }
}

}  // namespace tern::cuda
