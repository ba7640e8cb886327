// SPDX-License-Identifier: Apache-2.0
// TernaryTile on NEON without dot products: signed byte products added to int16 (smlal) and widened before they could
// wrap. A product of a digit up to 2 with an activation in [-128, 127] lies in [-256, 254], so 128 of them fit.
#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

#include "device/kernels.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

// Each uses those above it.
// clang-format off
#include "devices/cpu/generic/parallel.inl"
#include "devices/cpu/generic/ternary_layout.inl"
#include "devices/cpu/generic/ternary_matmul.inl"
#include "devices/cpu/generic/ternary_int16_tile.inl"
// clang-format on

struct TernaryTile : Int16TernaryTile<TernaryTile> {
  static constexpr int64_t kMaxRows = 2;  // 16 accumulators of 32 registers
  static constexpr int kParts = 4;  // registers of a tile, 4 rows each

  // Sums of 4 rows: an int16 a column, in two registers.
  struct Sums {
    int16x8_t low = vdupq_n_s16(0), high = vdupq_n_s16(0);

    void add(uint8x16_t u, int8x16_t q) {
      const int8x16_t weights = vreinterpretq_s8_u8(u);
      low = vmlal_s8(low, vget_low_s8(weights), vget_low_s8(q));
      high = vmlal_high_s8(high, weights, q);
    }
    void add_onto(uint32_t* sums) const {
      const int32x4_t rows = vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high));
      vst1q_u32(sums, vaddq_u32(vld1q_u32(sums), vreinterpretq_u32_s32(rows)));
    }
  };

  // Four activations in every lane.
  static int8x16_t four(const int8_t* q) {
    int32_t bits;
    memcpy(&bits, q, sizeof bits);
    return vreinterpretq_s8_s32(vdupq_n_s32(bits));
  }

  // Quad p of columns of a part.
  template <int p>
  static uint8x16_t digits(uint8x16_t v) {
    if constexpr (p == 0) {
      return vandq_u8(v, vdupq_n_u8(3));
    } else if constexpr (p == 3) {
      return vshrq_n_u8(v, 6);
    } else {
      return vandq_u8(vshrq_n_u8(v, 2 * p), vdupq_n_u8(3));
    }
  }

  static constexpr int64_t kTilesInInt16 = 32;  // a tile adds 4 products

  static void dot_int16(const uint8_t* tiles, int64_t count, const int8_t* q, int64_t ahead, uint32_t* out) {
    Sums sums[kParts];
    for (int64_t t = 0; t < count; ++t, tiles += kTernaryTileBytes, q += 16) {
      __builtin_prefetch(tiles + ahead);
      const int8x16_t q0 = four(q), q1 = four(q + 4), q2 = four(q + 8), q3 = four(q + 12);
      for (int part = 0; part < kParts; ++part) {
        const uint8x16_t v = vld1q_u8(tiles + 16 * part);
        sums[part].add(digits<0>(v), q0);
        sums[part].add(digits<1>(v), q1);
        sums[part].add(digits<2>(v), q2);
        sums[part].add(digits<3>(v), q3);
      }
    }
    for (int part = 0; part < kParts; ++part) sums[part].add_onto(out + 4 * part);
  }

  static void unpack(const uint8_t* tiles, int64_t count, uint8_t* u) {
    for (int64_t t = 0; t < count; ++t, tiles += kTernaryTileBytes, u += 4 * kQuadBytes) {
      for (int part = 0; part < kParts; ++part) {
        const uint8x16_t v = vld1q_u8(tiles + 16 * part);
        uint8_t* const to = u + 16 * part;
        vst1q_u8(to, digits<0>(v));
        vst1q_u8(to + 64, digits<1>(v));
        vst1q_u8(to + 128, digits<2>(v));
        vst1q_u8(to + 192, digits<3>(v));
      }
    }
  }

  // The digit is the number of borders, 256/3 and 512/3, that v lies above.
  static void unpack_base3(const uint8_t* tiles, int64_t count, uint8_t* u) {
    for (int64_t t = 0; t < count; ++t, tiles += kTernaryTileBytes, u += 5 * kQuadBytes) {
      for (int part = 0; part < kParts; ++part) {
        uint8x16_t v = vld1q_u8(tiles + 16 * part);
        for (int p = 0; p < 5; ++p, v = vaddq_u8(v, vaddq_u8(v, v))) {
          const uint8x16_t minus = vaddq_u8(vcgtq_u8(v, vdupq_n_u8(85)), vcgtq_u8(v, vdupq_n_u8(170)));
          vst1q_u8(u + p * kQuadBytes + 16 * part, vsubq_u8(vdupq_n_u8(0), minus));
        }
      }
    }
  }

  static constexpr int64_t kQuadsInInt16 = 128;

  template <int kRows>
  static void multiply_int16(const uint8_t* u, int64_t quads, const int8_t* q, int64_t q_stride, uint32_t* acc) {
    Sums sums[kRows * kParts];
    for (int64_t quad = 0; quad < quads; ++quad, u += kQuadBytes, q += 4) {
      uint8x16_t weights[kParts];
      for (int part = 0; part < kParts; ++part) weights[part] = vld1q_u8(u + 16 * part);
      for (int row = 0; row < kRows; ++row) {
        const int8x16_t x = four(q + row * q_stride);
        for (int part = 0; part < kParts; ++part) sums[row * kParts + part].add(weights[part], x);
      }
    }
    for (int i = 0; i < kRows * kParts; ++i) sums[i].add_onto(acc + 4 * i);
  }
};

}  // namespace

constexpr TernaryKernels kNeonTernary = ternary_kernels<TernaryTile>();
static_assert(complete(kNeonTernary));

}  // namespace tern::cpu
