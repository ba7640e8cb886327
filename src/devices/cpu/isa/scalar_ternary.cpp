// SPDX-License-Identifier: Apache-2.0
// TernaryTile without vector instructions.
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

struct TernaryTile {
  static constexpr int64_t kMaxRows = 4;
  static constexpr int64_t kMaxGroups = 1;
  static constexpr int64_t kBlockTiles = 64;

  static void dot(const uint8_t* tiles, int64_t count, const int8_t* q, uint32_t* out) {
    uint8_t codes[4 * kTernaryTileBytes];
    for (int64_t lane = 0; lane < kTernaryRows; ++lane) out[lane] = 0;
    for (int64_t t = 0; t < count; ++t) {
      unpack(tiles + t * kTernaryTileBytes, 1, codes);
      multiply<1, 1>(codes, 0, 4, q + t * kTernaryCols, 0, out);
    }
  }

  static void unpack(const uint8_t* tiles, int64_t count, uint8_t* codes) {
    for (int64_t t = 0; t < count; ++t, tiles += kTernaryTileBytes) {
      for (int p = 0; p < 4; ++p, codes += kTernaryTileBytes) {
        for (int64_t i = 0; i < kTernaryTileBytes; ++i) codes[i] = static_cast<uint8_t>((tiles[i] >> (2 * p)) & 3);
      }
    }
  }

  template <int kRows, int kGroups>
  static void multiply(const uint8_t* codes, int64_t, int64_t quads, const int8_t* q, int64_t q_stride, uint32_t* acc) {
    static_assert(kGroups == 1);
    for (int64_t quad = 0; quad < quads; ++quad, codes += kTernaryTileBytes) {
      for (int row = 0; row < kRows; ++row) {
        const int8_t* const four = q + row * q_stride + quad * 4;
        for (int64_t lane = 0; lane < kTernaryRows; ++lane) {
          const uint8_t* const u = codes + lane * 4;
          acc[row * kTernaryRows + lane] +=
              static_cast<uint32_t>(u[0] * four[0] + u[1] * four[1] + u[2] * four[2] + u[3] * four[3]);
        }
      }
    }
  }
};

}  // namespace

constexpr TernaryKernels kScalarTernary = ternary_kernels<TernaryTile>();
static_assert(complete(kScalarTernary));

}  // namespace tern::cpu
