// SPDX-License-Identifier: Apache-2.0
// What quick_sort.inl needs of a vector of unsigned keys, in AVX-512. Masks of all lanes are given: without a mask, g++
// 12 warns of what such intrinsics leave undefined.

template <class K>
struct KeyLanes;

template <>
struct KeyLanes<uint32_t> {
  using Key = uint32_t;
  using V = __m512i;
  using Mask = __mmask16;
  static constexpr int kCount = 16, kMostRows = 16;  // half of all registers
  static constexpr Mask kAll = 0xffff;

  static V load(const uint32_t* p) { return _mm512_loadu_si512(p); }
  // The first n lanes; the others are the greatest key.
  static V load_some(const uint32_t* p, int64_t n) {
    return _mm512_mask_loadu_epi32(_mm512_set1_epi32(-1), first(n), p);
  }
  static V padded(V v, int64_t n) { return _mm512_mask_mov_epi32(_mm512_set1_epi32(-1), first(n), v); }
  static void store(uint32_t* p, V v) { _mm512_storeu_si512(p, v); }
  static void store_some(uint32_t* p, V v, int64_t n) { _mm512_mask_storeu_epi32(p, first(n), v); }
  static V all(uint32_t key) { return _mm512_set1_epi32(static_cast<int>(key)); }
  static V least(V a, V b) { return _mm512_maskz_min_epu32(kAll, a, b); }
  static V greatest(V a, V b) { return _mm512_maskz_max_epu32(kAll, a, b); }
  static Mask less(V a, V b) { return _mm512_cmplt_epu32_mask(a, b); }
  static Mask not_greater(V a, V b) { return _mm512_cmple_epu32_mask(a, b); }
  static bool has(V v, uint32_t key) { return _mm512_cmpeq_epi32_mask(v, all(key)) != 0; }

  // Lanes l with a bit of kUpper in l from b, the others from a.
  template <int kUpper>
  static V chosen(V a, V b) {
    return _mm512_mask_mov_epi32(a, upper<kUpper>(), b);
  }
  template <int kUpper>
  static V least_and_greatest(V a, V b) {
    return _mm512_mask_max_epu32(least(a, b), upper<kUpper>(), a, b);
  }

  // Lane l takes lane l ^ kFlip.
  template <int kFlip>
  static V flipped(V v) {
    if constexpr (kFlip < 4) {
      constexpr int k = kFlip;
      return _mm512_maskz_shuffle_epi32(kAll, v,
                                        static_cast<_MM_PERM_ENUM>(k | (1 ^ k) << 2 | (2 ^ k) << 4 | (3 ^ k) << 6));
    } else if constexpr (kFlip % 4 == 0) {
      constexpr int k = kFlip / 4;
      return _mm512_maskz_shuffle_i32x4(kAll, v, v, k | (1 ^ k) << 2 | (2 ^ k) << 4 | (3 ^ k) << 6);
    } else {
      const V lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
      return _mm512_maskz_permutexvar_epi32(kAll, _mm512_xor_si512(lanes, _mm512_set1_epi32(kFlip)), v);
    }
  }

  // a0 b0 a1 b1 … and the rest of both.
  static V zipped_low(V a, V b) {
    return _mm512_permutex2var_epi32(a, _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0), b);
  }
  static V zipped_high(V a, V b) {
    return _mm512_permutex2var_epi32(a, _mm512_set_epi32(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8),
                                     b);
  }

  // The lanes of `below` go to `front`, the others to `back`, in order; how many go to the front. Both have room for a
  // whole vector.
  static int split(V v, Mask below, uint32_t* front, uint32_t* back) {
    store(front, _mm512_maskz_compress_epi32(below, v));
    store(back, _mm512_maskz_compress_epi32(_knot_mask16(below), v));
    return __builtin_popcount(below);
  }
  // The same of the first n lanes, and nothing is written beyond.
  static int split_some(V v, Mask below, int64_t n, uint32_t* front, uint32_t* back) {
    const auto lesser = static_cast<Mask>(below & first(n)), rest = static_cast<Mask>(~below & first(n));
    const int count = __builtin_popcount(lesser);
    store_some(front, _mm512_maskz_compress_epi32(lesser, v), count);
    store_some(back, _mm512_maskz_compress_epi32(rest, v), n - count);
    return count;
  }
  static int count(Mask mask, int64_t n) { return __builtin_popcount(static_cast<Mask>(mask & first(n))); }

  // The codec's of() and bits_of().
  template <class Codec>
  static V encoded(const Codec& codec, V bits) {
    if constexpr (Codec::kIsFloat) {
      const V turn = all(codec.descending), sign = all(Codec::kSign);
      const V turned = _mm512_or_si512(_mm512_maskz_srai_epi32(kAll, bits, 31), sign);
      const __m512 numbers = _mm512_castsi512_ps(bits);
      return _mm512_mask_mov_epi32(_mm512_xor_si512(_mm512_xor_si512(bits, turned), turn),
                                   _mm512_cmp_ps_mask(numbers, numbers, _CMP_UNORD_Q), all(Codec::kAll));
    } else {
      return _mm512_xor_si512(bits, all(codec.turned));
    }
  }
  template <class Codec>
  static V decoded(const Codec& codec, V keys) {
    if constexpr (Codec::kIsFloat) {
      const V plain = _mm512_xor_si512(keys, all(codec.descending));
      const V turned = _mm512_or_si512(_mm512_maskz_srai_epi32(kAll, _mm512_xor_si512(plain, all(Codec::kAll)), 31),
                                       all(Codec::kSign));
      return _mm512_mask_mov_epi32(_mm512_xor_si512(plain, turned), _mm512_cmpeq_epi32_mask(keys, all(Codec::kAll)),
                                   all(codec.bits_of(Codec::kAll)));
    } else {
      return _mm512_xor_si512(keys, all(codec.turned));
    }
  }

 private:
  static Mask first(int64_t n) { return static_cast<Mask>((1u << n) - 1); }
  template <int kUpper>
  static constexpr Mask upper() {
    return kUpper == 8 ? 0xff00 : kUpper == 4 ? 0xf0f0 : kUpper == 2 ? 0xcccc : 0xaaaa;
  }
};

template <>
struct KeyLanes<uint64_t> {
  using Key = uint64_t;
  using V = __m512i;
  using Mask = __mmask8;
  static constexpr int kCount = 8, kMostRows = 16;
  static constexpr int64_t kMostPlaces = INT64_MAX;  // that are sorted by these vectors quicker than by digits
  static constexpr Mask kAll = 0xff;

  static V load(const uint64_t* p) { return _mm512_loadu_si512(p); }
  static V load_some(const uint64_t* p, int64_t n) {
    return _mm512_mask_loadu_epi64(_mm512_set1_epi64(-1), first(n), p);
  }
  static V padded(V v, int64_t n) { return _mm512_mask_mov_epi64(_mm512_set1_epi64(-1), first(n), v); }
  static void store(uint64_t* p, V v) { _mm512_storeu_si512(p, v); }
  static void store_some(uint64_t* p, V v, int64_t n) { _mm512_mask_storeu_epi64(p, first(n), v); }
  static V all(uint64_t key) { return _mm512_set1_epi64(static_cast<int64_t>(key)); }
  static V least(V a, V b) { return _mm512_maskz_min_epu64(kAll, a, b); }
  static V greatest(V a, V b) { return _mm512_maskz_max_epu64(kAll, a, b); }
  static Mask less(V a, V b) { return _mm512_cmplt_epu64_mask(a, b); }
  static Mask not_greater(V a, V b) { return _mm512_cmple_epu64_mask(a, b); }
  static bool has(V v, uint64_t key) { return _mm512_cmpeq_epi64_mask(v, all(key)) != 0; }

  template <int kUpper>
  static V chosen(V a, V b) {
    return _mm512_mask_mov_epi64(a, upper<kUpper>(), b);
  }
  template <int kUpper>
  static V least_and_greatest(V a, V b) {
    return _mm512_mask_max_epu64(least(a, b), upper<kUpper>(), a, b);
  }

  template <int kFlip>
  static V flipped(V v) {
    if constexpr (kFlip == 1) {
      return _mm512_maskz_shuffle_epi32(0xffff, v, static_cast<_MM_PERM_ENUM>(0x4e));
    } else if constexpr (kFlip < 4) {
      constexpr int k = kFlip;
      return _mm512_maskz_permutex_epi64(kAll, v, k | (1 ^ k) << 2 | (2 ^ k) << 4 | (3 ^ k) << 6);
    } else if constexpr (kFlip == 4) {
      return _mm512_maskz_shuffle_i64x2(kAll, v, v, 0x4e);
    } else {
      const V lanes = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
      return _mm512_maskz_permutexvar_epi64(kAll, _mm512_xor_si512(lanes, _mm512_set1_epi64(kFlip)), v);
    }
  }

  static V zipped_low(V a, V b) { return _mm512_permutex2var_epi64(a, _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0), b); }
  static V zipped_high(V a, V b) {
    return _mm512_permutex2var_epi64(a, _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4), b);
  }

  static int split(V v, Mask below, uint64_t* front, uint64_t* back) {
    store(front, _mm512_maskz_compress_epi64(below, v));
    store(back, _mm512_maskz_compress_epi64(_knot_mask8(below), v));
    return __builtin_popcount(below);
  }
  static int split_some(V v, Mask below, int64_t n, uint64_t* front, uint64_t* back) {
    const auto lesser = static_cast<Mask>(below & first(n)), rest = static_cast<Mask>(~below & first(n));
    const int count = __builtin_popcount(lesser);
    store_some(front, _mm512_maskz_compress_epi64(lesser, v), count);
    store_some(back, _mm512_maskz_compress_epi64(rest, v), n - count);
    return count;
  }
  static int count(Mask mask, int64_t n) { return __builtin_popcount(static_cast<Mask>(mask & first(n))); }

  template <class Codec>
  static V encoded(const Codec& codec, V bits) {
    if constexpr (Codec::kIsFloat) {
      const V turn = all(codec.descending), sign = all(Codec::kSign);
      const V turned = _mm512_or_si512(_mm512_maskz_srai_epi64(kAll, bits, 63), sign);
      const __m512d numbers = _mm512_castsi512_pd(bits);
      return _mm512_mask_mov_epi64(_mm512_xor_si512(_mm512_xor_si512(bits, turned), turn),
                                   _mm512_cmp_pd_mask(numbers, numbers, _CMP_UNORD_Q), all(Codec::kAll));
    } else {
      return _mm512_xor_si512(bits, all(codec.turned));
    }
  }
  template <class Codec>
  static V decoded(const Codec& codec, V keys) {
    if constexpr (Codec::kIsFloat) {
      const V plain = _mm512_xor_si512(keys, all(codec.descending));
      const V turned = _mm512_or_si512(_mm512_maskz_srai_epi64(kAll, _mm512_xor_si512(plain, all(Codec::kAll)), 63),
                                       all(Codec::kSign));
      return _mm512_mask_mov_epi64(_mm512_xor_si512(plain, turned), _mm512_cmpeq_epi64_mask(keys, all(Codec::kAll)),
                                   all(codec.bits_of(Codec::kAll)));
    } else {
      return _mm512_xor_si512(keys, all(codec.turned));
    }
  }

  // Keys of 32 bits over their places, which begin at `place`: KeyOverIndex.
  template <class Codec>
  static V over_index(const Codec& codec, const uint32_t* p, int64_t place) {
    return over_index(codec, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), place);
  }
  template <class Codec>
  static V over_index_of_some(const Codec& codec, const uint32_t* p, int64_t place, int64_t n) {
    return padded(over_index(codec, _mm256_maskz_loadu_epi32(first(n), p), place), n);
  }
  static V low_halves(V v) { return _mm512_and_si512(v, _mm512_set1_epi64(0xffffffff)); }

 private:
  template <class Codec>
  static V over_index(const Codec& codec, __m256i bits, int64_t place) {
    const V keys = _mm512_maskz_cvtepu32_epi64(kAll, halves_encoded(codec, bits));
    const V places = _mm512_add_epi64(_mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0), _mm512_set1_epi64(place));
    return _mm512_or_si512(_mm512_maskz_slli_epi64(kAll, keys, 32), places);
  }
  // The codec's of_equals().
  template <class Codec>
  static __m256i halves_encoded(const Codec& codec, __m256i bits) {
    const auto all = [](uint32_t key) { return _mm256_set1_epi32(static_cast<int>(key)); };
    if constexpr (Codec::kIsFloat) {
      const __m256i sign = all(Codec::kSign);
      bits = _mm256_maskz_mov_epi32(_mm256_cmpneq_epi32_mask(bits, sign), bits);
      const __m256i turned = _mm256_or_si256(_mm256_srai_epi32(bits, 31), sign);
      const __m256 numbers = _mm256_castsi256_ps(bits);
      return _mm256_mask_mov_epi32(_mm256_xor_si256(_mm256_xor_si256(bits, turned), all(codec.descending)),
                                   _mm256_cmp_ps_mask(numbers, numbers, _CMP_UNORD_Q), all(Codec::kAll));
    } else {
      return _mm256_xor_si256(bits, all(codec.turned));
    }
  }
  static Mask first(int64_t n) { return static_cast<Mask>((1u << n) - 1); }
  template <int kUpper>
  static constexpr Mask upper() {
    return kUpper == 4 ? 0xf0 : kUpper == 2 ? 0xcc : 0xaa;
  }
};
