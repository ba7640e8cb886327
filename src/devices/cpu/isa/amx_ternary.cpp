// SPDX-License-Identifier: Apache-2.0
// Ternary products on AMX-INT8, for several activation rows at a time; one row goes as on AVX-512 VNNI.
//
// 16 quads of unpacked digits, u[quad][lane][column mod 4], are a B tile of tdpbsud as they lie: 16 rows of K/4 by 16
// columns of four bytes. 16 activation rows of 64 bytes are an A tile, and the result is 16 rows by 16 lanes of int32.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include <type_traits>

#include "device/kernels.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

// Each uses those above it.
// clang-format off
#include "devices/cpu/generic/parallel.inl"
#include "devices/cpu/generic/ternary_layout.inl"
#include "devices/cpu/generic/ternary_matmul.inl"
#include "devices/cpu/isa/avx512_ternary.inl"
// clang-format on

// The memory operand of ldtilecfg (Intel SDM, volume 1, chapter 18).
struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes_per_row[16] = {};
  uint8_t rows[16] = {};

  // Tiles 0-3 are sums [2 row tiles][2 groups], 4 and 5 activations, 6 and 7 digits. `first` and `second` are the rows of
  // the two row tiles, 1 to 16.
  TileConfig(int64_t first, int64_t second) {
    for (int tile = 0; tile < 8; ++tile) bytes_per_row[tile] = 64;
    rows[0] = rows[1] = rows[4] = static_cast<uint8_t>(first);
    rows[2] = rows[3] = rows[5] = static_cast<uint8_t>(second);
    rows[6] = rows[7] = 16;
  }
};

struct AmxTile : GenericTernaryTile<AmxTile> {
  static constexpr int64_t kMaxRows = Avx512Tile::kMaxRows;
  static constexpr int64_t kMaxGroups = Avx512Tile::kMaxGroups;
  static constexpr int64_t kFewRows = Avx512Tile::kFewRows;
  static constexpr int64_t kQuads = 16;  // of a B tile
  static constexpr int64_t kFewestRows = 9;  // the rest of a block: fewer fill too little of a tile

  static void dot(const uint8_t* tiles, int64_t count, const int8_t* q, int64_t ahead, uint32_t* out) {
    Avx512Tile::dot(tiles, count, q, ahead, out);
  }
  static void dot_base3(const uint8_t* tiles, int64_t count, const int8_t* q, int64_t ahead, uint32_t* out) {
    Avx512Tile::dot_base3(tiles, count, q, ahead, out);
  }

  template <TernaryLayout kLayout, int kRows>
  static void dot_rows(const uint8_t* tiles, int64_t count, const int8_t* q, int64_t q_stride, int64_t ahead,
                       uint32_t* out) {
    Avx512Tile::dot_rows<kLayout, kRows>(tiles, count, q, q_stride, ahead, out);
  }

  // Both leave whole B tiles: the block has room for them, and their missing quads are zero.
  static void unpack(const uint8_t* tiles, int64_t count, uint8_t* u) {
    Avx512Tile::unpack(tiles, count, u);
    fill(u, 4 * count);
  }
  static void unpack_base3(const uint8_t* tiles, int64_t count, uint8_t* u) {
    Avx512Tile::unpack_base3(tiles, count, u);
    fill(u, 5 * count);
  }
  static void fill(uint8_t* u, int64_t quads) {
    const int64_t whole = round_up(quads, kQuads);
    memset(u + quads * kQuadBytes, 0, static_cast<size_t>((whole - quads) * kQuadBytes));
  }

  static void multiply(int64_t rows, int64_t groups, const uint8_t* u, int64_t u_stride, int64_t quads, const int8_t* q,
                       int64_t q_stride, uint32_t* acc) {
    if (rows < kFewestRows) return Avx512Tile::multiply(rows, groups, u, u_stride, quads, q, q_stride, acc);
    const int64_t steps = ceil_div(quads, kQuads);
    int64_t row = 0;
    if (rows >= 32) configure(16, 16);
    for (; row + 32 <= rows; row += 32) {
      pass<true>(groups, u, u_stride, steps, q + row * q_stride, q_stride, acc + row * groups * kTernaryRows);
    }
    if (const int64_t rest = rows - row; rest > 16) {
      configure(16, rest - 16);
      pass<true>(groups, u, u_stride, steps, q + row * q_stride, q_stride, acc + row * groups * kTernaryRows);
    } else if (rest > 0) {
      configure(rest, 16);
      pass<false>(groups, u, u_stride, steps, q + row * q_stride, q_stride, acc + row * groups * kTernaryRows);
    }
    _tile_release();
    // The intrinsics' assembly names no memory.
    asm volatile("" ::: "memory");
  }

  static void configure(int64_t first, int64_t second) {
    const TileConfig config(first, second);
    asm volatile("" ::: "memory");
    _tile_loadconfig(&config);
  }

  // acc += for one or two row tiles.
  template <bool kTwoRows>
  static void pass(int64_t groups, const uint8_t* u, int64_t u_stride, int64_t steps, const int8_t* q, int64_t q_stride,
                   uint32_t* acc) {
    const bool two_groups = groups == 2;
    const int64_t acc_stride = groups * kTernaryRows * 4;
    uint32_t* const below = acc + 16 * groups * kTernaryRows;
    _tile_loadd(0, acc, acc_stride);
    if (two_groups) _tile_loadd(1, acc + kTernaryRows, acc_stride);
    if constexpr (kTwoRows) {
      _tile_loadd(2, below, acc_stride);
      if (two_groups) _tile_loadd(3, below + kTernaryRows, acc_stride);
    }
    for (int64_t step = 0; step < steps; ++step, u += kQuads * kQuadBytes, q += 64) {
      _tile_loadd(4, q, q_stride);
      _tile_loadd(6, u, kQuadBytes);
      _tile_dpbsud(0, 4, 6);
      if constexpr (kTwoRows) {
        _tile_loadd(5, q + 16 * q_stride, q_stride);
        _tile_dpbsud(2, 5, 6);
      }
      if (!two_groups) continue;
      _tile_loadd(7, u + u_stride, kQuadBytes);
      _tile_dpbsud(1, 4, 7);
      if constexpr (kTwoRows) _tile_dpbsud(3, 5, 7);
    }
    _tile_stored(0, acc, acc_stride);
    if (two_groups) _tile_stored(1, acc + kTernaryRows, acc_stride);
    if constexpr (kTwoRows) {
      _tile_stored(2, below, acc_stride);
      if (two_groups) _tile_stored(3, below + kTernaryRows, acc_stride);
    }
    asm volatile("" ::: "memory");
  }
};

}  // namespace

constexpr TernaryKernels kAmxTernary = ternary_kernels<AmxTile>();
static_assert(complete(kAmxTernary));

}  // namespace tern::cpu
