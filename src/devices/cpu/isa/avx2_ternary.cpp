// SPDX-License-Identifier: Apache-2.0
// Ternary products on AVX2: unsigned x signed byte products in pairs (vpmaddubsw), added in int16 and widened before
// they could wrap. A pair of digits up to 2 with activations in [-128, 127] lies in [-512, 508], so 64 of them fit in
// int16.
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
#include "devices/cpu/generic/ternary_int16_tile.inl"
#include "devices/cpu/isa/avx2_pairs.inl"
// clang-format on

struct TernaryTile : Int16TernaryTile<TernaryTile>, BytePairs {
  static constexpr int64_t kMaxRows = 6;  // 12 accumulators of 16 registers
  static constexpr int64_t kFewRows = 4;  // 8 accumulators beside the digits as they come

  static void prefetch(const uint8_t* p) { _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0); }

  // Sums of half a two_bit tile, 8 rows. The odd quads of columns keep their place two bits up and count four times in
  // `high`, which saves two of the four shifts.
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

  static void dot(const uint8_t* tiles, int64_t count, const int8_t* q, int64_t ahead, uint32_t* out) {
    // 16 pair sums in `high` lie between -4·512·16 = -32768 and 4·508·16 = 32512: 8 tiles.
    constexpr int64_t kTilesInInt16 = 8;
    Int32 sum0 = {}, sum1 = {};
    while (count > 0) {
      Half half0, half1;
      const int64_t some = smaller(count, kTilesInInt16);
      for (int64_t t = 0; t < some; ++t, tiles += kTernaryTileBytes, q += 16) {
        prefetch(tiles + ahead);
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

  // base3 without multiplying out digits: v - 128 as a signed byte compares with the two borders 256/3 and 512/3, which
  // gives minus the digit. The activations take the unsigned side, 128 up, and Σ u takes these 128 off at the end.
  // A pair lies in [-1020, 0].
  struct MinusDigits {
    __m256i v;

    explicit MinusDigits(const uint8_t* tile) : v(_mm256_xor_si256(load(tile), _mm256_set1_epi8(-128))) {}
    __m256i next() {
      const __m256i one = _mm256_cmpgt_epi8(v, _mm256_set1_epi8(85 - 128));
      const __m256i two = _mm256_cmpgt_epi8(v, _mm256_set1_epi8(170 - 128));
      v = _mm256_add_epi8(v, _mm256_add_epi8(v, v));
      return _mm256_add_epi8(one, two);
    }
  };

  static void dot_base3(const uint8_t* tiles, int64_t count, const int8_t* q, int64_t ahead, uint32_t* out) {
    constexpr int64_t kTilesInInt16 = 6;  // 30 pairs: -30600
    constexpr int64_t kTilesAtOnce = 8 * kTilesInInt16;
    alignas(32) uint8_t raised[kTilesAtOnce * 20];
    Int32 sum0 = {}, sum1 = {};
    while (count > 0) {
      int64_t some = smaller(count, kTilesAtOnce);
      count -= some;
      for (int64_t i = 0; i < some * 20; ++i) raised[i] = static_cast<uint8_t>(q[i] ^ -128);
      q += some * 20;
      const uint8_t* x = raised;
      while (some > 0) {
        Int16 half0 = {}, half1 = {};
        const int64_t few = smaller(some, kTilesInInt16);
        for (int64_t t = 0; t < few; ++t, tiles += kTernaryTileBytes) {
          prefetch(tiles + ahead);
          MinusDigits digits0(tiles), digits1(tiles + 32);
          for (int p = 0; p < 5; ++p, x += 4) {
            const __m256i activations = four(x);
            half0 += pairs(activations, digits0.next());
            half1 += pairs(activations, digits1.next());
          }
        }
        sum0 += widen(half0);
        sum1 += widen(half1);
        some -= few;
      }
    }
    // `tiles` is now at Σ u.
    finish_base3(sum0, tiles, out);
    finish_base3(sum1, tiles + 32, out + 8);
  }

  static void finish_base3(Int32 minus, const uint8_t* digit_sums, uint32_t* out) {
    const __m256i raised = _mm256_slli_epi32(load(digit_sums), 7);
    const __m256i sum = _mm256_add_epi32(reinterpret_cast<__m256i>(minus), raised);
    store(out, _mm256_sub_epi32(_mm256_setzero_si256(), sum));
  }

  // The quads of half a tile, one after the other.
  struct TwoBitDigits {
    __m256i v;
    explicit TwoBitDigits(const uint8_t* tile) : v(load(tile)) {}
    __m256i next() {
      const __m256i u = _mm256_and_si256(v, _mm256_set1_epi8(3));
      v = _mm256_srli_epi16(v, 2);
      return u;
    }
  };
  struct Base3Digits : MinusDigits {
    using MinusDigits::MinusDigits;
    __m256i next() { return _mm256_sub_epi8(_mm256_setzero_si256(), MinusDigits::next()); }
  };

  template <TernaryLayout kLayout, int kRows>
  static void dot_rows(const uint8_t* tiles, int64_t count, const int8_t* q, int64_t q_stride, int64_t ahead,
                       uint32_t* out) {
    constexpr bool kBase3 = kLayout == TernaryLayout::base3;
    using Digits = std::conditional_t<kBase3, Base3Digits, TwoBitDigits>;
    constexpr int kQuads = kBase3 ? 5 : 4;
    constexpr int64_t kTilesInInt16 = 64 / kQuads;
    memset(out, 0, kRows * kTernaryRows * sizeof *out);
    while (count > 0) {
      Int16 sum[kRows][2] = {};
      const int64_t some = smaller(count, kTilesInInt16);
      for (int64_t t = 0; t < some; ++t, tiles += kTernaryTileBytes) {
        prefetch(tiles + ahead);
        Digits digits0(tiles), digits1(tiles + 32);
        for (int p = 0; p < kQuads; ++p, q += 4) {
          const __m256i u0 = digits0.next(), u1 = digits1.next();
          for (int row = 0; row < kRows; ++row) {
            const __m256i x = four(q + row * q_stride);
            sum[row][0] += pairs(u0, x);
            sum[row][1] += pairs(u1, x);
          }
        }
      }
      add_widened(sum, out);
      count -= some;
    }
  }

  // out[row][half] += the pair sums.
  template <int kRows>
  static void add_widened(const Int16 (&sum)[kRows][2], uint32_t* out) {
    for (int row = 0; row < kRows; ++row) {
      for (int half = 0; half < 2; ++half) {
        uint32_t* const to = out + row * kTernaryRows + half * 8;
        store(to, _mm256_add_epi32(load(to), reinterpret_cast<__m256i>(widen(sum[row][half]))));
      }
    }
  }

  static void unpack(const uint8_t* tiles, int64_t count, uint8_t* u) {
    const __m256i mask = _mm256_set1_epi8(3);
    for (int64_t half = 0; half < 2 * count; ++half, tiles += 32) {
      const __m256i v = load(tiles);
      uint8_t* const to = u + half / 2 * 4 * kQuadBytes + half % 2 * 32;
      store(to, _mm256_and_si256(v, mask));
      store(to + 64, _mm256_and_si256(_mm256_srli_epi16(v, 2), mask));
      store(to + 128, _mm256_and_si256(_mm256_srli_epi16(v, 4), mask));
      store(to + 192, _mm256_and_si256(_mm256_srli_epi16(v, 6), mask));
    }
  }

  static void unpack_base3(const uint8_t* tiles, int64_t count, uint8_t* u) {
    for (int64_t half = 0; half < 2 * count; ++half, tiles += 32) {
      Base3Digits digits(tiles);
      uint8_t* const to = u + half / 2 * 5 * kQuadBytes + half % 2 * 32;
      for (int p = 0; p < 5; ++p) store(to + p * kQuadBytes, digits.next());
    }
  }

  static constexpr int64_t kQuadsInInt16 = 64;

  // quads > 0. A function of its own: inlined, g++ 12 keeps values of the loop around it in the registers that the 16
  // accumulators and operands need, and spills two accumulators.
  template <int kRows>
  [[gnu::noinline]] static void multiply_int16(const uint8_t* u, int64_t quads, const int8_t* q, int64_t q_stride,
                                               uint32_t* acc) {
    Int16 sum[kRows][2] = {};
    const uint8_t* const end = u + quads * kQuadBytes;
    const int8_t* far = q + 3 * q_stride;  // two bases reach six rows by 0, 1 or 2 strides
    do {
      const __m256i u0 = load(u), u1 = load(u + 32);
      for (int row = 0; row < kRows; ++row) {
        const __m256i x = four(row < 3 ? q + row * q_stride : far + (row - 3) * q_stride);
        sum[row][0] += pairs(u0, x);
        sum[row][1] += pairs(u1, x);
      }
      q += 4;
      far += 4;
      u += kQuadBytes;
    } while (u != end);
    add_widened(sum, acc);
  }
};

}  // namespace

constexpr TernaryKernels kAvx2Ternary = ternary_kernels<TernaryTile>();
static_assert(complete(kAvx2Ternary));

}  // namespace tern::cpu
