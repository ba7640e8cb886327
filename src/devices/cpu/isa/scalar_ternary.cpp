// SPDX-License-Identifier: Apache-2.0
// Ternary products without vector instructions.
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
// clang-format on

struct TernaryTile : GenericTernaryTile<TernaryTile> {
  static constexpr int64_t kMaxRows = 4;
  static constexpr int64_t kMaxGroups = 1;

  static void dot(const uint8_t* tiles, int64_t count, const int8_t* q, int64_t, uint32_t* out) {
    uint8_t u[4 * kQuadBytes];
    for (int64_t lane = 0; lane < kTernaryRows; ++lane) out[lane] = 0;
    for (int64_t t = 0; t < count; ++t) {
      unpack(tiles + t * kTernaryTileBytes, 1, u);
      multiply_tile<1, 1>(u, 0, 4, q + t * 16, 0, out);
    }
  }

  static void unpack(const uint8_t* tiles, int64_t count, uint8_t* u) {
    for (int64_t t = 0; t < count; ++t, tiles += kTernaryTileBytes) {
      for (int p = 0; p < 4; ++p, u += kQuadBytes) {
        for (int64_t i = 0; i < kTernaryTileBytes; ++i) u[i] = static_cast<uint8_t>((tiles[i] >> (2 * p)) & 3);
      }
    }
  }

  template <int kRows, int kGroups>
  static void multiply_tile(const uint8_t* u, int64_t, int64_t quads, const int8_t* q, int64_t q_stride, uint32_t* acc) {
    static_assert(kGroups == 1);
    for (int64_t quad = 0; quad < quads; ++quad, u += kQuadBytes) {
      for (int row = 0; row < kRows; ++row) {
        const int8_t* const four = q + row * q_stride + quad * 4;
        for (int64_t lane = 0; lane < kTernaryRows; ++lane) {
          const uint8_t* const w = u + lane * 4;
          acc[row * kTernaryRows + lane] +=
              static_cast<uint32_t>(w[0] * four[0] + w[1] * four[1] + w[2] * four[2] + w[3] * four[3]);
        }
      }
    }
  }
};

}  // namespace

constexpr TernaryKernels kScalarTernary = ternary_kernels<TernaryTile>();
static_assert(complete(kScalarTernary));

}  // namespace tern::cpu
