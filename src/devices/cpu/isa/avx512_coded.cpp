// SPDX-License-Identifier: Apache-2.0
// CodedTile on AVX-512 VNNI: vpdpbusd adds four byte products to each int32 lane, so a row keeps its lane throughout.
// Accumulators are vectors of their element type for g++ 12's sake (see avx2_pairs.inl).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12 on its own intrinsics (its bug 105593)
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
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
#include "devices/cpu/isa/avx512_vector.inl"
#include "devices/cpu/generic/coded_kernels.inl"
// clang-format on

struct CodedTile {
  // With two planes and the exact floor of the screen fewer rows are left (1.2 deviations instead of 1.5), but a batch's
  // products take twice the arithmetic.
  static constexpr int kScreenPlanes = 1;
  static constexpr int64_t kScreenRows = 64;
  static constexpr bool kUnpacks = true;

  typedef int32_t Int32 __attribute__((vector_size(64)));

  template <int kBits, int kPlanes>
  static void dot(const uint8_t* codes, const int8_t* q, int64_t plane, V::I* sums) {
    Int32 even[kPlanes] = {}, odd[kPlanes] = {};  // two chains a plane; blocks overlap as well
    for (int64_t step = 0; step < kCodedSteps; ++step, codes += coded_step_bytes(kBits), q += 16) {
      __m512i u[4];
      unpack<kBits>(codes, u);
      for (int p = 0; p < kPlanes; ++p) {
        add(even[p], u[0], q + p * plane);
        add(odd[p], u[1], q + p * plane + 4);
        add(even[p], u[2], q + p * plane + 8);
        add(odd[p], u[3], q + p * plane + 12);
      }
    }
    for (int p = 0; p < kPlanes; ++p) sums[p] = {reinterpret_cast<__m512i>(even[p] + odd[p])};
  }

  template <int kBits>
  static void unpack_block(const uint8_t* codes, uint8_t* u) {
    for (int64_t step = 0; step < kCodedSteps; ++step, codes += coded_step_bytes(kBits)) {
      __m512i quads[4];
      unpack<kBits>(codes, quads);
      for (const __m512i& quad : quads) {
        _mm512_store_si512(u, quad);
        u += 64;
      }
    }
  }

 private:
  static void add(Int32& sum, __m512i u, const int8_t* q) {
    int32_t four;
    memcpy(&four, q, sizeof four);
    sum = reinterpret_cast<Int32>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum), u, _mm512_set1_epi32(four)));
  }

  template <int kBits>
  static void unpack(const uint8_t* words, __m512i* u) {
    const auto mask = [](int bits) { return _mm512_set1_epi8(static_cast<char>(bits)); };
    if constexpr (kBits == 8) {
      for (int v = 0; v < 4; ++v) u[v] = _mm512_loadu_si512(words + v * 64);
    } else if constexpr (kBits == 6) {
      constexpr int kOrAnd = 0xf8;  // a | (b & c)
      const __m512i w0 = _mm512_loadu_si512(words), w1 = _mm512_loadu_si512(words + 64);
      const __m512i w2 = _mm512_loadu_si512(words + 128), low = mask(0x3f);
      u[0] = _mm512_and_si512(w0, low);
      u[1] = _mm512_and_si512(w1, low);
      u[2] = _mm512_and_si512(w2, low);
      u[3] = _mm512_and_si512(_mm512_srli_epi16(w0, 6), mask(0x03));
      u[3] = _mm512_ternarylogic_epi32(u[3], _mm512_srli_epi16(w1, 4), mask(0x0c), kOrAnd);
      u[3] = _mm512_ternarylogic_epi32(u[3], _mm512_srli_epi16(w2, 2), mask(0x30), kOrAnd);
    } else {
      for (int v = 0; v < 2; ++v) {
        const __m512i w = _mm512_loadu_si512(words + v * 64);
        u[2 * v] = _mm512_and_si512(w, mask(0x0f));
        u[2 * v + 1] = _mm512_and_si512(_mm512_srli_epi16(w, 4), mask(0x0f));
      }
    }
  }
};

}  // namespace

constexpr CodedKernels kAvx512Coded = coded_kernels<V, CodedTile>();
static_assert(complete(kAvx512Coded));

}  // namespace tern::cpu
