// SPDX-License-Identifier: Apache-2.0
// f32 to i8 and i32 as element_of has it, by what AVX2 makes of numbers that are no i32 (the least one) and by packs that
// saturate.

struct Truncation {
  static constexpr bool kByInstruction = true;
  static constexpr int64_t kAtOnce = 32;

  // Packs work on each half of a vector by itself.
  static void run(const float* x, int8_t* y) {
    const auto below = [x](int l) {
      const __m256 given = _mm256_loadu_ps(x + l);
      return truncated(_mm256_min_ps(given, _mm256_set1_ps(INT8_MAX)), given);
    };
    const __m256i low = _mm256_packs_epi32(below(0), below(8)), high = _mm256_packs_epi32(below(16), below(24));
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    store(y, _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order));
  }
  static void run(const float* x, int32_t* y) {
    for (int l = 0; l < kAtOnce; l += 8) {
      const __m256 given = _mm256_loadu_ps(x + l);
      const __m256 above = _mm256_cmp_ps(given, _mm256_set1_ps(0x1p31f), _CMP_GE_OQ);
      const __m256 greatest = _mm256_castsi256_ps(_mm256_set1_epi32(INT32_MAX));
      const __m256 number = _mm256_castsi256_ps(truncated(given, given));
      store(y + l, _mm256_castps_si256(_mm256_blendv_ps(number, greatest, above)));
    }
  }
  // Of n < kAtOnce.
  template <class To>
  static void run_some(const float* x, To* y, int64_t n) {
    float from[kAtOnce] = {};
    To to[kAtOnce];
    memcpy(from, x, static_cast<size_t>(n) * sizeof(float));
    run(from, to);
    memcpy(y, to, static_cast<size_t>(n) * sizeof(To));
  }

 private:
  static void store(void* y, __m256i x) { _mm256_storeu_si256(static_cast<__m256i*>(y), x); }
  // What is not an i32 becomes the least of them; 0 where `given` is NaN.
  static __m256i truncated(__m256 x, __m256 given) {
    const __m256i ordered = _mm256_castps_si256(_mm256_cmp_ps(given, given, _CMP_ORD_Q));
    return _mm256_and_si256(_mm256_cvttps_epi32(x), ordered);
  }
};
