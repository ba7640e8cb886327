// SPDX-License-Identifier: Apache-2.0
// TernaryTile on AVX-512 VNNI: vpdpbusd adds four byte products to each int32 lane, so a row of a tile keeps its lane
// throughout. Accumulators are vectors of their element type for g++ 12's sake (see avx2_ternary.inl).
#include <immintrin.h>
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
  static constexpr int64_t kMaxRows = 12;
  static constexpr int64_t kMaxGroups = 2;    // 24 accumulators of 32 registers; each broadcast serves two products
  static constexpr int64_t kBlockTiles = 32;  // 2 x 8 KiB of weights

  typedef int32_t Int32 __attribute__((vector_size(64)));

  static __m512i load(const void* p) { return _mm512_loadu_si512(p); }

  // Four activations in every lane.
  static __m512i four(const int8_t* q) {
    int32_t bits;
    memcpy(&bits, q, sizeof bits);
    return _mm512_set1_epi32(bits);
  }

  static void add(Int32& sum, __m512i u, __m512i q) {
    sum = reinterpret_cast<Int32>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum), u, q));
  }

  // Sums over a run of tiles. The odd quads of columns keep their place two bits up and count four times in `high`,
  // which saves two of the four shifts.
  struct Sums {
    Int32 low0 = {}, low1 = {}, high0 = {}, high1 = {};

    void add_tile(const uint8_t* tile, const int8_t* q) {
      const __m512i even = _mm512_set1_epi8(0x03), odd = _mm512_set1_epi8(0x0c);
      const __m512i v = load(tile), w = _mm512_srli_epi16(v, 4);
      add(low0, _mm512_and_si512(v, even), four(q));
      add(high0, _mm512_and_si512(v, odd), four(q + 4));
      add(low1, _mm512_and_si512(w, even), four(q + 8));
      add(high1, _mm512_and_si512(w, odd), four(q + 12));
    }

    __m512i total() const {
      const __m512i low = _mm512_add_epi32(reinterpret_cast<__m512i>(low0), reinterpret_cast<__m512i>(low1));
      return _mm512_add_epi32(low, reinterpret_cast<__m512i>((high0 + high1) >> 2));
    }
  };

  // A lane of high0 or high1 grows by at most 4·2·128·4 in a tile: it stays within 2^29 here, where its shift is exact.
  static constexpr int64_t kTilesInInt32 = int64_t{1} << 17;
  static constexpr int64_t kPrefetchBytes = 4096;

  static void dot(const uint8_t* tiles, int64_t count, const int8_t* q, uint32_t* out) {
    __m512i total = _mm512_setzero_si512();
    while (count > 0) {
      Sums even, odd;  // eight chains hide the latency of vpdpbusd
      const int64_t some = count < kTilesInInt32 ? count : kTilesInInt32;
      for (int64_t t = 0; t + 2 <= some; t += 2, tiles += 2 * kTernaryTileBytes, q += 2 * kTernaryCols) {
        _mm_prefetch(reinterpret_cast<const char*>(tiles) + kPrefetchBytes, _MM_HINT_T0);
        _mm_prefetch(reinterpret_cast<const char*>(tiles) + kPrefetchBytes + 64, _MM_HINT_T0);
        even.add_tile(tiles, q);
        odd.add_tile(tiles + kTernaryTileBytes, q + kTernaryCols);
      }
      if (some % 2 != 0) {
        even.add_tile(tiles, q);
        tiles += kTernaryTileBytes;
        q += kTernaryCols;
      }
      total = _mm512_add_epi32(total, _mm512_add_epi32(even.total(), odd.total()));
      count -= some;
    }
    _mm512_storeu_si512(out, total);
  }

  static void unpack(const uint8_t* tiles, int64_t count, uint8_t* u) {
    const __m512i mask = _mm512_set1_epi8(3);
    for (int64_t t = 0; t < count; ++t, tiles += kTernaryTileBytes, u += 4 * kTernaryTileBytes) {
      const __m512i v = load(tiles);
      _mm512_storeu_si512(u, _mm512_and_si512(v, mask));
      _mm512_storeu_si512(u + 64, _mm512_and_si512(_mm512_srli_epi16(v, 2), mask));
      _mm512_storeu_si512(u + 128, _mm512_and_si512(_mm512_srli_epi16(v, 4), mask));
      _mm512_storeu_si512(u + 192, _mm512_and_si512(_mm512_srli_epi16(v, 6), mask));
    }
  }

  // quads > 0.
  template <int kRows, int kGroups>
  static void multiply(const uint8_t* u, int64_t u_stride, int64_t quads, const int8_t* q, int64_t q_stride,
                       uint32_t* acc) {
    Int32 sum[kRows][kGroups];
    memcpy(&sum, acc, sizeof sum);
    int64_t quad = 0;
    do {
      __m512i weights[kGroups];
      for (int g = 0; g < kGroups; ++g) weights[g] = load(u + g * u_stride + quad * kTernaryTileBytes);
      for (int row = 0; row < kRows; ++row) {
        const __m512i x = four(q + row * q_stride + quad * 4);
        for (int g = 0; g < kGroups; ++g) add(sum[row][g], weights[g], x);
      }
    } while (++quad < quads);
    memcpy(acc, &sum, sizeof sum);
  }
};

}  // namespace

constexpr TernaryKernels kAvx512Ternary = ternary_kernels<TernaryTile>();
static_assert(complete(kAvx512Ternary));

}  // namespace tern::cpu
