// SPDX-License-Identifier: Apache-2.0
// Quicksort of unsigned keys in AVX-512 registers: a partition compresses what is below the pivot to one side of a
// vector and the rest to the other; up to eight vectors are sorted by a bitonic network (Batcher, 1968). The idea is
// that of Bramas (arXiv 1704.08579) and of x86-simd-sort.

template <class K>
struct KeyLanes;

template <>
struct KeyLanes<uint32_t> {
  using V = __m512i;
  using Mask = __mmask16;
  static constexpr int kCount = 16;
  static constexpr Mask kAll = 0xffff;  // without a mask, g++ 12 warns of what such intrinsics leave undefined

  static V load(const uint32_t* p) { return _mm512_loadu_si512(p); }
  static V load_some(const uint32_t* p, int64_t n) {
    return _mm512_mask_loadu_epi32(_mm512_set1_epi32(-1), first(n), p);
  }
  static void store(uint32_t* p, V v) { _mm512_storeu_si512(p, v); }
  static void store_some(uint32_t* p, V v, int64_t n) { _mm512_mask_storeu_epi32(p, first(n), v); }
  static Mask first(int64_t n) { return static_cast<Mask>((1u << n) - 1); }
  static V all(uint32_t key) { return _mm512_set1_epi32(static_cast<int>(key)); }
  static V least(V a, V b) { return _mm512_maskz_min_epu32(kAll, a, b); }
  static V greatest(V a, V b) { return _mm512_maskz_max_epu32(kAll, a, b); }
  static Mask less(V a, V b) { return _mm512_cmplt_epu32_mask(a, b); }
  static Mask not_greater(V a, V b) { return _mm512_cmple_epu32_mask(a, b); }
  static V blend(Mask m, V a, V b) { return _mm512_mask_blend_epi32(m, a, b); }
  static V compress(Mask m, V v) { return _mm512_maskz_compress_epi32(m, v); }
  static V expand(V below, Mask m, V v) { return _mm512_mask_expand_epi32(below, m, v); }
  // Lane l takes lane l ^ kFlip.
  template <int kFlip>
  static V flipped(V v) {
    const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    return _mm512_maskz_permutexvar_epi32(kAll, _mm512_xor_si512(lanes, _mm512_set1_epi32(kFlip)), v);
  }
};

template <>
struct KeyLanes<uint64_t> {
  using V = __m512i;
  using Mask = __mmask8;
  static constexpr int kCount = 8;
  static constexpr Mask kAll = 0xff;

  static V load(const uint64_t* p) { return _mm512_loadu_si512(p); }
  static V load_some(const uint64_t* p, int64_t n) {
    return _mm512_mask_loadu_epi64(_mm512_set1_epi64(-1), first(n), p);
  }
  static void store(uint64_t* p, V v) { _mm512_storeu_si512(p, v); }
  static void store_some(uint64_t* p, V v, int64_t n) { _mm512_mask_storeu_epi64(p, first(n), v); }
  static Mask first(int64_t n) { return static_cast<Mask>((1u << n) - 1); }
  static V all(uint64_t key) { return _mm512_set1_epi64(static_cast<int64_t>(key)); }
  static V least(V a, V b) { return _mm512_maskz_min_epu64(kAll, a, b); }
  static V greatest(V a, V b) { return _mm512_maskz_max_epu64(kAll, a, b); }
  static Mask less(V a, V b) { return _mm512_cmplt_epu64_mask(a, b); }
  static Mask not_greater(V a, V b) { return _mm512_cmple_epu64_mask(a, b); }
  static V blend(Mask m, V a, V b) { return _mm512_mask_blend_epi64(m, a, b); }
  static V compress(Mask m, V v) { return _mm512_maskz_compress_epi64(m, v); }
  static V expand(V below, Mask m, V v) { return _mm512_mask_expand_epi64(below, m, v); }
  template <int kFlip>
  static V flipped(V v) {
    const __m512i lanes = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    return _mm512_maskz_permutexvar_epi64(kAll, _mm512_xor_si512(lanes, _mm512_set1_epi64(kFlip)), v);
  }
};

// Lanes l and l ^ kFlip in order, the lesser where the highest bit of kFlip is 0.
template <class L, int kFlip>
typename L::V ordered(typename L::V v) {
  constexpr int kHighest = kFlip >= 8 ? 8 : kFlip >= 4 ? 4 : kFlip >= 2 ? 2 : 1;
  constexpr uint32_t kUpper = kHighest == 8 ? 0xff00u : kHighest == 4 ? 0xf0f0u : kHighest == 2 ? 0xccccu : 0xaaaau;
  const auto other = L::template flipped<kFlip>(v);
  return L::blend(static_cast<typename L::Mask>(kUpper), L::least(v, other), L::greatest(v, other));
}

// Lanes that fall, then rise (or the other way), in order: distances kFrom, kFrom / 2, … 1.
template <class L, int kFrom>
typename L::V merged_lanes(typename L::V v) {
  if constexpr (kFrom >= 1) {
    return merged_lanes<L, kFrom / 2>(ordered<L, kFrom>(v));
  } else {
    return v;
  }
}

// Runs of kSize / 2 sorted lanes to runs of kSize, and so on up to the whole vector.
template <class L, int kSize>
typename L::V sorted_lanes(typename L::V v) {
  if constexpr (kSize <= L::kCount) {
    return sorted_lanes<L, kSize * 2>(merged_lanes<L, kSize / 4>(ordered<L, kSize - 1>(v)));
  } else {
    return v;
  }
}

template <class L, int kVectors>
[[gnu::always_inline]] inline void sort_vectors(typename L::V (&v)[kVectors]) {
  for (auto& one : v) one = sorted_lanes<L, 2>(one);
  for (int group = 2; group <= kVectors; group *= 2) {
    for (int begin = 0; begin < kVectors; begin += group) {
      for (int a = begin, b = begin + group - 1; a < b; ++a, --b) {
        const auto other = L::template flipped<L::kCount - 1>(v[b]), here = v[a];
        v[a] = L::least(here, other);
        v[b] = L::template flipped<L::kCount - 1>(L::greatest(here, other));
      }
    }
    for (int distance = group / 4; distance >= 1; distance /= 2) {
      for (int a = 0; a < kVectors; ++a) {
        if (a & distance) continue;
        const auto here = v[a], other = v[a + distance];
        v[a] = L::least(here, other);
        v[a + distance] = L::greatest(here, other);
      }
    }
    for (auto& one : v) one = merged_lanes<L, L::kCount / 2>(one);
  }
}

// n keys, more than fit half as many vectors.
template <class K, int kVectors>
void sort_in_registers(const K* from, K* to, int64_t n) {
  using L = KeyLanes<K>;
  typename L::V v[kVectors];
  for (int i = 0; i < kVectors; ++i) {
    const int64_t left = n - i * L::kCount;
    v[i] = left >= L::kCount ? L::load(from + i * L::kCount) : L::load_some(from + i * L::kCount, left < 0 ? 0 : left);
  }
  sort_vectors<L, kVectors>(v);
  for (int i = 0; i < kVectors; ++i) {
    const int64_t left = n - i * L::kCount;
    if (left >= L::kCount) {
      L::store(to + i * L::kCount, v[i]);
    } else if (left > 0) {
      L::store_some(to + i * L::kCount, v[i], left);
    }
  }
}

template <class K>
void sort_few(const K* from, K* to, int64_t n) {
  constexpr int64_t kCount = KeyLanes<K>::kCount;
  if (n <= kCount) return sort_in_registers<K, 1>(from, to, n);
  if (n <= 2 * kCount) return sort_in_registers<K, 2>(from, to, n);
  if (n <= 4 * kCount) return sort_in_registers<K, 4>(from, to, n);
  return sort_in_registers<K, 8>(from, to, n);
}

// The middle of four vectors' worth of keys.
template <class K>
K middle_key(const K* keys, int64_t n) {
  constexpr int kSamples = 4 * KeyLanes<K>::kCount;
  K samples[kSamples];
  for (int i = 0; i < kSamples; ++i) samples[i] = keys[n / kSamples * i + n / (2 * kSamples)];
  sort_in_registers<K, 4>(samples, samples, kSamples);
  return samples[kSamples / 2];
}

// Moves the keys that are less than the pivot (or not greater) to the front of `to`, the others behind them; how many.
template <bool kEqualToo, class K>
int64_t partition_keys(const K* from, K* to, int64_t n, K pivot) {
  using L = KeyLanes<K>;
  constexpr int64_t kCount = L::kCount;
  const auto middle = L::all(pivot);
  K *front = to, *back = to + n;
  const auto is_front = [&](typename L::V v) { return kEqualToo ? L::not_greater(v, middle) : L::less(v, middle); };
  int64_t i = 0;
  // As long as two vectors are left, neither of the stores reaches what the other wrote.
  for (; i + 2 * kCount <= n; i += kCount) {
    const auto v = L::load(from + i);
    const auto below = is_front(v);
    const int count = __builtin_popcount(below);
    const auto rest = static_cast<typename L::Mask>(~below);
    const auto parted =
        L::expand(L::compress(below, v), static_cast<typename L::Mask>(~L::first(count)), L::compress(rest, v));
    L::store(front, parted);
    L::store(back - kCount, parted);
    front += count;
    back -= kCount - count;
  }
  for (; i < n; ++i) {
    const K key = from[i];
    if (kEqualToo ? key <= pivot : key < pivot) {
      *front++ = key;
    } else {
      *--back = key;
    }
  }
  return front - to;
}

// As radix_sort. `depth` is how often it may be split before that has to help.
template <class K>
void quick_sort(K* from, K* to, int64_t n, bool in_place, int depth) {
  while (n > 8 * KeyLanes<K>::kCount) {
    if (depth-- == 0) return radix_sort(from, to, n, {0, 0, 8 * sizeof(K)}, in_place);
    const K pivot = middle_key(from, n);
    int64_t front = partition_keys<false>(from, to, n, pivot);
    if (front > 0) {
      quick_sort(to, from, front, !in_place, depth);
    } else {
      // The pivot is the least key: all that equal it are where they belong.
      front = partition_keys<true>(from, to, n, pivot);
      for (int64_t i = 0; i < front && in_place; ++i) from[i] = pivot;
    }
    K* const swapped = from + front;
    from = to + front;
    to = swapped;
    n -= front;
    in_place = !in_place;
  }
  sort_few(from, in_place ? from : to, n);
}

// What array_sort.inl sorts plain keys with.
struct KeySort {
  template <class K>
  static constexpr bool kSorts = sizeof(K) >= 4;

  template <class K>
  static void sort(K* from, K* to, int64_t n, bool in_place) {
    quick_sort(from, to, n, in_place, 2 * bit_width(static_cast<uint64_t>(n)));
  }
  // Splits at some key: the lesser ones go to the front of `to`; how many.
  template <class K>
  static int64_t split(const K* from, K* to, int64_t n) {
    return partition_keys<false>(from, to, n, middle_key(from, n));
  }
};
