// SPDX-License-Identifier: Apache-2.0
// TernaryTile on AVX2: unsigned x signed byte products in pairs (vpmaddubsw), added in int16 and widened before they
// could wrap. A pair of weights up to 2 with activations in [-128, 127] lies in [-512, 508], so 64 of them fit in
// int16.
//
// Accumulators are vectors of their element type, not __m256i: g++ 12 copies an accumulator that changes its type in
// each round of a loop, and spills (the GEMM ran at 170 instead of 280 GOP/s on a Zen 3).
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
  static constexpr int64_t kMaxRows = 6;  // 12 accumulators of 16 registers
  static constexpr int64_t kMaxGroups = 1;
  static constexpr int64_t kBlockTiles = 64;  // 16 KiB of weights

  typedef int16_t Int16 __attribute__((vector_size(32)));
  typedef int32_t Int32 __attribute__((vector_size(32)));

  static __m256i load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static void store(void* p, __m256i v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }

  // Four activations in every lane.
  static __m256i four(const int8_t* q) {
    int32_t bits;
    memcpy(&bits, q, sizeof bits);
    return _mm256_set1_epi32(bits);
  }

  static Int16 pairs(__m256i u, __m256i q) { return reinterpret_cast<Int16>(_mm256_maddubs_epi16(u, q)); }

  // Two int16 pair sums to the int32 of their lane.
  static Int32 widen(Int16 v) {
    return reinterpret_cast<Int32>(_mm256_madd_epi16(reinterpret_cast<__m256i>(v), _mm256_set1_epi16(1)));
  }

  // Sums of half a tile, 8 rows. The odd quads of columns keep their place two bits up and count four times in `high`,
  // which saves two of the four shifts.
  struct Half {
    Int16 low = {}, high = {};

    void add(const uint8_t* tile, const int8_t* q) {
      const __m256i even = _mm256_set1_epi8(0x03), odd = _mm256_set1_epi8(0x0c);
      const __m256i v = load(tile), w = _mm256_srli_epi16(v, 4);
      low += pairs(_mm256_and_si256(v, even), four(q));
      high += pairs(_mm256_and_si256(v, odd), four(q + 4));
      low += pairs(_mm256_and_si256(w, even), four(q + 8));
      high += pairs(_mm256_and_si256(w, odd), four(q + 12));
    }

    Int32 sum() const { return widen(low + (high >> 2)); }
  };

  // 16 pair sums in `high` lie between -4·512·16 = -32768 and 4·508·16 = 32512: 8 tiles.
  static constexpr int64_t kTilesInInt16 = 8;
  static constexpr int64_t kPrefetchBytes = 4096;

  static void dot(const uint8_t* tiles, int64_t count, const int8_t* q, uint32_t* out) {
    Int32 sum0 = {}, sum1 = {};
    while (count > 0) {
      Half half0, half1;
      const int64_t some = count < kTilesInInt16 ? count : kTilesInInt16;
      for (int64_t t = 0; t < some; ++t, tiles += kTernaryTileBytes, q += kTernaryCols) {
        _mm_prefetch(reinterpret_cast<const char*>(tiles) + kPrefetchBytes, _MM_HINT_T0);
        half0.add(tiles, q);
        half1.add(tiles + 32, q);
      }
      sum0 += half0.sum();
      sum1 += half1.sum();
      count -= some;
    }
    store(out, reinterpret_cast<__m256i>(sum0));
    store(out + 8, reinterpret_cast<__m256i>(sum1));
  }

  static void unpack(const uint8_t* tiles, int64_t count, uint8_t* u) {
    const __m256i mask = _mm256_set1_epi8(3);
    for (int64_t half = 0; half < 2 * count; ++half, tiles += 32) {
      const __m256i v = load(tiles);
      uint8_t* const to = u + half / 2 * 4 * kTernaryTileBytes + half % 2 * 32;
      store(to, _mm256_and_si256(v, mask));
      store(to + 64, _mm256_and_si256(_mm256_srli_epi16(v, 2), mask));
      store(to + 128, _mm256_and_si256(_mm256_srli_epi16(v, 4), mask));
      store(to + 192, _mm256_and_si256(_mm256_srli_epi16(v, 6), mask));
    }
  }

  static constexpr int64_t kQuadsInInt16 = 64;

  template <int kRows, int kGroups>
  static void multiply(const uint8_t* u, int64_t, int64_t quads, const int8_t* q, int64_t q_stride, uint32_t* acc) {
    static_assert(kGroups == 1);
    while (quads > 0) {
      const int64_t some = quads < kQuadsInInt16 ? quads : kQuadsInInt16;
      multiply_int16<kRows>(u, some, q, q_stride, acc);
      u += some * kTernaryTileBytes;
      q += some * 4;
      quads -= some;
    }
  }

  // quads > 0.
  template <int kRows>
  static void multiply_int16(const uint8_t* u, int64_t quads, const int8_t* q, int64_t q_stride, uint32_t* acc) {
    Int16 sum[kRows][2] = {};
    int64_t quad = 0;
    do {
      const __m256i u0 = load(u + quad * kTernaryTileBytes), u1 = load(u + quad * kTernaryTileBytes + 32);
      for (int row = 0; row < kRows; ++row) {
        const __m256i x = four(q + row * q_stride + quad * 4);
        sum[row][0] += pairs(u0, x);
        sum[row][1] += pairs(u1, x);
      }
    } while (++quad < quads);
    for (int row = 0; row < kRows; ++row) {
      for (int half = 0; half < 2; ++half) {
        uint32_t* const to = acc + row * kTernaryRows + half * 8;
        store(to, _mm256_add_epi32(load(to), reinterpret_cast<__m256i>(widen(sum[row][half]))));
      }
    }
  }
};

}  // namespace

constexpr TernaryKernels kAvx2Ternary = ternary_kernels<TernaryTile>();
static_assert(complete(kAvx2Ternary));

}  // namespace tern::cpu
