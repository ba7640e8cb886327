// SPDX-License-Identifier: Apache-2.0
// The 16-lane vector policy on SSE4.1: a vector is four 128-bit registers. There is neither FMA nor F16C: both are put
// together from other instructions, exactly. What each operation means is written in scalar_vector.inl.

struct V {
  static constexpr int kLanes = 16;
  static constexpr int kQuads = 4;
  // The accumulators of a matrix product: rows x vectors.
  static constexpr int kTileRows = 2, kTileVectors = 1;

  struct F {
    __m128 v[kQuads];
  };
  struct I {
    __m128i v[kQuads];
  };
  struct M {
    __m128 v[kQuads];
  };
  struct D {
    __m128d v[2 * kQuads];
  };

  // ---- f32: constants, loads, stores
  static F zero() { return set1(0.0f); }
  static F set1(float x) {
    return each([&](int) { return _mm_set1_ps(x); });
  }
  static F load(const float* p) {
    return each([&](int i) { return _mm_loadu_ps(p + 4 * i); });
  }
  static void store(float* p, F x) {
    for (int i = 0; i < kQuads; ++i) _mm_storeu_ps(p + 4 * i, x.v[i]);
  }
  static F load_n(const float* p, int64_t n, float fill = 0.0f) {
    float lanes[kLanes];
    for (int l = 0; l < kLanes; ++l) lanes[l] = fill;
    memcpy(lanes, p, static_cast<size_t>(n) * sizeof *p);
    return load(lanes);
  }
  static void store_n(float* p, F x, int64_t n) {
    float lanes[kLanes];
    store(lanes, x);
    memcpy(p, lanes, static_cast<size_t>(n) * sizeof *p);
  }
  static void stream_line(void* to, const void* from) {
    auto* const y = static_cast<__m128i*>(to);
    const auto* const x = static_cast<const __m128i*>(from);
    for (int i = 0; i < kQuads; ++i) _mm_stream_si128(y + i, _mm_load_si128(x + i));
  }
  static void end_streams() { _mm_sfence(); }

  // ---- f32: from and to narrower types
  static F load_i8(const int8_t* p) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return to_float({{_mm_cvtepi8_epi32(x), _mm_cvtepi8_epi32(_mm_srli_si128(x, 4)),
                      _mm_cvtepi8_epi32(_mm_srli_si128(x, 8)), _mm_cvtepi8_epi32(_mm_srli_si128(x, 12))}});
  }
  static F load_bf16(const uint16_t* p) {
    return each([&](int i) { return _mm_castsi128_ps(_mm_slli_epi32(load_words(p + 4 * i), 16)); });
  }
  static F load_f16(const uint16_t* p) {
    return each([&](int i) { return widen_f16(load_words(p + 4 * i)); });
  }
  static void store_bf16(uint16_t* p, F x) {
    store_words(p, each_i([&](int i) { return narrow_bf16(x.v[i]); }));
  }
  static void store_f16(uint16_t* p, F x) {
    store_words(p, each_i([&](int i) { return narrow_f16(x.v[i]); }));
  }

  // ---- f32: arithmetic
  static F add(F x, F y) {
    return each([&](int i) { return _mm_add_ps(x.v[i], y.v[i]); });
  }
  static F sub(F x, F y) {
    return each([&](int i) { return _mm_sub_ps(x.v[i], y.v[i]); });
  }
  static F mul(F x, F y) {
    return each([&](int i) { return _mm_mul_ps(x.v[i], y.v[i]); });
  }
  static F div(F x, F y) {
    return each([&](int i) { return _mm_div_ps(x.v[i], y.v[i]); });
  }
  static F sqrt(F x) {
    return each([&](int i) { return _mm_sqrt_ps(x.v[i]); });
  }
  static F fma(F x, F y, F z) {
    return each([&](int i) { return fma4(x.v[i], y.v[i], z.v[i]); });
  }
  static F fnma(F x, F y, F z) { return fma(neg(x), y, z); }
  static F min(F x, F y) {
    return each([&](int i) { return _mm_min_ps(x.v[i], y.v[i]); });
  }
  static F max(F x, F y) {
    return each([&](int i) { return _mm_max_ps(x.v[i], y.v[i]); });
  }
  static F neg(F x) {
    return each([&](int i) { return _mm_xor_ps(x.v[i], _mm_set1_ps(-0.0f)); });
  }
  static F abs(F x) {
    return each([&](int i) { return _mm_andnot_ps(_mm_set1_ps(-0.0f), x.v[i]); });
  }

  // ---- comparisons and masks
  static M eq(F x, F y) {
    return each_mask([&](int i) { return _mm_cmpeq_ps(x.v[i], y.v[i]); });
  }
  static M ne(F x, F y) {
    return each_mask([&](int i) { return _mm_cmpneq_ps(x.v[i], y.v[i]); });
  }
  static M lt(F x, F y) {
    return each_mask([&](int i) { return _mm_cmplt_ps(x.v[i], y.v[i]); });
  }
  static M le(F x, F y) {
    return each_mask([&](int i) { return _mm_cmple_ps(x.v[i], y.v[i]); });
  }
  static F select(M m, F x, F y) {
    return each([&](int i) { return _mm_blendv_ps(y.v[i], x.v[i], m.v[i]); });
  }
  static uint32_t bits(M m) {
    uint32_t bits = 0;
    for (int i = 0; i < kQuads; ++i) bits |= static_cast<uint32_t>(_mm_movemask_ps(m.v[i])) << (4 * i);
    return bits;
  }
  static void store_bool(uint8_t* p, M m) {
    const __m128i low = _mm_packs_epi32(_mm_castps_si128(m.v[0]), _mm_castps_si128(m.v[1]));
    const __m128i high = _mm_packs_epi32(_mm_castps_si128(m.v[2]), _mm_castps_si128(m.v[3]));
    const __m128i bytes = _mm_and_si128(_mm_packs_epi16(low, high), _mm_set1_epi8(1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
  }

  // ---- i32
  static I set1_i(int32_t x) {
    return each_i([&](int) { return _mm_set1_epi32(x); });
  }
  static I load_i(const int32_t* p) {
    return each_i([&](int i) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p) + i); });
  }
  static I load_u8(const uint8_t* p) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {{_mm_cvtepu8_epi32(x), _mm_cvtepu8_epi32(_mm_srli_si128(x, 4)), _mm_cvtepu8_epi32(_mm_srli_si128(x, 8)),
             _mm_cvtepu8_epi32(_mm_srli_si128(x, 12))}};
  }
  static void store_i(int32_t* p, I x) {
    for (int i = 0; i < kQuads; ++i) _mm_storeu_si128(reinterpret_cast<__m128i*>(p) + i, x.v[i]);
  }
  static void store_i8(int8_t* p, I x) {
    const __m128i bytes = _mm_packs_epi16(_mm_packs_epi32(x.v[0], x.v[1]), _mm_packs_epi32(x.v[2], x.v[3]));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
  }
  static I add_i(I x, I y) {
    return each_i([&](int i) { return _mm_add_epi32(x.v[i], y.v[i]); });
  }
  static I sub_i(I x, I y) {
    return each_i([&](int i) { return _mm_sub_epi32(x.v[i], y.v[i]); });
  }
  static I and_i(I x, I y) {
    return each_i([&](int i) { return _mm_and_si128(x.v[i], y.v[i]); });
  }
  static I or_i(I x, I y) {
    return each_i([&](int i) { return _mm_or_si128(x.v[i], y.v[i]); });
  }
  template <int kBits>
  static I shl(I x) {
    return each_i([&](int i) { return _mm_slli_epi32(x.v[i], kBits); });
  }
  template <int kBits>
  static I sar(I x) {
    return each_i([&](int i) { return _mm_srai_epi32(x.v[i], kBits); });
  }
  static I to_int(F x) {
    return each_i([&](int i) { return _mm_cvtps_epi32(x.v[i]); });
  }
  static F to_float(I x) {
    return each([&](int i) { return _mm_cvtepi32_ps(x.v[i]); });
  }
  static I as_int(F x) {
    return each_i([&](int i) { return _mm_castps_si128(x.v[i]); });
  }
  static F as_float(I x) {
    return each([&](int i) { return _mm_castsi128_ps(x.v[i]); });
  }

  // ---- f64
  static D zero_d() { return widen(zero()); }
  static D widen(F x) {
    return each_d([&](int i) { return _mm_cvtps_pd(i % 2 == 0 ? x.v[i / 2] : high_half(x.v[i / 2])); });
  }
  static D add_d(D x, D y) {
    return each_d([&](int i) { return _mm_add_pd(x.v[i], y.v[i]); });
  }
  // The product of two widened floats is exact.
  static D fma_d(D x, D y, D z) {
    return each_d([&](int i) { return _mm_add_pd(_mm_mul_pd(x.v[i], y.v[i]), z.v[i]); });
  }

  // ---- folds by halves
  static float reduce_add(F x) {
    const __m128 four = _mm_add_ps(_mm_add_ps(x.v[0], x.v[2]), _mm_add_ps(x.v[1], x.v[3]));
    const __m128 two = _mm_add_ps(four, high_half(four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  static F reduce_add_each(const F* x) {
    float sums[kLanes];
    for (int l = 0; l < kLanes; ++l) sums[l] = reduce_add(x[l]);
    return load(sums);
  }
  static float reduce_max(F x) {
    const __m128 four = _mm_max_ps(_mm_max_ps(x.v[0], x.v[2]), _mm_max_ps(x.v[1], x.v[3]));
    const __m128 two = _mm_max_ps(four, high_half(four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
  }
  static double reduce_add_d(D x) {
    const __m128d low = _mm_add_pd(_mm_add_pd(x.v[0], x.v[4]), _mm_add_pd(x.v[2], x.v[6]));
    const __m128d high = _mm_add_pd(_mm_add_pd(x.v[1], x.v[5]), _mm_add_pd(x.v[3], x.v[7]));
    const __m128d two = _mm_add_pd(low, high);
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
  }
  static int32_t reduce_add_i(I x) {
    const __m128i four = _mm_add_epi32(_mm_add_epi32(x.v[0], x.v[1]), _mm_add_epi32(x.v[2], x.v[3]));
    const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
  }

 private:
  template <class Fn>
  static F each(Fn fn) {
    return {{fn(0), fn(1), fn(2), fn(3)}};
  }
  template <class Fn>
  static I each_i(Fn fn) {
    return {{fn(0), fn(1), fn(2), fn(3)}};
  }
  template <class Fn>
  static M each_mask(Fn fn) {
    return {{fn(0), fn(1), fn(2), fn(3)}};
  }
  template <class Fn>
  static D each_d(Fn fn) {
    return {{fn(0), fn(1), fn(2), fn(3), fn(4), fn(5), fn(6), fn(7)}};
  }
  static __m128 high_half(__m128 x) { return _mm_movehl_ps(x, x); }
  static __m128 join(__m128d low, __m128d high) { return _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high)); }

  // The fused operation. Products of floats are exact in double, and their sum with a float is neither subnormal nor
  // infinite there. Rounding that sum to double and then to float differs from rounding once only where the double is a
  // breakpoint of the second rounding, halfway between two floats: it then ends in 28 zero bits.
  static __m128 fma4(__m128 x, __m128 y, __m128 z) {
    const __m128d low = _mm_add_pd(_mm_mul_pd(_mm_cvtps_pd(x), _mm_cvtps_pd(y)), _mm_cvtps_pd(z));
    const __m128d high =
        _mm_add_pd(_mm_mul_pd(_mm_cvtps_pd(high_half(x)), _mm_cvtps_pd(high_half(y))), _mm_cvtps_pd(high_half(z)));
    const __m128i words = _mm_castps_si128(_mm_shuffle_ps(_mm_castpd_ps(low), _mm_castpd_ps(high), 0x88));
    const __m128i halfway = _mm_cmpeq_epi32(_mm_slli_epi32(words, 4), _mm_setzero_si128());
    if (_mm_movemask_epi8(halfway) != 0) [[unlikely]] {
      return fma4_by_odd(x, y, z);
    }
    return join(low, high);
  }

  [[gnu::noinline]] static __m128 fma4_by_odd(__m128 x, __m128 y, __m128 z) {
    return join(fma2_odd(x, y, z), fma2_odd(high_half(x), high_half(y), high_half(z)));
  }

  // x·y + z of the lower two lanes, rounded to odd: toward zero, then the last bit set if anything was lost. Another
  // rounding to at least two bits less gives what one rounding of the exact sum would (Boldo and Melquiond, 2008).
  static __m128d fma2_odd(__m128 x, __m128 y, __m128 z) {
    const __m128d p = _mm_mul_pd(_mm_cvtps_pd(x), _mm_cvtps_pd(y)), c = _mm_cvtps_pd(z);
    const __m128d sum = _mm_add_pd(p, c);
    // TwoSum: p + c = sum + error, exactly. NaN where the sum is infinite or NaN, which stays.
    const __m128d c_part = _mm_sub_pd(sum, p);
    const __m128d error = _mm_add_pd(_mm_sub_pd(p, _mm_sub_pd(sum, c_part)), _mm_sub_pd(c, c_part));
    const __m128d outward = _mm_xor_pd(error, _mm_and_pd(sum, _mm_set1_pd(-0.0)));
    const __m128i too_large = _mm_castpd_si128(_mm_cmplt_pd(outward, _mm_setzero_pd()));
    const __m128i too_small = _mm_castpd_si128(_mm_cmpgt_pd(outward, _mm_setzero_pd()));
    const __m128i lost = _mm_and_si128(_mm_or_si128(too_large, too_small), _mm_set1_epi64x(1));
    const __m128i toward_zero = _mm_add_epi64(_mm_castpd_si128(sum), too_large);
    return _mm_castsi128_pd(_mm_or_si128(toward_zero, lost));
  }

  // Four 16-bit words in the low halves of the lanes.
  static __m128i load_words(const uint16_t* p) {
    return _mm_cvtepu16_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  }
  static void store_words(uint16_t* p, I x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_packus_epi32(x.v[0], x.v[1]));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8), _mm_packus_epi32(x.v[2], x.v[3]));
  }
  // bf16 bits: round to nearest even, NaN quieted.
  static __m128i narrow_bf16(__m128 x) {
    const __m128i u = _mm_castps_si128(x);
    const __m128i odd = _mm_and_si128(_mm_srli_epi32(u, 16), _mm_set1_epi32(1));
    const __m128i rounded = _mm_add_epi32(u, _mm_add_epi32(odd, _mm_set1_epi32(0x7fff)));
    const __m128i quiet = _mm_or_si128(u, _mm_set1_epi32(0x400000));
    const __m128i nan = _mm_castps_si128(_mm_cmpunord_ps(x, x));
    return _mm_srli_epi32(_mm_blendv_epi8(rounded, quiet, nan), 16);
  }

  // The exponent is off by 112 after the shift, for subnormals, too; a product with a power of two mends it.
  static __m128 widen_f16(__m128i h) {
    const __m128i sign = _mm_slli_epi32(_mm_and_si128(h, _mm_set1_epi32(0x8000)), 16);
    const __m128i rest = _mm_and_si128(h, _mm_set1_epi32(0x7fff));
    const __m128 number = _mm_mul_ps(_mm_castsi128_ps(_mm_slli_epi32(rest, 13)), _mm_set1_ps(0x1p112f));
    const __m128i infinity = _mm_and_si128(_mm_cmpgt_epi32(rest, _mm_set1_epi32(0x7bff)), _mm_set1_epi32(0x7f800000));
    const __m128i nan = _mm_and_si128(_mm_cmpgt_epi32(rest, _mm_set1_epi32(0x7c00)), _mm_set1_epi32(0x400000));
    return _mm_castsi128_ps(_mm_or_si128(_mm_or_si128(_mm_castps_si128(number), sign), _mm_or_si128(infinity, nan)));
  }
  static __m128i narrow_f16(__m128 x) {
    const __m128i u = _mm_castps_si128(x);
    const __m128i magnitude = _mm_and_si128(u, _mm_set1_epi32(0x7fffffff));
    const __m128i sign = _mm_and_si128(_mm_srli_epi32(u, 16), _mm_set1_epi32(0x8000));
    const __m128i odd = _mm_and_si128(_mm_srli_epi32(magnitude, 13), _mm_set1_epi32(1));
    const __m128i rounded = _mm_add_epi32(magnitude, _mm_add_epi32(odd, _mm_set1_epi32(0xfff - 0x38000000)));
    __m128i half = _mm_srli_epi32(rounded, 13);
    // Below 2^-14 a multiple of 2^-24, rounded by an addition.
    const __m128i shifted = _mm_castps_si128(_mm_add_ps(_mm_castsi128_ps(magnitude), _mm_set1_ps(0.5f)));
    const __m128i subnormal = _mm_sub_epi32(shifted, _mm_set1_epi32(0x3f000000));
    half = _mm_blendv_epi8(half, subnormal, _mm_cmplt_epi32(magnitude, _mm_set1_epi32(0x38800000)));
    const __m128i infinite = _mm_cmpgt_epi32(magnitude, _mm_set1_epi32(0x477fefff));
    half = _mm_blendv_epi8(half, _mm_set1_epi32(0x7c00), infinite);
    const __m128i payload = _mm_and_si128(_mm_srli_epi32(magnitude, 13), _mm_set1_epi32(0x3ff));
    const __m128i nan = _mm_cmpgt_epi32(magnitude, _mm_set1_epi32(0x7f800000));
    half = _mm_blendv_epi8(half, _mm_or_si128(payload, _mm_set1_epi32(0x7e00)), nan);
    return _mm_or_si128(half, sign);
  }
};
