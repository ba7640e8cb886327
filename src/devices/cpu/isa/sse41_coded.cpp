// SPDX-License-Identifier: Apache-2.0
// Products with coded weights on SSE4.1: unsigned x signed byte products in pairs (pmaddubsw). With codes of 6 bits and
// |q| <= 127 a pair is at most 2·63·127 = 16002: two pairs fit in int16.
#include <math.h>
#include <smmintrin.h>
#include <stdint.h>
#include <string.h>

#include "device/kernels.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

// Each uses those above it.
// clang-format off
#include "devices/cpu/isa/sse41_vector.inl"
#include "devices/cpu/generic/coded_kernels.inl"
#include "devices/cpu/generic/dot_vectors.inl"
#include "devices/cpu/generic/coded_dot_tile.inl"
// clang-format on

struct PairProducts {
  typedef int32_t Int32 __attribute__((vector_size(16)));
  typedef uint16_t Words __attribute__((vector_size(16)));

  static void add_quads(Int32& sum, const Words* u, const int8_t* q) {
    const __m128i first = _mm_add_epi16(pairs(u[0], q), pairs(u[1], q + 4));
    const __m128i second = _mm_add_epi16(pairs(u[2], q + 8), pairs(u[3], q + 12));
    sum += widen(first) + widen(second);
  }

 private:
  static __m128i pairs(Words u, const int8_t* q) {
    return _mm_maddubs_epi16(reinterpret_cast<__m128i>(u), reinterpret_cast<__m128i>(four_activations<Int32>(q)));
  }
  // Two int16 pair sums to the int32 of their lane.
  static Int32 widen(__m128i v) { return reinterpret_cast<Int32>(_mm_madd_epi16(v, _mm_set1_epi16(1))); }
};

}  // namespace

constexpr CodedKernels kSse41Coded = coded_kernels<V, CodedDotTile<V, PairProducts>>();
static_assert(complete(kSse41Coded));

}  // namespace tern::cpu
