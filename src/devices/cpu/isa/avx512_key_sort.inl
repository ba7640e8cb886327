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
  static V greatest_where(Mask m, V otherwise, V a, V b) { return _mm512_mask_max_epu32(otherwise, m, a, b); }
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
  static V greatest_where(Mask m, V otherwise, V a, V b) { return _mm512_mask_max_epu64(otherwise, m, a, b); }
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
  return L::greatest_where(static_cast<typename L::Mask>(kUpper), L::least(v, other), v, other);
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

// A partition in place. Vectors are read from both ends, ahead of what is written there: lesser keys from the front on,
// the others from the back.
template <class K, bool kEqualToo>
class Partition {
 public:
  using L = KeyLanes<K>;
  using V = typename L::V;
  static constexpr int64_t kCount = L::kCount, kAhead = 4;  // vectors that are read at once

  Partition(K* keys, int64_t n, K pivot) : pivot_(L::all(pivot)), front_(keys), back_(keys + n) {}

  // n >= 2 · kAhead · kCount. How many keys are in front.
  int64_t run() {
    K* const begin = front_;
    V ends[2 * kAhead];
    const K *read = front_ + kAhead * kCount, *read_end = back_ - kAhead * kCount;
    for (int64_t i = 0; i < kAhead; ++i) {
      ends[i] = L::load(front_ + i * kCount);
      ends[kAhead + i] = L::load(read_end + i * kCount);
    }
    while (read_end - read >= kAhead * kCount) put_next<kAhead>(read, read_end);
    while (read_end - read >= kCount) put_next<1>(read, read_end);
    put_some(L::load_some(read, read_end - read), read_end - read);
    for (const V& v : ends) put(v);
    return front_ - begin;
  }

 private:
  // From the side where less room is left: the other one has enough for all of them.
  template <int64_t kVectors>
  void put_next(const K*& read, const K*& read_end) {
    const bool from_front = read - front_ <= back_ - read_end;
    const K* const from = from_front ? read : read_end - kVectors * kCount;
    read += from_front ? kVectors * kCount : 0;
    read_end -= from_front ? 0 : kVectors * kCount;
    V v[kVectors];
    for (int64_t i = 0; i < kVectors; ++i) v[i] = L::load(from + i * kCount);
    for (const V& one : v) put(one);
  }

  typename L::Mask is_front(V v) const { return kEqualToo ? L::not_greater(v, pivot_) : L::less(v, pivot_); }

  // What belongs elsewhere of either store falls into room that is still to be written.
  void put(V v) {
    const auto below = is_front(v);
    const int count = __builtin_popcount(below);
    const V rest = L::compress(static_cast<typename L::Mask>(~below), v);
    const V parted = L::expand(L::compress(below, v), static_cast<typename L::Mask>(~L::first(count)), rest);
    L::store(front_, parted);
    L::store(back_ - kCount, parted);
    front_ += count;
    back_ -= kCount - count;
  }

  void put_some(V v, int64_t n) {
    const auto below = static_cast<typename L::Mask>(is_front(v) & L::first(n));
    const auto above = static_cast<typename L::Mask>(~is_front(v) & L::first(n));
    const int count = __builtin_popcount(below);
    L::store_some(front_, L::compress(below, v), count);
    L::store_some(back_ - (n - count), L::compress(above, v), n - count);
    front_ += count;
    back_ -= n - count;
  }

  const V pivot_;
  K *front_, *back_;
};

// `spare` is room for as many keys, where digits have to help: after `depth` splits.
template <class K>
void quick_sort(K* keys, K* spare, int64_t n, int depth) {
  while (n > 8 * KeyLanes<K>::kCount) {
    if (depth-- == 0) return radix_sort(keys, spare, n, {0, 0, 8 * sizeof(K)}, true);
    const K pivot = middle_key(keys, n);
    int64_t front = Partition<K, false>(keys, n, pivot).run();
    // Where the pivot is the least key, those that equal it are in order.
    if (front > 0) {
      quick_sort(keys, spare, front, depth);
    } else {
      front = Partition<K, true>(keys, n, pivot).run();
    }
    keys += front;
    spare += front;
    n -= front;
  }
  sort_few(keys, keys, n);
}

// What array_sort.inl sorts plain keys with.
struct KeySort {
  template <class K>
  static constexpr bool kSorts = sizeof(K) >= 4;

  template <class K>
  static void sort(K* keys, K* spare, int64_t n) {
    quick_sort(keys, spare, n, 2 * bit_width(static_cast<uint64_t>(n)));
  }
  // Puts lesser keys in front of the others; how many they are, 0 where there are few at all.
  template <class K>
  static int64_t split(K* keys, int64_t n) {
    return n <= 8 * KeyLanes<K>::kCount ? 0 : Partition<K, false>(keys, n, middle_key(keys, n)).run();
  }
};
