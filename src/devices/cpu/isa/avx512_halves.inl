// SPDX-License-Identifier: Apache-2.0
// f16 to f32 and back on AVX-512, sixteen at a time, the last ones under a mask.

struct Halves {
  static constexpr bool kByInstruction = true;

  static void widen(const uint16_t* x, float* y, int64_t count) {
    for (; count >= 16; count -= 16, x += 16, y += 16) {
      _mm512_storeu_ps(y, _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x))));
    }
    const auto rest = static_cast<__mmask16>((1u << count) - 1);
    _mm512_mask_storeu_ps(y, rest, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(rest, x)));
  }

  static void narrow(const float* x, uint16_t* y, int64_t count) {
    // Whole lines: halves of one would have to reach the cache before it could go past it (write_blocks).
    for (; count >= 32; count -= 32, x += 32, y += 32) {
      _mm512_storeu_si512(y, _mm512_inserti64x4(_mm512_castsi256_si512(narrowed(x)), narrowed(x + 16), 1));
    }
    for (; count >= 16; count -= 16, x += 16, y += 16) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(y), narrowed(x));
    }
    const auto rest = static_cast<__mmask16>((1u << count) - 1);
    _mm256_mask_storeu_epi16(y, rest, _mm512_cvtps_ph(_mm512_maskz_loadu_ps(rest, x), _MM_FROUND_TO_NEAREST_INT));
  }

 private:
  static __m256i narrowed(const float* x) { return _mm512_cvtps_ph(_mm512_loadu_ps(x), _MM_FROUND_TO_NEAREST_INT); }
};
