// SPDX-License-Identifier: Apache-2.0
// What quick_sort.inl needs of a vector of unsigned keys, in AVX2. Which lanes go where is looked up.

// For each set of lanes: first those in it, then the others, in order.
template <int kLanes>
struct LaneOrders {
  uint8_t at[1 << kLanes][8] = {};

  constexpr LaneOrders() {
    constexpr int kHalves = 8 / kLanes;  // in words of 32 bits
    for (int set = 0; set < 1 << kLanes; ++set) {
      int place = 0;
      for (const int wanted : {1, 0}) {
        for (int lane = 0; lane < kLanes; ++lane) {
          if ((set >> lane & 1) != wanted) continue;
          for (int half = 0; half < kHalves; ++half) at[set][place++] = static_cast<uint8_t>(lane * kHalves + half);
        }
      }
    }
  }
};
constexpr LaneOrders<8> kOrdersOf8;
constexpr LaneOrders<4> kOrdersOf4;

__m256i put_in_order(__m256i v, const uint8_t* order) {
  return _mm256_permutevar8x32_epi32(v, _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(order))));
}

// The first n words of 32 bits.
__m256i first_words(int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
__m256i load_256(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
__m256i xor_256(__m256i a, __m256i b) { return _mm256_xor_si256(a, b); }

template <class K>
struct KeyLanes;

template <>
struct KeyLanes<uint32_t> {
  using Key = uint32_t;
  using V = __m256i;
  using Mask = unsigned;
  static constexpr int kCount = 8, kMostRows = 8;  // half of all registers

  static V load(const uint32_t* p) { return load_256(p); }
  // The first n lanes; the others are the greatest key.
  static V load_some(const uint32_t* p, int64_t n) { return padded(loaded(p, n), n); }
  static V padded(V v, int64_t n) { return _mm256_or_si256(v, xor_256(first_words(n), _mm256_set1_epi32(-1))); }
  static void store(uint32_t* p, V v) { _mm256_storeu_si256(reinterpret_cast<V*>(p), v); }
  static void store_some(uint32_t* p, V v, int64_t n) {
    _mm256_maskstore_epi32(reinterpret_cast<int*>(p), first_words(n), v);
  }
  static V all(uint32_t key) { return _mm256_set1_epi32(static_cast<int>(key)); }
  static V least(V a, V b) { return _mm256_min_epu32(a, b); }
  static V greatest(V a, V b) { return _mm256_max_epu32(a, b); }
  static Mask less(V a, V b) { return ~lanes_of(_mm256_cmpeq_epi32(greatest(a, b), a)) & 0xffu; }
  static Mask not_greater(V a, V b) { return lanes_of(_mm256_cmpeq_epi32(least(a, b), a)); }
  static bool has(V v, uint32_t key) { return lanes_of(_mm256_cmpeq_epi32(v, all(key))) != 0; }

  // Lanes l with a bit of kUpper in l from b, the others from a.
  template <int kUpper>
  static V chosen(V a, V b) {
    return _mm256_blend_epi32(a, b, kUpper == 4 ? 0xf0 : kUpper == 2 ? 0xcc : 0xaa);
  }
  template <int kUpper>
  static V least_and_greatest(V a, V b) {
    return chosen<kUpper>(least(a, b), greatest(a, b));
  }

  // Lane l takes lane l ^ kFlip.
  template <int kFlip>
  static V flipped(V v) {
    if constexpr (kFlip < 4) {
      return _mm256_shuffle_epi32(v, kFlip | (1 ^ kFlip) << 2 | (2 ^ kFlip) << 4 | (3 ^ kFlip) << 6);
    } else if constexpr (kFlip == 4) {
      return _mm256_permute4x64_epi64(v, 0x4e);
    } else {
      return _mm256_permutevar8x32_epi32(v, xor_256(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), all(kFlip)));
    }
  }

  // a0 b0 a1 b1 … and the rest of both.
  static V zipped_low(V a, V b) {
    return _mm256_permute2x128_si256(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b), 0x20);
  }
  static V zipped_high(V a, V b) {
    return _mm256_permute2x128_si256(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b), 0x31);
  }

  // The lanes of `below` go to `front`, the others to `back`, in order; how many go to the front. Both have room for a
  // whole vector.
  static int split(V v, Mask below, uint32_t* front, uint32_t* back) {
    store(front, put_in_order(v, kOrdersOf8.at[below]));
    store(back, put_in_order(v, kOrdersOf8.at[below ^ 0xffu]));
    return __builtin_popcount(below);
  }
  // The same of the first n lanes, and nothing is written beyond.
  static int split_some(V v, Mask below, int64_t n, uint32_t* front, uint32_t* back) {
    const Mask lesser = below & first(n), rest = ~below & first(n);
    const int count = __builtin_popcount(lesser);
    store_some(front, put_in_order(v, kOrdersOf8.at[lesser]), count);
    store_some(back, put_in_order(v, kOrdersOf8.at[rest]), n - count);
    return count;
  }
  static int count(Mask mask, int64_t n) { return __builtin_popcount(mask & first(n)); }

  // The codec's of() and bits_of().
  template <class Codec>
  static V encoded(const Codec& codec, V bits) {
    if constexpr (Codec::kIsFloat) {
      const V turned = _mm256_or_si256(_mm256_srai_epi32(bits, 31), all(Codec::kSign));
      const __m256 numbers = _mm256_castsi256_ps(bits);
      return _mm256_or_si256(xor_256(xor_256(bits, turned), all(codec.descending)),
                             _mm256_castps_si256(_mm256_cmp_ps(numbers, numbers, _CMP_UNORD_Q)));
    } else {
      return xor_256(bits, all(codec.turned));
    }
  }
  template <class Codec>
  static V decoded(const Codec& codec, V keys) {
    if constexpr (Codec::kIsFloat) {
      const V plain = xor_256(keys, all(codec.descending));
      const V turned = _mm256_or_si256(_mm256_srai_epi32(xor_256(plain, all(Codec::kAll)), 31), all(Codec::kSign));
      return _mm256_blendv_epi8(xor_256(plain, turned), all(codec.bits_of(Codec::kAll)),
                                _mm256_cmpeq_epi32(keys, all(Codec::kAll)));
    } else {
      return xor_256(keys, all(codec.turned));
    }
  }

 private:
  static V loaded(const uint32_t* p, int64_t n) {
    return _mm256_maskload_epi32(reinterpret_cast<const int*>(p), first_words(n));
  }
  static Mask first(int64_t n) { return (1u << n) - 1; }
  static Mask lanes_of(V mask) { return static_cast<Mask>(_mm256_movemask_ps(_mm256_castsi256_ps(mask))); }
};

template <>
struct KeyLanes<uint64_t> {
  using Key = uint64_t;
  using V = __m256i;
  using Mask = unsigned;
  static constexpr int kCount = 4, kMostRows = 8;
  // That are sorted by these vectors quicker than by digits: 1e3 in 7.6 us instead of 16, but 1e5 in 1.1 ms instead of
  // 0.8.
  static constexpr int64_t kMostPlaces = 1 << 13;

  static V load(const uint64_t* p) { return load_256(p); }
  static V load_some(const uint64_t* p, int64_t n) {
    return padded(_mm256_maskload_epi64(reinterpret_cast<const long long*>(p), first_words(2 * n)), n);
  }
  static V padded(V v, int64_t n) { return _mm256_or_si256(v, xor_256(first_words(2 * n), _mm256_set1_epi32(-1))); }
  static void store(uint64_t* p, V v) { _mm256_storeu_si256(reinterpret_cast<V*>(p), v); }
  static void store_some(uint64_t* p, V v, int64_t n) {
    _mm256_maskstore_epi64(reinterpret_cast<long long*>(p), first_words(2 * n), v);
  }
  static V all(uint64_t key) { return _mm256_set1_epi64x(static_cast<int64_t>(key)); }
  static V least(V a, V b) { return chosen_where(a, b, greater(a, b)); }
  static V greatest(V a, V b) { return chosen_where(b, a, greater(a, b)); }
  static Mask less(V a, V b) { return lanes_of(greater(b, a)); }
  static Mask not_greater(V a, V b) { return lanes_of(greater(a, b)) ^ 0xfu; }
  static bool has(V v, uint64_t key) { return lanes_of(_mm256_cmpeq_epi64(v, all(key))) != 0; }

  template <int kUpper>
  static V chosen(V a, V b) {
    return _mm256_blend_epi32(a, b, kUpper == 2 ? 0xf0 : 0xcc);
  }
  template <int kUpper>
  static V least_and_greatest(V a, V b) {
    const V lanes = kUpper == 2 ? _mm256_setr_epi64x(0, 0, -1, -1) : _mm256_setr_epi64x(0, -1, 0, -1);
    return chosen_where(a, b, xor_256(greater(a, b), lanes));
  }

  template <int kFlip>
  static V flipped(V v) {
    if constexpr (kFlip == 1) {
      return _mm256_shuffle_epi32(v, 0x4e);
    } else {
      return _mm256_permute4x64_epi64(v, kFlip | (1 ^ kFlip) << 2 | (2 ^ kFlip) << 4 | (3 ^ kFlip) << 6);
    }
  }

  static V zipped_low(V a, V b) {
    return _mm256_permute2x128_si256(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b), 0x20);
  }
  static V zipped_high(V a, V b) {
    return _mm256_permute2x128_si256(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b), 0x31);
  }

  static int split(V v, Mask below, uint64_t* front, uint64_t* back) {
    store(front, put_in_order(v, kOrdersOf4.at[below]));
    store(back, put_in_order(v, kOrdersOf4.at[below ^ 0xfu]));
    return __builtin_popcount(below);
  }
  static int split_some(V v, Mask below, int64_t n, uint64_t* front, uint64_t* back) {
    const Mask lesser = below & first(n), rest = ~below & first(n);
    const int count = __builtin_popcount(lesser);
    store_some(front, put_in_order(v, kOrdersOf4.at[lesser]), count);
    store_some(back, put_in_order(v, kOrdersOf4.at[rest]), n - count);
    return count;
  }
  static int count(Mask mask, int64_t n) { return __builtin_popcount(mask & first(n)); }

  template <class Codec>
  static V encoded(const Codec& codec, V bits) {
    if constexpr (Codec::kIsFloat) {
      const V turned = _mm256_or_si256(signs(bits), all(Codec::kSign));
      const __m256d numbers = _mm256_castsi256_pd(bits);
      return _mm256_or_si256(xor_256(xor_256(bits, turned), all(codec.descending)),
                             _mm256_castpd_si256(_mm256_cmp_pd(numbers, numbers, _CMP_UNORD_Q)));
    } else {
      return xor_256(bits, all(codec.turned));
    }
  }
  template <class Codec>
  static V decoded(const Codec& codec, V keys) {
    if constexpr (Codec::kIsFloat) {
      const V plain = xor_256(keys, all(codec.descending));
      const V turned = _mm256_or_si256(signs(xor_256(plain, all(Codec::kAll))), all(Codec::kSign));
      return _mm256_blendv_epi8(xor_256(plain, turned), all(codec.bits_of(Codec::kAll)),
                                _mm256_cmpeq_epi64(keys, all(Codec::kAll)));
    } else {
      return xor_256(keys, all(codec.turned));
    }
  }

  // Keys of 32 bits over their places, which begin at `place`: KeyOverIndex.
  template <class Codec>
  static V over_index(const Codec& codec, const uint32_t* p, int64_t place) {
    return over_index(codec, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)), place);
  }
  template <class Codec>
  static V over_index_of_some(const Codec& codec, const uint32_t* p, int64_t place, int64_t n) {
    const __m128i lanes = _mm_cmpgt_epi32(_mm_set1_epi32(static_cast<int>(n)), _mm_setr_epi32(0, 1, 2, 3));
    return padded(over_index(codec, _mm_maskload_epi32(reinterpret_cast<const int*>(p), lanes), place), n);
  }
  static V low_halves(V v) { return _mm256_and_si256(v, all(0xffffffffu)); }

 private:
  template <class Codec>
  static V over_index(const Codec& codec, __m128i bits, int64_t place) {
    const V places = _mm256_add_epi64(_mm256_setr_epi64x(0, 1, 2, 3), _mm256_set1_epi64x(place));
    return _mm256_or_si256(_mm256_slli_epi64(_mm256_cvtepu32_epi64(halves_encoded(codec, bits)), 32), places);
  }
  // The codec's of_equals().
  template <class Codec>
  static __m128i halves_encoded(const Codec& codec, __m128i bits) {
    const auto all = [](uint32_t key) { return _mm_set1_epi32(static_cast<int>(key)); };
    if constexpr (Codec::kIsFloat) {
      bits = _mm_andnot_si128(_mm_cmpeq_epi32(bits, all(Codec::kSign)), bits);
      const __m128i turned = _mm_or_si128(_mm_srai_epi32(bits, 31), all(Codec::kSign));
      const __m128 numbers = _mm_castsi128_ps(bits);
      return _mm_or_si128(_mm_xor_si128(_mm_xor_si128(bits, turned), all(codec.descending)),
                          _mm_castps_si128(_mm_cmpunord_ps(numbers, numbers)));
    } else {
      return _mm_xor_si128(bits, all(codec.turned));
    }
  }

  static V signs(V v) { return _mm256_cmpgt_epi64(_mm256_setzero_si256(), v); }
  // Comparisons are of signed numbers.
  static V greater(V a, V b) {
    const V sign = all(uint64_t{1} << 63);
    return _mm256_cmpgt_epi64(xor_256(a, sign), xor_256(b, sign));
  }
  static V chosen_where(V a, V b, V mask) {
    return _mm256_castpd_si256(
        _mm256_blendv_pd(_mm256_castsi256_pd(a), _mm256_castsi256_pd(b), _mm256_castsi256_pd(mask)));
  }
  static Mask first(int64_t n) { return (1u << n) - 1; }
  static Mask lanes_of(V mask) { return static_cast<Mask>(_mm256_movemask_pd(_mm256_castsi256_pd(mask))); }
};
