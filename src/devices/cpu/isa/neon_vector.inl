// SPDX-License-Identifier: Apache-2.0
// The 16-lane vector policy on NEON: a vector is four 128-bit registers. What each operation means is written in
// scalar_vector.inl.

struct V {
  static constexpr int kLanes = 16;
  static constexpr int kQuads = 4;
  // The accumulators of a matrix product: rows x vectors.
  static constexpr int kTileRows = 4, kTileVectors = 1;

  struct F {
    float32x4_t v[kQuads];
  };
  struct I {
    int32x4_t v[kQuads];
  };
  struct M {
    uint32x4_t v[kQuads];
  };
  struct D {
    float64x2_t v[2 * kQuads];
  };

  // ---- f32: constants, loads, stores
  static F zero() { return set1(0.0f); }
  static F set1(float x) {
    return each([&](int) { return vdupq_n_f32(x); });
  }
  static F load(const float* p) {
    return each([&](int i) { return vld1q_f32(p + 4 * i); });
  }
  static void store(float* p, F x) {
    vst1q_f32(p, x.v[0]);
    vst1q_f32(p + 4, x.v[1]);
    vst1q_f32(p + 8, x.v[2]);
    vst1q_f32(p + 12, x.v[3]);
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
  static void stream_line(void* to, const void* from) { memcpy(to, from, 64); }
  static void end_streams() {}

  // ---- f32: from and to narrower types
  static F load_i8(const int8_t* p) {
    const int8x16_t x = vld1q_s8(p);
    const int16x8_t low = vmovl_s8(vget_low_s8(x)), high = vmovl_high_s8(x);
    return to_float(
        {{vmovl_s16(vget_low_s16(low)), vmovl_high_s16(low), vmovl_s16(vget_low_s16(high)), vmovl_high_s16(high)}});
  }
  static F load_bf16(const uint16_t* p) {
    return each([&](int i) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p + 4 * i), 16)); });
  }
  static F load_f16(const uint16_t* p) {
    return each([&](int i) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i))); });
  }
  static void store_bf16(uint16_t* p, F x) {
    for (int i = 0; i < kQuads; ++i) vst1_u16(p + 4 * i, narrow_bf16(x.v[i]));
  }
  static void store_f16(uint16_t* p, F x) {
    for (int i = 0; i < kQuads; ++i) vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(x.v[i])));
  }

  // ---- f32: arithmetic
  static F add(F x, F y) {
    return each([&](int i) { return vaddq_f32(x.v[i], y.v[i]); });
  }
  static F sub(F x, F y) {
    return each([&](int i) { return vsubq_f32(x.v[i], y.v[i]); });
  }
  static F mul(F x, F y) {
    return each([&](int i) { return vmulq_f32(x.v[i], y.v[i]); });
  }
  static F div(F x, F y) {
    return each([&](int i) { return vdivq_f32(x.v[i], y.v[i]); });
  }
  static F sqrt(F x) {
    return each([&](int i) { return vsqrtq_f32(x.v[i]); });
  }
  static F fma(F x, F y, F z) {
    return each([&](int i) { return vfmaq_f32(z.v[i], x.v[i], y.v[i]); });
  }
  static F fnma(F x, F y, F z) {
    return each([&](int i) { return vfmsq_f32(z.v[i], x.v[i], y.v[i]); });
  }
  // Not vminq and vmaxq, which give NaN where either side is.
  static F min(F x, F y) { return select(lt(x, y), x, y); }
  static F max(F x, F y) { return select(lt(y, x), x, y); }
  static F neg(F x) {
    return each([&](int i) { return vnegq_f32(x.v[i]); });
  }
  static F abs(F x) {
    return each([&](int i) { return vabsq_f32(x.v[i]); });
  }

  // ---- comparisons and masks
  static M eq(F x, F y) {
    return each_mask([&](int i) { return vceqq_f32(x.v[i], y.v[i]); });
  }
  static M ne(F x, F y) {
    return each_mask([&](int i) { return vmvnq_u32(vceqq_f32(x.v[i], y.v[i])); });
  }
  static M lt(F x, F y) {
    return each_mask([&](int i) { return vcltq_f32(x.v[i], y.v[i]); });
  }
  static M le(F x, F y) {
    return each_mask([&](int i) { return vcleq_f32(x.v[i], y.v[i]); });
  }
  static F select(M m, F x, F y) {
    return each([&](int i) { return vbslq_f32(m.v[i], x.v[i], y.v[i]); });
  }
  static uint32_t bits(M m) {
    const uint8x16_t weights = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x16_t set = vandq_u8(bytes(m), weights);
    return vaddv_u8(vget_low_u8(set)) | static_cast<uint32_t>(vaddv_u8(vget_high_u8(set))) << 8;
  }
  static void store_bool(uint8_t* p, M m) { vst1q_u8(p, vandq_u8(bytes(m), vdupq_n_u8(1))); }

  // ---- i32
  static I set1_i(int32_t x) {
    return each_i([&](int) { return vdupq_n_s32(x); });
  }
  static I load_i(const int32_t* p) {
    return each_i([&](int i) { return vld1q_s32(p + 4 * i); });
  }
  static I load_u8(const uint8_t* p) {
    const uint8x16_t x = vld1q_u8(p);
    const uint16x8_t low = vmovl_u8(vget_low_u8(x)), high = vmovl_high_u8(x);
    return {{vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(low))), vreinterpretq_s32_u32(vmovl_high_u16(low)),
             vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(high))), vreinterpretq_s32_u32(vmovl_high_u16(high))}};
  }
  static void store_i(int32_t* p, I x) {
    for (int i = 0; i < kQuads; ++i) vst1q_s32(p + 4 * i, x.v[i]);
  }
  static void store_i8(int8_t* p, I x) {
    const int16x8_t low = vqmovn_high_s32(vqmovn_s32(x.v[0]), x.v[1]);
    const int16x8_t high = vqmovn_high_s32(vqmovn_s32(x.v[2]), x.v[3]);
    vst1q_s8(p, vqmovn_high_s16(vqmovn_s16(low), high));
  }
  static I add_i(I x, I y) {
    return each_i([&](int i) { return vaddq_s32(x.v[i], y.v[i]); });
  }
  static I sub_i(I x, I y) {
    return each_i([&](int i) { return vsubq_s32(x.v[i], y.v[i]); });
  }
  static I and_i(I x, I y) {
    return each_i([&](int i) { return vandq_s32(x.v[i], y.v[i]); });
  }
  static I or_i(I x, I y) {
    return each_i([&](int i) { return vorrq_s32(x.v[i], y.v[i]); });
  }
  template <int kBits>
  static I shl(I x) {
    return each_i([&](int i) { return vshlq_n_s32(x.v[i], kBits); });
  }
  template <int kBits>
  static I sar(I x) {
    return each_i([&](int i) { return vshrq_n_s32(x.v[i], kBits); });
  }
  // The conversion saturates and makes 0 of NaN: INT32_MIN takes the place of both.
  static I to_int(F x) {
    return each_i([&](int i) {
      const uint32x4_t below = vcltq_f32(x.v[i], vdupq_n_f32(0x1p31f));
      return vbslq_s32(below, vcvtnq_s32_f32(x.v[i]), vdupq_n_s32(INT32_MIN));
    });
  }
  static F to_float(I x) {
    return each([&](int i) { return vcvtq_f32_s32(x.v[i]); });
  }
  static I as_int(F x) {
    return each_i([&](int i) { return vreinterpretq_s32_f32(x.v[i]); });
  }
  static F as_float(I x) {
    return each([&](int i) { return vreinterpretq_f32_s32(x.v[i]); });
  }

  // ---- f64
  static D zero_d() { return widen(zero()); }
  static D widen(F x) {
    return each_d(
        [&](int i) { return i % 2 == 0 ? vcvt_f64_f32(vget_low_f32(x.v[i / 2])) : vcvt_high_f64_f32(x.v[i / 2]); });
  }
  static D add_d(D x, D y) {
    return each_d([&](int i) { return vaddq_f64(x.v[i], y.v[i]); });
  }
  static D fma_d(D x, D y, D z) {
    return each_d([&](int i) { return vfmaq_f64(z.v[i], x.v[i], y.v[i]); });
  }

  // ---- folds by halves
  static float reduce_add(F x) {
    const float32x4_t four = vaddq_f32(vaddq_f32(x.v[0], x.v[2]), vaddq_f32(x.v[1], x.v[3]));
    const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
  }
  static F reduce_add_each(const F* x) {
    float sums[kLanes];
    for (int l = 0; l < kLanes; ++l) sums[l] = reduce_add(x[l]);
    return load(sums);
  }
  static float reduce_max(F x) {
    const float32x4_t four = greater(greater(x.v[0], x.v[2]), greater(x.v[1], x.v[3]));
    const float32x4_t two = greater(four, vextq_f32(four, four, 2));
    return vgetq_lane_f32(greater(two, vextq_f32(two, two, 1)), 0);
  }
  static double reduce_add_d(D x) {
    const float64x2_t low = vaddq_f64(vaddq_f64(x.v[0], x.v[4]), vaddq_f64(x.v[2], x.v[6]));
    const float64x2_t high = vaddq_f64(vaddq_f64(x.v[1], x.v[5]), vaddq_f64(x.v[3], x.v[7]));
    const float64x2_t two = vaddq_f64(low, high);
    return vgetq_lane_f64(two, 0) + vgetq_lane_f64(two, 1);
  }
  static int32_t reduce_add_i(I x) {
    return vaddvq_s32(vaddq_s32(vaddq_s32(x.v[0], x.v[1]), vaddq_s32(x.v[2], x.v[3])));
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
  static float32x4_t greater(float32x4_t x, float32x4_t y) { return vbslq_f32(vcgtq_f32(x, y), x, y); }
  // A byte a lane, all ones or 0.
  static uint8x16_t bytes(M m) {
    const uint16x8_t low = vmovn_high_u32(vmovn_u32(m.v[0]), m.v[1]);
    const uint16x8_t high = vmovn_high_u32(vmovn_u32(m.v[2]), m.v[3]);
    return vmovn_high_u16(vmovn_u16(low), high);
  }
  // bf16 bits: round to nearest even, NaN quieted.
  static uint16x4_t narrow_bf16(float32x4_t x) {
    const uint32x4_t u = vreinterpretq_u32_f32(x);
    const uint32x4_t odd = vandq_u32(vshrq_n_u32(u, 16), vdupq_n_u32(1));
    const uint32x4_t rounded = vaddq_u32(u, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
    const uint32x4_t quiet = vorrq_u32(u, vdupq_n_u32(0x400000));
    return vshrn_n_u32(vbslq_u32(vceqq_f32(x, x), rounded, quiet), 16);
  }
};
