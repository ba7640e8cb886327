// SPDX-License-Identifier: Apache-2.0
// Products with coded weights on NEON without dot products: byte products added to int16 (smlal). With codes of 6 bits
// and |q| <= 127 a product is at most 63·127 = 8001: four of them fit.
#include <arm_neon.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "device/kernels.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

// Each uses those above it.
// clang-format off
#include "devices/cpu/isa/neon_vector.inl"
#include "devices/cpu/generic/coded_kernels.inl"
#include "devices/cpu/generic/dot_vectors.inl"
#include "devices/cpu/generic/coded_dot_tile.inl"
// clang-format on

struct LongProducts {
  typedef int32_t Int32 __attribute__((vector_size(16)));
  typedef uint16_t Words __attribute__((vector_size(16)));

  static void add_quads(Int32& sum, const Words* u, const int8_t* q) {
    int16x8_t low = vdupq_n_s16(0), high = vdupq_n_s16(0);
    for (int quad = 0; quad < 4; ++quad) {
      const int8x16_t weights = reinterpret_cast<int8x16_t>(u[quad]);
      const int8x16_t x = reinterpret_cast<int8x16_t>(four_activations<Int32>(q + 4 * quad));
      low = vmlal_s8(low, vget_low_s8(weights), vget_low_s8(x));
      high = vmlal_high_s8(high, weights, x);
    }
    sum += reinterpret_cast<Int32>(vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
  }
};

}  // namespace

constexpr CodedKernels kNeonCoded = coded_kernels<V, CodedDotTile<V, LongProducts>>();
static_assert(complete(kNeonCoded));

}  // namespace tern::cpu
