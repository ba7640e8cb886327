// SPDX-License-Identifier: Apache-2.0
// The 16-lane vector policy in plain C++. It defines what the operations of every policy mean:
//   F: 16 f32 lanes, I: 16 i32 lanes, D: 16 f64 lanes, M: 16 truth values;
//   load_n, store_n: the first n <= 16 lanes, touching no other memory; load_n fills the others;
//   fma(x, y, z) = x·y + z and fnma(x, y, z) = z - x·y, rounded once;
//   min(x, y) = x < y ? x : y and max(x, y) = x > y ? x : y: y where either is NaN or both are zero (as minps, maxps);
//   eq, lt, le are false and ne is true on NaN;  select(m, x, y) = m ? x : y;
//   to_int rounds half to even, INT32_MIN where NaN or out of range;  store_i8 saturates;
//   i32 arithmetic wraps;  sar is the arithmetic shift;  as_int, as_float keep the bits;
//   stream_line copies 64 bytes, both at multiples of 64, where it can past the caches: end_streams() after the last;
//   bf16 and f16 stores round to nearest even, NaN becomes quiet;
//   look_up is table[x mod 16], the table at a multiple of 64 bytes; only the sets with kernels of arrays have it;
//   reduce_* fold by halves: l with l+8, l+4, l+2, l+1;  reduce_add_each: lane l is reduce_add(x[l]).

// a·b + c, rounded once, is an instruction of AArch64's baseline.
struct Fusion {
#ifdef __aarch64__
  static constexpr bool kByInstruction = true;
#else
  static constexpr bool kByInstruction = false;
#endif
};

struct V {
  static constexpr int kLanes = 16;
  // The accumulators of a matrix product: rows x vectors.
  static constexpr int kTileRows = 4, kTileVectors = 1;
  // Vectors that a long chain of operations takes in turn (several.inl).
  static constexpr int kChains = 1;

  struct F {
    float v[kLanes];
  };
  struct I {
    int32_t v[kLanes];
  };
  struct M {
    bool v[kLanes];
  };
  struct D {
    double v[kLanes];
  };

  // ---- f32: constants, loads, stores
  static F zero() { return set1(0.0f); }
  static F set1(float x) {
    return each([&](int) { return x; });
  }
  static F load(const float* p) {
    return each([&](int l) { return p[l]; });
  }
  static void store(float* p, F x) {
    for (int l = 0; l < kLanes; ++l) p[l] = x.v[l];
  }
  static F load_n(const float* p, int64_t n, float fill = 0.0f) {
    return each([&](int l) { return l < n ? p[l] : fill; });
  }
  static void store_n(float* p, F x, int64_t n) {
    for (int l = 0; l < n; ++l) p[l] = x.v[l];
  }
  static void stream_line(void* to, const void* from) { memcpy(to, from, 64); }
  static void end_streams() {}

  // ---- f32: from and to narrower types
  static F load_i8(const int8_t* p) {
    return each([&](int l) { return static_cast<float>(p[l]); });
  }
  static F load_bf16(const uint16_t* p) {
    return each([&](int l) { return float_of(static_cast<uint32_t>(p[l]) << 16); });
  }
  static F load_f16(const uint16_t* p) {
    return each([&](int l) { return widen_f16(p[l]); });
  }
  static void store_bf16(uint16_t* p, F x) {
    for (int l = 0; l < kLanes; ++l) p[l] = narrow_bf16(x.v[l]);
  }
  static void store_f16(uint16_t* p, F x) {
    for (int l = 0; l < kLanes; ++l) p[l] = narrow_f16(x.v[l]);
  }

  // ---- f32: arithmetic
  static F add(F x, F y) {
    return each([&](int l) { return x.v[l] + y.v[l]; });
  }
  static F sub(F x, F y) {
    return each([&](int l) { return x.v[l] - y.v[l]; });
  }
  static F mul(F x, F y) {
    return each([&](int l) { return x.v[l] * y.v[l]; });
  }
  static F div(F x, F y) {
    return each([&](int l) { return x.v[l] / y.v[l]; });
  }
  static F sqrt(F x) {
    return each([&](int l) { return __builtin_sqrtf(x.v[l]); });
  }
  static F fma(F x, F y, F z) {
    return each([&](int l) { return fused(x.v[l], y.v[l], z.v[l]); });
  }
  static F fnma(F x, F y, F z) { return fma(neg(x), y, z); }
  static F min(F x, F y) {
    return each([&](int l) { return x.v[l] < y.v[l] ? x.v[l] : y.v[l]; });
  }
  static F max(F x, F y) {
    return each([&](int l) { return x.v[l] > y.v[l] ? x.v[l] : y.v[l]; });
  }
  static F neg(F x) {
    return each([&](int l) { return -x.v[l]; });
  }
  static F abs(F x) {
    return each([&](int l) { return __builtin_fabsf(x.v[l]); });
  }

  // ---- comparisons and masks
  static M eq(F x, F y) {
    return each_mask([&](int l) { return x.v[l] == y.v[l]; });
  }
  static M ne(F x, F y) {
    return each_mask([&](int l) { return x.v[l] != y.v[l]; });
  }
  static M lt(F x, F y) {
    return each_mask([&](int l) { return x.v[l] < y.v[l]; });
  }
  static M le(F x, F y) {
    return each_mask([&](int l) { return x.v[l] <= y.v[l]; });
  }
  static F select(M m, F x, F y) {
    return each([&](int l) { return m.v[l] ? x.v[l] : y.v[l]; });
  }
  static uint32_t bits(M m) {
    uint32_t bits = 0;
    for (int l = 0; l < kLanes; ++l) bits |= static_cast<uint32_t>(m.v[l]) << l;
    return bits;
  }
  static void store_bool(uint8_t* p, M m) {
    for (int l = 0; l < kLanes; ++l) p[l] = m.v[l];
  }

  // ---- i32
  static I set1_i(int32_t x) {
    return each_i([&](int) { return x; });
  }
  static I load_i(const int32_t* p) {
    return each_i([&](int l) { return p[l]; });
  }
  static I load_u8(const uint8_t* p) {
    return each_i([&](int l) { return int32_t{p[l]}; });
  }
  static void store_i(int32_t* p, I x) {
    for (int l = 0; l < kLanes; ++l) p[l] = x.v[l];
  }
  static void store_i8(int8_t* p, I x) {
    for (int l = 0; l < kLanes; ++l) {
      p[l] = static_cast<int8_t>(x.v[l] < -128 ? -128 : x.v[l] > 127 ? 127 : x.v[l]);
    }
  }
  static I add_i(I x, I y) {
    return each_i([&](int l) { return wrap(unsigned_of(x.v[l]) + unsigned_of(y.v[l])); });
  }
  static I sub_i(I x, I y) {
    return each_i([&](int l) { return wrap(unsigned_of(x.v[l]) - unsigned_of(y.v[l])); });
  }
  static I and_i(I x, I y) {
    return each_i([&](int l) { return x.v[l] & y.v[l]; });
  }
  static I or_i(I x, I y) {
    return each_i([&](int l) { return x.v[l] | y.v[l]; });
  }
  template <int kBits>
  static I shl(I x) {
    return each_i([&](int l) { return wrap(unsigned_of(x.v[l]) << kBits); });
  }
  template <int kBits>
  static I sar(I x) {
    return each_i([&](int l) { return x.v[l] >> kBits; });
  }
  static I to_int(F x) {
    return each_i([&](int l) { return round_to_int(x.v[l]); });
  }
  static F to_float(I x) {
    return each([&](int l) { return static_cast<float>(x.v[l]); });
  }
  static I as_int(F x) {
    return each_i([&](int l) { return wrap(bits_of(x.v[l])); });
  }
  static F as_float(I x) {
    return each([&](int l) { return float_of(unsigned_of(x.v[l])); });
  }

  static F look_up(const float* table, I x) {
    return each([&](int l) { return table[x.v[l] & 15]; });
  }

  // ---- f64
  static D zero_d() { return widen(zero()); }
  static D widen(F x) {
    D r;
    for (int l = 0; l < kLanes; ++l) r.v[l] = static_cast<double>(x.v[l]);
    return r;
  }
  static D add_d(D x, D y) {
    for (int l = 0; l < kLanes; ++l) x.v[l] += y.v[l];
    return x;
  }
  static D fma_d(D x, D y, D z) {
    for (int l = 0; l < kLanes; ++l) z.v[l] = __builtin_fma(x.v[l], y.v[l], z.v[l]);
    return z;
  }

  // ---- folds by halves
  static float reduce_add(F x) {
    for (int half = kLanes / 2; half > 0; half /= 2) {
      for (int l = 0; l < half; ++l) x.v[l] += x.v[l + half];
    }
    return x.v[0];
  }
  static F reduce_add_each(const F* x) {
    return each([&](int l) { return reduce_add(x[l]); });
  }
  static float reduce_max(F x) {
    for (int half = kLanes / 2; half > 0; half /= 2) {
      for (int l = 0; l < half; ++l) x.v[l] = x.v[l] > x.v[l + half] ? x.v[l] : x.v[l + half];
    }
    return x.v[0];
  }
  static double reduce_add_d(D x) {
    for (int half = kLanes / 2; half > 0; half /= 2) {
      for (int l = 0; l < half; ++l) x.v[l] += x.v[l + half];
    }
    return x.v[0];
  }
  static int32_t reduce_add_i(I x) {
    uint32_t sum = 0;
    for (int l = 0; l < kLanes; ++l) sum += unsigned_of(x.v[l]);
    return wrap(sum);
  }

 private:
  template <class Fn>
  static F each(Fn fn) {
    F r;
    for (int l = 0; l < kLanes; ++l) r.v[l] = fn(l);
    return r;
  }
  template <class Fn>
  static I each_i(Fn fn) {
    I r;
    for (int l = 0; l < kLanes; ++l) r.v[l] = fn(l);
    return r;
  }
  template <class Fn>
  static M each_mask(Fn fn) {
    M r;
    for (int l = 0; l < kLanes; ++l) r.v[l] = fn(l);
    return r;
  }
  // The C library's function changes the rounding mode where no instruction does it. Products of floats are exact in
  // double; rounding their sum to double and then to float differs from rounding once only where the double is halfway
  // between two floats, not exactly: it then ends in 28 zero bits.
  static float fused(float x, float y, float z) {
    if constexpr (Fusion::kByInstruction) return __builtin_fmaf(x, y, z);
    const double product = static_cast<double>(x) * static_cast<double>(y), c = static_cast<double>(z);
    const double sum = product + c;
    if ((__builtin_bit_cast(uint64_t, sum) & 0xfffffff) != 0) return static_cast<float>(sum);
    const double of_c = sum - product, error = (product - (sum - of_c)) + (c - of_c);
    return error == 0 ? static_cast<float>(sum) : __builtin_fmaf(x, y, z);
  }
  static uint32_t unsigned_of(int32_t x) { return static_cast<uint32_t>(x); }
  static int32_t wrap(uint32_t x) { return static_cast<int32_t>(x); }
  static uint32_t bits_of(float x) { return __builtin_bit_cast(uint32_t, x); }
  static float float_of(uint32_t x) { return __builtin_bit_cast(float, x); }

  // Adding and subtracting 1.5·2^23 rounds to an integer in the current (nearest even) mode; above 2^22 x is taken
  // apart.
  static int32_t round_to_int(float x) {
    if (!(x >= -2147483648.0f && x < 2147483648.0f)) return INT32_MIN;
    if (__builtin_fabsf(x) >= 4194304.0f) return static_cast<int32_t>(__builtin_rintf(x));
    return static_cast<int32_t>((x + 12582912.0f) - 12582912.0f);
  }
  static uint16_t narrow_bf16(float x) {
    const uint32_t u = bits_of(x);
    if (x != x) return static_cast<uint16_t>((u | 0x400000) >> 16);
    return static_cast<uint16_t>((u + 0x7fff + ((u >> 16) & 1)) >> 16);
  }
  static float widen_f16(uint16_t h) {
    const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16;
    const uint32_t rest = h & 0x7fff;
    if (rest > 0x7c00) return float_of(sign | 0x7fc00000 | (rest & 0x3ff) << 13);
    if (rest == 0x7c00) return float_of(sign | 0x7f800000);
    if (rest >= 0x400) return float_of(sign | ((rest << 13) + 0x38000000));
    return float_of(sign | bits_of(static_cast<float>(rest) * 0x1p-24f));
  }
  static uint16_t narrow_f16(float x) {
    const uint32_t u = bits_of(x), magnitude = u & 0x7fffffff, sign = (u >> 16) & 0x8000;
    if (magnitude > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);
    if (magnitude < 0x38800000) {  // below 2^-14: a multiple of 2^-24, rounded by an addition
      const float shifted = __builtin_fabsf(x) + 0.5f;
      return static_cast<uint16_t>(sign | (bits_of(shifted) - 0x3f000000));
    }
    const uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
    return static_cast<uint16_t>(sign | ((rounded - 0x38000000) >> 13));
  }
};
