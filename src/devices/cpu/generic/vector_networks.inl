// SPDX-License-Identifier: Apache-2.0
// Sorting what fits vector registers: up to kMostRows vectors of keys L::V (KeyLanes). The columns, which are the
// lanes, are sorted at once by a network that moves nothing between lanes (odd-even mergesort; Batcher, 1968); bitonic
// merges then join neighbouring columns, and of their steps, too, only those across columns move lanes. The keys of a
// block lie column by column until it is transposed.

template <int kValue>
struct Constant {
  static constexpr int value = kValue;
};

// body(Constant<i>{}) for i in [kBegin, kEnd): indices of registers have to be constants.
template <int kBegin, int kEnd, class Body>
[[gnu::always_inline]] inline void for_constants(const Body& body) {
  if constexpr (kBegin < kEnd) {
    body(Constant<kBegin>{});
    for_constants<kBegin + 1, kEnd>(body);
  }
}

template <class L>
[[gnu::always_inline]] inline void order(typename L::V& a, typename L::V& b) {
  const auto least = L::least(a, b);
  b = L::greatest(a, b);
  a = least;
}

// Lanes l and l ^ kFlip in order, the lesser where the highest bit of kFlip, kUpper, is 0.
template <class L, int kFlip, int kUpper>
[[gnu::always_inline]] inline typename L::V ordered(typename L::V v) {
  return L::template least_and_greatest<kUpper>(v, L::template flipped<kFlip>(v));
}

// Rows kFirst, kFirst + kStep, … of kRows are merged, of which the even ones and the odd ones are sorted.
template <class L, int kRows, int kFirst, int kStep, int kCount>
[[gnu::always_inline]] inline void merge_odd_even(typename L::V (&v)[kRows]) {
  if constexpr (kCount == 2) {
    order<L>(v[kFirst], v[kFirst + kStep]);
  } else {
    merge_odd_even<L, kRows, kFirst, 2 * kStep, kCount / 2>(v);
    merge_odd_even<L, kRows, kFirst + kStep, 2 * kStep, kCount / 2>(v);
    for_constants<0, kCount / 2 - 1>(
        [&](auto i) { order<L>(v[kFirst + (2 * i.value + 1) * kStep], v[kFirst + (2 * i.value + 2) * kStep]); });
  }
}

template <class L, int kRows, int kFirst, int kCount>
[[gnu::always_inline]] inline void sort_columns(typename L::V (&v)[kRows]) {
  if constexpr (kCount > 1) {
    sort_columns<L, kRows, kFirst, kCount / 2>(v);
    sort_columns<L, kRows, kFirst + kCount / 2, kCount / 2>(v);
    merge_odd_even<L, kRows, kFirst, 1, kCount>(v);
  }
}

// The first step of joining runs of kWidth columns: the first key meets the last one, and so on.
template <class L, int kWidth, int kRows>
[[gnu::always_inline]] inline void meet_mirrored(typename L::V (&v)[kRows]) {
  constexpr int kFlip = 2 * kWidth - 1;
  if constexpr (kRows == 1) {
    v[0] = ordered<L, kFlip, kWidth>(v[0]);
  } else {
    for_constants<0, kRows / 2>([&](auto row) {
      constexpr int a = row.value, b = kRows - 1 - a;
      const auto other = L::template flipped<kFlip>(v[b]);
      const auto least = L::least(v[a], other), greatest = L::greatest(v[a], other);
      v[a] = L::template chosen<kWidth>(least, greatest);
      v[b] = L::template flipped<kFlip>(L::template chosen<kWidth>(greatest, least));
    });
  }
}

template <class L, int kDistance, int kRows>
[[gnu::always_inline]] inline void order_lanes(typename L::V (&v)[kRows]) {
  if constexpr (kDistance > 0) {
    for_constants<0, kRows>([&](auto row) { v[row.value] = ordered<L, kDistance, kDistance>(v[row.value]); });
    order_lanes<L, kDistance / 2>(v);
  }
}

template <class L, int kDistance, int kRows>
[[gnu::always_inline]] inline void order_rows(typename L::V (&v)[kRows]) {
  if constexpr (kDistance > 0) {
    for_constants<0, kRows>([&](auto row) {
      if constexpr ((row.value & kDistance) == 0) order<L>(v[row.value], v[row.value + kDistance]);
    });
    order_rows<L, kDistance / 2>(v);
  }
}

template <class L, int kWidth, int kRows>
[[gnu::always_inline]] inline void merge_columns(typename L::V (&v)[kRows]) {
  if constexpr (kWidth < L::kCount) {
    meet_mirrored<L, kWidth>(v);
    order_lanes<L, kWidth / 2>(v);
    order_rows<L, kRows / 2>(v);
    merge_columns<L, 2 * kWidth>(v);
  }
}

// Column by column to row by row: each round turns the bits of all keys' places by one.
template <class L, int kLeft, int kRows>
[[gnu::always_inline]] inline void transpose(typename L::V (&v)[kRows]) {
  if constexpr (kLeft > 1) {
    typename L::V zipped[kRows];
    for_constants<0, kRows / 2>([&](auto row) {
      constexpr int i = row.value;
      zipped[2 * i] = L::zipped_low(v[i], v[i + kRows / 2]);
      zipped[2 * i + 1] = L::zipped_high(v[i], v[i + kRows / 2]);
    });
    for_constants<0, kRows>([&](auto row) { v[row.value] = zipped[row.value]; });
    transpose<L, kLeft / 2>(v);
  }
}

template <class L, int kRows>
[[gnu::always_inline]] inline void sort_registers(typename L::V (&v)[kRows]) {
  sort_columns<L, kRows, 0, kRows>(v);
  merge_columns<L, 1>(v);
  transpose<L, kRows>(v);
}

// n keys, more than fit half as many vectors, from a source to a sink; all are read before any is written.
template <class L, int kRows, class Source, class Sink>
void sort_vectors(const Source& source, const Sink& sink, typename L::Key* to, int64_t n) {
  constexpr int kCount = L::kCount;
  typename L::V v[kRows];
  for_constants<0, kRows>([&](auto row) {
    constexpr int begin = row.value * kCount;
    if (row.value < kRows / 2 || n >= begin + kCount) {
      v[row.value] = source.load(begin);
    } else {
      v[row.value] = n > begin ? source.load_some(begin, n - begin) : L::all(~typename L::Key{0});
    }
  });
  sort_registers<L, kRows>(v);
  for_constants<0, kRows>([&](auto row) {
    constexpr int begin = row.value * kCount;
    if (row.value < kRows / 2 || n >= begin + kCount) {
      sink.store(to + begin, v[row.value]);
    } else if (n > begin) {
      sink.store_some(to + begin, v[row.value], n - begin);
    }
  });
}

template <class L>
constexpr int64_t kMostInRegisters = L::kMostRows* L::kCount;

template <class L, class Source, class Sink>
void sort_few(const Source& source, const Sink& sink, typename L::Key* to, int64_t n) {
  constexpr int64_t kCount = L::kCount;
  if (n <= kCount) return sort_vectors<L, 1>(source, sink, to, n);
  if (n <= 2 * kCount) return sort_vectors<L, 2>(source, sink, to, n);
  if (n <= 4 * kCount) return sort_vectors<L, 4>(source, sink, to, n);
  if (L::kMostRows == 8 || n <= 8 * kCount) return sort_vectors<L, 8>(source, sink, to, n);
  if constexpr (L::kMostRows == 16) sort_vectors<L, 16>(source, sink, to, n);
}
