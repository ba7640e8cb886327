// SPDX-License-Identifier: Apache-2.0
// CodedTile on AVX2: unsigned x signed byte products in pairs (vpmaddubsw), added in int16 as long as they cannot wrap:
// with |q| <= 127 a pair is at most 2·15·127 = 3810 for half bytes and 2·63·127 = 16002 for 6 bits; 8 bits go as two
// half bytes.
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "device/kernels.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

// Each uses those above it.
// clang-format off
#include "devices/cpu/isa/avx2_vector.inl"
#include "devices/cpu/generic/coded_kernels.inl"
#include "devices/cpu/isa/avx2_pairs.inl"
// clang-format on

struct CodedTile : BytePairs {
  // A second plane would double the products (32 to 1024 weights), to take away a fifth of the bound: normal
  // activations in one plane lose 0.55 % of their norm, weights in 6 bits 1.6 to 2.4 %. Not timed with two.
  static constexpr int kScreenPlanes = 1;
  static constexpr int64_t kScreenRows = 4;
  static constexpr bool kUnpacks = false;

  template <int kBits, int kPlanes>
  static void dot(const uint8_t* codes, const int8_t* q, int64_t plane, V::I* sums) {
    Int32 acc[kPlanes * 2] = {};
    for (int64_t step = 0; step < kCodedSteps; ++step, codes += coded_step_bytes(kBits), q += 16) {
      for (int half = 0; half < 2; ++half) {
        if constexpr (kBits == 8) {
          add_bytes<kPlanes>(codes + half * 32, q, plane, acc + half);
        } else {
          add_quads<kBits, kPlanes>(codes + half * 32, q, plane, acc + half);
        }
      }
    }
    for (int p = 0; p < kPlanes; ++p) {
      sums[p] = {reinterpret_cast<__m256i>(acc[2 * p]), reinterpret_cast<__m256i>(acc[2 * p + 1])};
    }
  }

 private:
  static __m256i mask(int bits) { return _mm256_set1_epi8(static_cast<char>(bits)); }

  // One step of 8 rows; acc[2p] for plane p.
  template <int kBits, int kPlanes>
  static void add_quads(const uint8_t* words, const int8_t* q, int64_t plane, Int32* acc) {
    __m256i u[4];
    if constexpr (kBits == 6) {
      const __m256i w0 = load(words), w1 = load(words + 64), w2 = load(words + 128), low = mask(0x3f);
      u[0] = _mm256_and_si256(w0, low);
      u[1] = _mm256_and_si256(w1, low);
      u[2] = _mm256_and_si256(w2, low);
      u[3] = _mm256_or_si256(_mm256_or_si256(_mm256_and_si256(_mm256_srli_epi16(w0, 6), mask(0x03)),
                                             _mm256_and_si256(_mm256_srli_epi16(w1, 4), mask(0x0c))),
                             _mm256_and_si256(_mm256_srli_epi16(w2, 2), mask(0x30)));
    } else {
      for (int v = 0; v < 2; ++v) {
        const __m256i w = load(words + v * 64);
        u[2 * v] = _mm256_and_si256(w, mask(0x0f));
        u[2 * v + 1] = _mm256_and_si256(_mm256_srli_epi16(w, 4), mask(0x0f));
      }
    }
    for (int p = 0; p < kPlanes; ++p, q += plane) {
      const Int16 first = pairs(u[0], four(q)) + pairs(u[1], four(q + 4));
      const Int16 second = pairs(u[2], four(q + 8)) + pairs(u[3], four(q + 12));
      acc[2 * p] += kBits == 6 ? widen(first) + widen(second) : widen(first + second);
    }
  }

  template <int kPlanes>
  static void add_bytes(const uint8_t* words, const int8_t* q, int64_t plane, Int32* acc) {
    for (int p = 0; p < kPlanes; ++p, q += plane) {
      Int16 low = {}, high = {};
      for (int v = 0; v < 4; ++v) {
        const __m256i w = load(words + v * 64), x = four(q + 4 * v);
        low += pairs(_mm256_and_si256(w, mask(0x0f)), x);
        high += pairs(_mm256_and_si256(_mm256_srli_epi16(w, 4), mask(0x0f)), x);
      }
      acc[2 * p] += widen(low) + (widen(high) << 4);
    }
  }
};

}  // namespace

constexpr CodedKernels kAvx2Coded = coded_kernels<V, CodedTile>();
static_assert(complete(kAvx2Coded));

}  // namespace tern::cpu
