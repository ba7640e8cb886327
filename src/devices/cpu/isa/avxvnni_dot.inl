// SPDX-License-Identifier: Apache-2.0
// The dot product of bytes on AVX-VNNI: vpdpbusd on 256 bits.

struct AvxVnniDot {
  typedef int32_t Int32 __attribute__((vector_size(32)));
  typedef uint16_t Words __attribute__((vector_size(32)));
  typedef int8_t Bytes __attribute__((vector_size(32)));
  static constexpr int kMaxRows = 6;      // 12 accumulators of 16 registers
  static constexpr int kFewRows = 4;      // 8
  static constexpr int kTilesAtOnce = 2;  // 8

  static void add(Int32& sum, Words u, Int32 q) {
    sum = reinterpret_cast<Int32>(_mm256_dpbusd_avx_epi32(reinterpret_cast<__m256i>(sum), reinterpret_cast<__m256i>(u),
                                                          reinterpret_cast<__m256i>(q)));
  }
  static void add_quads(Int32& sum, const Words* u, const int8_t* q) {
    for (int quad = 0; quad < 4; ++quad) add(sum, u[quad], four_activations<Int32>(q + 4 * quad));
  }
};
