// SPDX-License-Identifier: Apache-2.0
// TernaryTile on SSE4.1: unsigned x signed byte products in pairs (pmaddubsw), added in int16 and widened before they
// could wrap. A pair of digits up to 2 with activations in [-128, 127] lies in [-512, 508], so 64 of them fit in
// int16.
#include <smmintrin.h>
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
  static constexpr int64_t kMaxRows = 3;  // 12 accumulators of 16 registers
  static constexpr int kParts = 4;  // registers of a tile, 4 rows each

  static __m128i load(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  static void store(void* p, __m128i v) { _mm_storeu_si128(static_cast<__m128i*>(p), v); }

  // Four activations in every lane.
  static __m128i four(const int8_t* q) {
    int32_t bits;
    memcpy(&bits, q, sizeof bits);
    return _mm_set1_epi32(bits);
  }

  static __m128i add_pairs(__m128i sum, __m128i u, __m128i q) { return _mm_add_epi16(sum, _mm_maddubs_epi16(u, q)); }

  // Two int16 pair sums to the int32 of their lane, onto `sums`.
  static void widen_onto(void* sums, __m128i pairs) {
    store(sums, _mm_add_epi32(load(sums), _mm_madd_epi16(pairs, _mm_set1_epi16(1))));
  }

  // A tile adds 4 pairs to an int16.
  static constexpr int64_t kTilesInInt16 = 16;

  static void dot_int16(const uint8_t* tiles, int64_t count, const int8_t* q, int64_t ahead, uint32_t* out) {
    const __m128i mask = _mm_set1_epi8(3);
    __m128i sum[kParts] = {};
    for (int64_t t = 0; t < count; ++t, tiles += kTernaryTileBytes, q += 16) {
      __builtin_prefetch(tiles + ahead);
      const __m128i q0 = four(q), q1 = four(q + 4), q2 = four(q + 8), q3 = four(q + 12);
      for (int part = 0; part < kParts; ++part) {
        const __m128i v = load(tiles + 16 * part);
        sum[part] = add_pairs(sum[part], _mm_and_si128(v, mask), q0);
        sum[part] = add_pairs(sum[part], _mm_and_si128(_mm_srli_epi16(v, 2), mask), q1);
        sum[part] = add_pairs(sum[part], _mm_and_si128(_mm_srli_epi16(v, 4), mask), q2);
        sum[part] = add_pairs(sum[part], _mm_and_si128(_mm_srli_epi16(v, 6), mask), q3);
      }
    }
    for (int part = 0; part < kParts; ++part) widen_onto(out + 4 * part, sum[part]);
  }

  static void unpack(const uint8_t* tiles, int64_t count, uint8_t* u) {
    const __m128i mask = _mm_set1_epi8(3);
    for (int64_t t = 0; t < count; ++t, tiles += kTernaryTileBytes, u += 4 * kQuadBytes) {
      for (int part = 0; part < kParts; ++part) {
        const __m128i v = load(tiles + 16 * part);
        uint8_t* const to = u + 16 * part;
        store(to, _mm_and_si128(v, mask));
        store(to + 64, _mm_and_si128(_mm_srli_epi16(v, 2), mask));
        store(to + 128, _mm_and_si128(_mm_srli_epi16(v, 4), mask));
        store(to + 192, _mm_and_si128(_mm_srli_epi16(v, 6), mask));
      }
    }
  }

  // v - 128 as a signed byte compares with the two borders 256/3 and 512/3; three times that is 3v - 128.
  static void unpack_base3(const uint8_t* tiles, int64_t count, uint8_t* u) {
    for (int64_t t = 0; t < count; ++t, tiles += kTernaryTileBytes, u += 5 * kQuadBytes) {
      for (int part = 0; part < kParts; ++part) {
        __m128i v = _mm_xor_si128(load(tiles + 16 * part), _mm_set1_epi8(-128));
        for (int p = 0; p < 5; ++p, v = _mm_add_epi8(v, _mm_add_epi8(v, v))) {
          const __m128i minus_one = _mm_cmpgt_epi8(v, _mm_set1_epi8(85 - 128));
          const __m128i minus_two = _mm_cmpgt_epi8(v, _mm_set1_epi8(170 - 128));
          const __m128i minus = _mm_add_epi8(minus_one, minus_two);
          store(u + p * kQuadBytes + 16 * part, _mm_sub_epi8(_mm_setzero_si128(), minus));
        }
      }
    }
  }

  static constexpr int64_t kQuadsInInt16 = 64;

  template <int kRows>
  static void multiply_int16(const uint8_t* u, int64_t quads, const int8_t* q, int64_t q_stride, uint32_t* acc) {
    __m128i sum[kRows * kParts] = {};
    for (int64_t quad = 0; quad < quads; ++quad, u += kQuadBytes, q += 4) {
      for (int row = 0; row < kRows; ++row) {
        const __m128i x = four(q + row * q_stride);
        for (int part = 0; part < kParts; ++part) {
          __m128i& to = sum[row * kParts + part];
          to = add_pairs(to, load(u + 16 * part), x);
        }
      }
    }
    for (int i = 0; i < kRows * kParts; ++i) widen_onto(acc + 4 * i, sum[i]);
  }
};

}  // namespace

constexpr TernaryKernels kSse41Ternary = ternary_kernels<TernaryTile>();
static_assert(complete(kSse41Ternary));

}  // namespace tern::cpu
