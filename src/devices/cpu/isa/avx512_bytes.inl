// SPDX-License-Identifier: Apache-2.0
// f32 to i8 by packs that saturate: half the work of what a compiler makes of element_of (100,000 take 5.0 us instead
// of 8.8).

struct Bytes {
  static constexpr bool kByInstruction = true;
  static constexpr int64_t kAtOnce = 64;

  static void narrow(const float* x, int8_t* y) {
    _mm512_storeu_si512(y, packed([=](int l) { return _mm512_loadu_ps(x + l); }));
  }
  // Of n < kAtOnce.
  static void narrow_some(const float* x, int8_t* y, int64_t n) {
    const uint64_t some = (uint64_t{1} << n) - 1;
    const auto load = [=](int l) { return _mm512_maskz_loadu_ps(static_cast<__mmask16>(some >> l), x + l); };
    _mm512_mask_storeu_epi8(y, some, packed(load));
  }

 private:
  // Of the vectors at 0, 16, 32 and 48; packs work on each quarter of a vector by itself.
  template <class At>
  static __m512i packed(const At& at) {
    const __m512i low = _mm512_packs_epi32(truncated(at(0)), truncated(at(16)));
    const __m512i high = _mm512_packs_epi32(truncated(at(32)), truncated(at(48)));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_epi32(order, _mm512_packs_epi16(low, high));
  }
  // What lies below all i32 becomes the least of them, NaN 0.
  static __m512i truncated(__m512 x) {
    const __mmask16 number = _mm512_cmp_ps_mask(x, x, _CMP_ORD_Q);
    return _mm512_maskz_cvttps_epi32(number, _mm512_min_ps(x, _mm512_set1_ps(INT8_MAX)));
  }
};
