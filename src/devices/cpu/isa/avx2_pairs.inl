// SPDX-License-Identifier: Apache-2.0
// Products of bytes on AVX2: unsigned by signed ones in pairs (vpmaddubsw), which saturates in int16, and their widening.
//
// Accumulators are vectors of their element type, not __m256i: g++ 12 copies an accumulator that changes its type in
// each round of a loop, and spills (the ternary GEMM ran at 170 instead of 280 GOP/s on a Zen 3).

struct BytePairs {
  typedef int16_t Int16 __attribute__((vector_size(32)));
  typedef int32_t Int32 __attribute__((vector_size(32)));

  static __m256i load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static void store(void* p, __m256i v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }

  // Four activations in every lane.
  static __m256i four(const void* q) {
    int32_t bits;
    memcpy(&bits, q, sizeof bits);
    return _mm256_set1_epi32(bits);
  }

  static Int16 pairs(__m256i u, __m256i q) { return reinterpret_cast<Int16>(_mm256_maddubs_epi16(u, q)); }

  // Two int16 pair sums to the int32 of their lane.
  static Int32 widen(Int16 v) {
    return reinterpret_cast<Int32>(_mm256_madd_epi16(reinterpret_cast<__m256i>(v), _mm256_set1_epi16(1)));
  }
};
