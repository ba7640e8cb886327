// SPDX-License-Identifier: Apache-2.0
// The 16-lane vector policy on AVX-512 (F, BW, VL, DQ): a vector is one register, a mask is one mask register.
// What each operation means is written in scalar_vector.inl.

// What products use for the last columns, at most 8: half a vector takes half the time where a whole one passes in halves.
struct HalfV {
  static constexpr int kLanes = 8;

  struct F {
    __m256 v;
  };

  static F zero() { return {_mm256_setzero_ps()}; }
  static F set1(float x) { return {_mm256_set1_ps(x)}; }
  static F load_n(const float* p, int64_t n, float = 0.0f) { return {_mm256_maskz_loadu_ps(first_n(n), p)}; }
  static void store_n(float* p, F x, int64_t n) { _mm256_mask_storeu_ps(p, first_n(n), x.v); }
  static F fma(F x, F y, F z) { return {_mm256_fmadd_ps(x.v, y.v, z.v)}; }

 private:
  static __mmask8 first_n(int64_t n) { return static_cast<__mmask8>((1u << n) - 1); }
};

struct V {
  static constexpr int kLanes = 16;
  using Half = HalfV;
  // The accumulators of a matrix product: rows x vectors.
  static constexpr int kTileRows = 12, kTileVectors = 2;
  // Vectors that a long chain of operations takes in turn (several.inl).
  static constexpr int kChains = 3;

  struct F {
    __m512 v;
  };
  struct I {
    __m512i v;
  };
  struct M {
    __mmask16 v;
  };
  struct D {
    __m512d a, b;
  };

  // ---- f32: constants, loads, stores
  static F zero() { return {_mm512_setzero_ps()}; }
  static F set1(float x) { return {_mm512_set1_ps(x)}; }
  static F load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static void store(float* p, F x) { _mm512_storeu_ps(p, x.v); }
  static F load_n(const float* p, int64_t n, float fill = 0.0f) {
    return {_mm512_mask_loadu_ps(_mm512_set1_ps(fill), first_n(n), p)};
  }
  static void store_n(float* p, F x, int64_t n) { _mm512_mask_storeu_ps(p, first_n(n), x.v); }
  static void stream_line(void* to, const void* from) {
    _mm512_stream_si512(static_cast<__m512i*>(to), _mm512_load_si512(from));
  }
  static void end_streams() { _mm_sfence(); }

  // ---- f32: from and to narrower types
  static F load_i8(const int8_t* p) {
    return to_float({_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))});
  }
  static F load_bf16(const uint16_t* p) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load_256(p)), 16))};
  }
  static F load_f16(const uint16_t* p) { return {_mm512_cvtph_ps(load_256(p))}; }
  static void store_bf16(uint16_t* p, F x) { store_256(p, bf16_of(x)); }
  static void store_f16(uint16_t* p, F x) { store_256(p, f16_of(x)); }
  // Two vectors at once.
  static void store_bf16(uint16_t* p, F x, F y) { store_512(p, bf16_of(x), bf16_of(y)); }
  static void store_f16(uint16_t* p, F x, F y) { store_512(p, f16_of(x), f16_of(y)); }

  // ---- f32: arithmetic
  static F add(F x, F y) { return {_mm512_add_ps(x.v, y.v)}; }
  static F sub(F x, F y) { return {_mm512_sub_ps(x.v, y.v)}; }
  static F mul(F x, F y) { return {_mm512_mul_ps(x.v, y.v)}; }
  static F div(F x, F y) { return {_mm512_div_ps(x.v, y.v)}; }
  // The instruction takes twice as long as what follows, which gives its bits: from an estimate y of 1/sqrt(x) that is
  // right to 2^-14, one step of Goldschmidt's to g = sqrt(x) and h = 1/(2·sqrt(x)), and g corrected by its exact
  // residual (Markstein). Whatever the estimate within 2^-14, the result is right for all x of two binades (tried, all
  // of them), and so for those whose residual is no subnormal number.
  static F sqrt(F x) {
    const __mmask16 ordinary =
        _mm512_mask_cmp_ps_mask(_mm512_cmp_ps_mask(x.v, _mm512_set1_ps(__builtin_inff()), _CMP_LT_OQ), x.v,
                                _mm512_set1_ps(0x1p-60f), _CMP_GE_OQ);
    if (ordinary != 0xffff) return {_mm512_sqrt_ps(x.v)};
    const __m512 half = _mm512_set1_ps(0.5f), y = _mm512_rsqrt14_ps(x.v);
    const __m512 g = _mm512_mul_ps(x.v, y), h = _mm512_mul_ps(half, y);
    const __m512 off = _mm512_fnmadd_ps(g, h, half);
    const __m512 root = _mm512_fmadd_ps(g, off, g), half_inverse = _mm512_fmadd_ps(h, off, h);
    return {_mm512_fmadd_ps(_mm512_fnmadd_ps(root, root, x.v), half_inverse, root)};
  }
  static F fma(F x, F y, F z) { return {_mm512_fmadd_ps(x.v, y.v, z.v)}; }
  static F fnma(F x, F y, F z) { return {_mm512_fnmadd_ps(x.v, y.v, z.v)}; }
  static F min(F x, F y) { return {_mm512_min_ps(x.v, y.v)}; }
  static F max(F x, F y) { return {_mm512_max_ps(x.v, y.v)}; }
  // size >= 0 with x's sign.
  static F with_sign(F size, F x) {
    const __m512i sign = _mm512_set1_epi32(INT32_MIN);
    const __m512i y = _mm512_ternarylogic_epi32(sign, _mm512_castps_si512(x.v), _mm512_castps_si512(size.v), 0xea);
    return {_mm512_castsi512_ps(y)};  // sign & x | size
  }
  // x·2^n, rounded once; 0 where m.
  static F scale_unless(M m, F x, I n) {
    return {_mm512_maskz_scalef_ps(static_cast<__mmask16>(~m.v), x.v, to_float(n).v)};
  }
  static F neg(F x) { return {_mm512_xor_ps(x.v, _mm512_set1_ps(-0.0f))}; }
  static F abs(F x) { return {_mm512_andnot_ps(_mm512_set1_ps(-0.0f), x.v)}; }

  // ---- comparisons and masks
  static M eq(F x, F y) { return {_mm512_cmp_ps_mask(x.v, y.v, _CMP_EQ_OQ)}; }
  static M ne(F x, F y) { return {_mm512_cmp_ps_mask(x.v, y.v, _CMP_NEQ_UQ)}; }
  static M lt(F x, F y) { return {_mm512_cmp_ps_mask(x.v, y.v, _CMP_LT_OQ)}; }
  static M le(F x, F y) { return {_mm512_cmp_ps_mask(x.v, y.v, _CMP_LE_OQ)}; }
  static F select(M m, F x, F y) { return {_mm512_mask_blend_ps(m.v, y.v, x.v)}; }
  static uint32_t bits(M m) { return m.v; }
  static void store_bool(uint8_t* p, M m) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_maskz_set1_epi8(m.v, 1));
  }

  // ---- i32
  static I set1_i(int32_t x) { return {_mm512_set1_epi32(x)}; }
  static I load_i(const int32_t* p) { return {_mm512_loadu_si512(p)}; }
  static I load_u8(const uint8_t* p) {
    return {_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
  }
  static void store_i(int32_t* p, I x) { _mm512_storeu_si512(p, x.v); }
  static void store_i8(int8_t* p, I x) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(x.v)); }
  static I add_i(I x, I y) { return {_mm512_add_epi32(x.v, y.v)}; }
  static I sub_i(I x, I y) { return {_mm512_sub_epi32(x.v, y.v)}; }
  static I and_i(I x, I y) { return {_mm512_and_si512(x.v, y.v)}; }
  static I or_i(I x, I y) { return {_mm512_or_si512(x.v, y.v)}; }
  template <int kBits>
  static I shl(I x) {
    return {_mm512_slli_epi32(x.v, kBits)};
  }
  template <int kBits>
  static I sar(I x) {
    return {_mm512_srai_epi32(x.v, kBits)};
  }
  static I to_int(F x) { return {_mm512_cvtps_epi32(x.v)}; }
  static F to_float(I x) { return {_mm512_cvtepi32_ps(x.v)}; }
  static I as_int(F x) { return {_mm512_castps_si512(x.v)}; }
  static F as_float(I x) { return {_mm512_castsi512_ps(x.v)}; }

  static F look_up(const float* table, I x) { return {_mm512_permutexvar_ps(x.v, _mm512_load_ps(table))}; }

  // ---- f64
  static D zero_d() { return {_mm512_setzero_pd(), _mm512_setzero_pd()}; }
  static D widen(F x) {
    return {_mm512_cvtps_pd(_mm512_castps512_ps256(x.v)), _mm512_cvtps_pd(_mm512_extractf32x8_ps(x.v, 1))};
  }
  static D add_d(D x, D y) { return {_mm512_add_pd(x.a, y.a), _mm512_add_pd(x.b, y.b)}; }
  static D fma_d(D x, D y, D z) { return {_mm512_fmadd_pd(x.a, y.a, z.a), _mm512_fmadd_pd(x.b, y.b, z.b)}; }

  // ---- folds by halves
  static float reduce_add(F x) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(x.v), _mm512_extractf32x8_ps(x.v, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  // Each fold takes the halves of two vectors side by side.
  static F reduce_add_each(const F* x) {
    __m512 y[8];
    for (int r = 0; r < 8; ++r) {
      y[r] =
          _mm512_add_ps(_mm512_shuffle_f32x4(x[r].v, x[r + 8].v, 0x44), _mm512_shuffle_f32x4(x[r].v, x[r + 8].v, 0xee));
    }
    for (int r = 0; r < 4; ++r) {
      y[r] = _mm512_add_ps(_mm512_shuffle_f32x4(y[r], y[r + 4], 0x88), _mm512_shuffle_f32x4(y[r], y[r + 4], 0xdd));
    }
    for (int r = 0; r < 2; ++r) {
      const __m512d a = _mm512_castps_pd(y[r]), b = _mm512_castps_pd(y[r + 2]);
      y[r] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)), _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
    }
    y[0] = _mm512_add_ps(_mm512_shuffle_ps(y[0], y[1], 0x88), _mm512_shuffle_ps(y[0], y[1], 0xdd));
    const __m512i order = _mm512_setr_epi32(0, 2, 1, 3, 8, 10, 9, 11, 4, 6, 5, 7, 12, 14, 13, 15);
    return {_mm512_permutexvar_ps(order, y[0])};
  }
  static float reduce_max(F x) {
    const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(x.v), _mm512_extractf32x8_ps(x.v, 1));
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
  }
  static double reduce_add_d(D x) {
    const __m512d eight = _mm512_add_pd(x.a, x.b);
    const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
  }
  static int32_t reduce_add_i(I x) {
    const __m256i eight = _mm256_add_epi32(_mm512_castsi512_si256(x.v), _mm512_extracti64x4_epi64(x.v, 1));
    const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
  }

 private:
  // The lanes below n <= 16.
  static __mmask16 first_n(int64_t n) { return static_cast<__mmask16>((1u << n) - 1); }
  static __m256i load_256(const uint16_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static void store_256(uint16_t* p, __m256i x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x); }
  static void store_512(uint16_t* p, __m256i x, __m256i y) {
    _mm512_storeu_si512(p, _mm512_inserti64x4(_mm512_castsi256_si512(x), y, 1));
  }
  static __m256i bf16_of(F x) {
    const __m512i u = _mm512_castps_si512(x.v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __mmask16 nan = _mm512_cmp_ps_mask(x.v, x.v, _CMP_UNORD_Q);
    const __m512i value = _mm512_mask_or_epi32(rounded, nan, u, _mm512_set1_epi32(0x400000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(value, 16));
  }
  static __m256i f16_of(F x) { return _mm512_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT); }
};
