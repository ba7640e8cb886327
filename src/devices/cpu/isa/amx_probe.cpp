// SPDX-License-Identifier: Apache-2.0
// The probe kernels on AMX-INT8: tdpbsud on whole tiles.
#include <immintrin.h>
#include <stdint.h>

#include "device/kernels.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

// Each uses those above it.
// clang-format off
#include "devices/cpu/generic/parallel.inl"
#include "devices/cpu/generic/probe.inl"
// clang-format on

// The memory operand of ldtilecfg (Intel SDM, volume 1, chapter 18): eight tiles of 16 rows of 64 bytes.
struct alignas(64) WholeTiles {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes_per_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

struct TileProducts {
  static constexpr int64_t kProducts = 6 * 16 * 16 * 64;

  static uint32_t run(int64_t steps) {
    const WholeTiles config;
    asm volatile("" ::: "memory");
    _tile_loadconfig(&config);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
    for (int64_t step = 0; step < steps; ++step) {
      _tile_dpbsud(0, 6, 7);
      _tile_dpbsud(1, 6, 7);
      _tile_dpbsud(2, 6, 7);
      _tile_dpbsud(3, 6, 7);
      _tile_dpbsud(4, 6, 7);
      _tile_dpbsud(5, 6, 7);
    }
    _tile_release();
    asm volatile("" ::: "memory");
    return 0;
  }
};

}  // namespace

constexpr ProbeKernels kAmxProbe = probe_kernels<TileProducts>();
static_assert(complete(kAmxProbe));

}  // namespace tern::cpu
