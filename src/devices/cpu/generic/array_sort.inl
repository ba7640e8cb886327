// SPDX-License-Identifier: Apache-2.0
// Sorting rows: short ones each on a thread, long ones on all. Where an instruction set has a sort of its own for plain
// keys (KeySort), it is taken, and else, as with indices, digits are (radix_sort.inl). The results are the same.

// Of an instruction set that sorts keys by digits only.
struct NoKeySort {
  template <class K>
  static constexpr bool kSorts = false;
};

// Rows from here on are worth several threads.
constexpr int64_t kLongRow = 1 << 15;
constexpr int kMostChunks = 32;

constexpr int bit_width(uint64_t x) { return x == 0 ? 0 : 64 - __builtin_clzll(x); }

// The first of n sorted keys that is not less.
template <class K>
int64_t first_not_less(const K* sorted, int64_t n, K key) {
  int64_t first = 0;
  while (n > 0) {
    const int64_t half = n / 2;
    if (sorted[first + half] < key) {
      first += half + 1;
      n -= half + 1;
    } else {
      n = half;
    }
  }
  return first;
}

// The least and the greatest key of a part of a row.
struct KeySpan {
  uint64_t least = ~uint64_t{0}, greatest = 0;

  void take(uint64_t key) {
    least = key < least ? key : least;
    greatest = key > greatest ? key : greatest;
  }
  void take(const KeySpan& other) {
    take(other.least);
    take(other.greatest);
  }
};

// What is sorted where only values are asked for: the key.
template <class K>
struct KeysOnly {
  using Element = K;
  static constexpr int kShift = 0;
  template <class Codec>
  static Element of(const Codec& codec, K bits, int64_t) {
    return codec.of(bits);
  }
  static uint64_t key(Element element) { return element; }
};

// The key over the index in one word.
template <class K>
struct KeyOverIndex {
  using Element = uint64_t;
  static constexpr int kShift = 32;
  template <class Codec>
  static Element of(const Codec& codec, K bits, int64_t index) {
    return uint64_t{codec.of_equals(bits)} << 32 | static_cast<uint64_t>(index);
  }
  static uint64_t key(Element element) { return element >> 32; }
  static int64_t index(Element element) { return static_cast<int64_t>(element & 0xffffffffu); }
};

// Both in words of their own.
template <class K>
struct KeyBesideIndex {
  using Element = KeyAndIndex;
  static constexpr int kShift = 0;
  template <class Codec>
  static Element of(const Codec& codec, K bits, int64_t index) {
    return {codec.of_equals(bits), static_cast<uint64_t>(index)};
  }
  static uint64_t key(const Element& element) { return element.key; }
  static int64_t index(const Element& element) { return static_cast<int64_t>(element.index); }
};

// One row on its way: x → elements → sorted elements → y, index.
template <class K, class Codec, class Form>
class Row {
 public:
  using Element = typename Form::Element;
  static constexpr bool kIndexed = !kSame<Form, KeysOnly<K>>;

  Row(const SortRowsArgs& args, const Codec& codec, int64_t row)
      : codec_(codec),
        n_(args.n),
        x_(static_cast<const K*>(args.x) + row * args.n),
        y_(args.y ? static_cast<K*>(args.y) + row * args.n : nullptr),
        index_(args.index ? args.index + row * args.n : nullptr) {}

  KeySpan encode(Element* to, int64_t begin, int64_t end) const {
    KeySpan span;
    for (int64_t i = begin; i < end; ++i) {
      to[i] = Form::of(codec_, x_[i], i);
      span.take(Form::key(to[i]));
    }
    return span;
  }

  void encode_only(Element* to, int64_t begin, int64_t end) const {
    for (int64_t i = begin; i < end; ++i) to[i] = Form::of(codec_, x_[i], i);
  }

  // What of keys within the span differs.
  static DigitRange digits(const KeySpan& span) {
    return {span.least << Form::kShift, Form::kShift, Form::kShift + bit_width(span.greatest - span.least)};
  }

  void decode(const Element* sorted, int64_t begin, int64_t end) const {
    for (int64_t i = begin; i < end; ++i) {
      if constexpr (kIndexed) {
        const int64_t place = Form::index(sorted[i]);
        if (index_) index_[i] = place;
        if (y_) y_[i] = x_[place];
      } else {
        y_[i] = codec_.bits_of(sorted[i]);
      }
    }
  }

  // Zeros of both signs are equal, so they go back to the order that they had.
  void restore_zeros(const Element* sorted) const {
    if constexpr (!kIndexed) {
      const K zero = codec_.of(K{0}), minus = codec_.of(Codec::kSign), low = zero < minus ? zero : minus;
      if (static_cast<K>(zero - minus) != 1 && static_cast<K>(minus - zero) != 1) return;  // integers have one zero
      const int64_t first = first_not_less(sorted, n_, low), last = first_not_less(sorted, n_, static_cast<K>(low + 2));
      if (first == last || sorted[first] == sorted[last - 1]) return;
      K* to = y_ + first;
      for (const K* from = x_; from < x_ + n_; ++from) {
        if (static_cast<K>(*from << 1) == 0) *to++ = *from;
      }
    }
  }

 private:
  const Codec& codec_;
  int64_t n_;
  const K* x_;
  K* y_;
  int64_t* index_;
};

template <class R, class KeySort>
constexpr bool takes_key_sort() {
  if constexpr (R::kIndexed) {
    return false;
  } else {
    return KeySort::template kSorts<typename R::Element>;
  }
}

template <class KeySort, class R>
void sort_short_row(const R& row, int64_t n, typename R::Element* keys, typename R::Element* other) {
  if constexpr (takes_key_sort<R, KeySort>()) {
    row.encode_only(keys, 0, n);
    KeySort::sort(keys, other, n);
  } else {
    const KeySpan span = row.encode(keys, 0, n);
    radix_sort(keys, other, n, R::digits(span), true);
  }
  row.decode(keys, 0, n);
  row.restore_zeros(keys);
}

// Split into parts, which several threads split further, until there are some for each thread to sort.
template <class KeySort, class R>
void sort_long_keys(const Exec& exec, const R& row, int64_t n, typename R::Element* keys, typename R::Element* other) {
  constexpr int kMostParts = 64;
  parallel_for(exec, n, 1, 16, [&](int64_t begin, int64_t end) { row.encode_only(keys, begin, end); });
  int64_t begins[kMostParts + 1] = {0, n}, middles[kMostParts];
  int parts = 1;
  for (; parts < 8 * exec.threads && parts * 2 <= kMostParts && exec.threads > 1; parts *= 2) {
    parallel_in_ranges(exec, parts, 1, [&](int64_t p, int64_t) {
      middles[p] = begins[p] + KeySort::split(keys + begins[p], begins[p + 1] - begins[p]);
    });
    for (int p = parts; p > 0; --p) begins[2 * p] = begins[p];
    for (int p = 0; p < parts; ++p) begins[2 * p + 1] = middles[p];
  }
  parallel_in_ranges(exec, parts, 1, [&](int64_t p, int64_t) {
    KeySort::sort(keys + begins[p], other + begins[p], begins[p + 1] - begins[p]);
    row.decode(keys, begins[p], begins[p + 1]);
  });
  row.restore_zeros(keys);
}

// The first digit in chunks, which all threads share, then each digit's elements on one of them.
template <class R>
void sort_long_row(const Exec& exec, const R& row, int64_t n, typename R::Element* keys, typename R::Element* other) {
  const int64_t chunks = smaller(exec.threads, kMostChunks), chunk = ceil_div(n, chunks);
  KeySpan spans[kMostChunks];
  parallel_in_ranges(exec, chunks, 1, [&](int64_t c, int64_t) {
    spans[c] = row.encode(keys, smaller(c * chunk, n), smaller((c + 1) * chunk, n));
  });
  for (int64_t c = 1; c < chunks; ++c) spans[0].take(spans[c]);
  DigitRange range = R::digits(spans[0]);
  const int bits = smaller(kDigitBits, range.high - range.low);
  range.high -= bits;
  const auto digit = [&](const typename R::Element& element) {
    return (shifted_key(element, range.base) >> range.high) & ((uint64_t{1} << bits) - 1);
  };

  int64_t places[kMostChunks][kDigits] = {}, begins[kDigits + 1];
  parallel_in_ranges(exec, chunks, 1, [&](int64_t c, int64_t) {
    for (int64_t i = smaller(c * chunk, n), end = smaller((c + 1) * chunk, n); i < end; ++i)
      ++places[c][digit(keys[i])];
  });
  int64_t place = 0;
  for (int d = 0; d < kDigits; ++d) {
    begins[d] = place;
    for (int64_t c = 0; c < chunks; ++c) {
      const int64_t count = places[c][d];
      places[c][d] = place;
      place += count;
    }
  }
  begins[kDigits] = n;
  parallel_in_ranges(exec, chunks, 1, [&](int64_t c, int64_t) {
    for (int64_t i = smaller(c * chunk, n), end = smaller((c + 1) * chunk, n); i < end; ++i) {
      other[places[c][digit(keys[i])]++] = keys[i];
    }
  });
  parallel_in_ranges(exec, kDigits, 1, [&](int64_t d, int64_t) {
    const int64_t begin = begins[d], end = begins[d + 1];
    if (begin == end) return;
    radix_sort(other + begin, keys + begin, end - begin, range, true);
    row.decode(other, begin, end);
  });
  row.restore_zeros(other);
}

template <class KeySort, class R>
void sort_long(const Exec& exec, const R& row, int64_t n, typename R::Element* keys, typename R::Element* other) {
  if constexpr (takes_key_sort<R, KeySort>()) {
    sort_long_keys<KeySort>(exec, row, n, keys, other);
  } else {
    sort_long_row(exec, row, n, keys, other);
  }
}

template <class KeySort, class K, class Codec, class Form>
void sort_rows_as(const Exec& exec, const SortRowsArgs& args, const Codec& codec) {
  using Sorted = Row<K, Codec, Form>;
  using Element = typename Sorted::Element;
  const int64_t n = args.n;
  if (n == 0) return;
  if (args.room || (args.rows < exec.threads && n >= kLongRow)) {
    void* const room = args.room ? args.room : exec.scratch(exec.backend, exec.first_worker);
    auto* const keys = static_cast<Element*>(room);
    for (int64_t r = 0; r < args.rows; ++r) sort_long<KeySort>(exec, Sorted(args, codec, r), n, keys, keys + n);
    return;
  }
  parallel_with_scratch(exec, args.rows, 8 * n, [&](std::byte* scratch, int64_t begin, int64_t end) {
    auto* const keys = reinterpret_cast<Element*>(scratch);
    for (int64_t r = begin; r < end; ++r) sort_short_row<KeySort>(Sorted(args, codec, r), n, keys, keys + n);
  });
}

template <class KeySort, class K, bool kFloat, bool kSigned>
void sort_rows_with(const Exec& exec, const SortRowsArgs& args, K infinity = 0) {
  using Codec = SortKey<K, kFloat, kSigned>;
  const Codec codec = {infinity, args.descending ? Codec::kAll : K{0}};
  if (!args.index) {
    sort_rows_as<KeySort, K, Codec, KeysOnly<K>>(exec, args, codec);
  } else if constexpr (sizeof(K) == 8) {
    sort_rows_as<KeySort, K, Codec, KeyBesideIndex<K>>(exec, args, codec);
  } else {
    sort_rows_as<KeySort, K, Codec, KeyOverIndex<K>>(exec, args, codec);
  }
}

template <class KeySort>
void array_sort_rows(const Exec& exec, const SortRowsArgs& args) noexcept {
  switch (args.dtype) {
    case DType::f32:
      return sort_rows_with<KeySort, uint32_t, true, true>(exec, args, 0x7f800000u);
    case DType::bf16:
      return sort_rows_with<KeySort, uint16_t, true, true>(exec, args, 0x7f80u);
    case DType::f16:
      return sort_rows_with<KeySort, uint16_t, true, true>(exec, args, 0x7c00u);
    case DType::f64:
      return sort_rows_with<KeySort, uint64_t, true, true>(exec, args, uint64_t{0x7ff} << 52);
    case DType::i8:
      return sort_rows_with<KeySort, uint8_t, false, true>(exec, args);
    case DType::u8:
    case DType::boolean:
      return sort_rows_with<KeySort, uint8_t, false, false>(exec, args);
    case DType::i16:
      return sort_rows_with<KeySort, uint16_t, false, true>(exec, args);
    case DType::u16:
      return sort_rows_with<KeySort, uint16_t, false, false>(exec, args);
    case DType::i32:
      return sort_rows_with<KeySort, uint32_t, false, true>(exec, args);
    case DType::u32:
      return sort_rows_with<KeySort, uint32_t, false, false>(exec, args);
    case DType::i64:
      return sort_rows_with<KeySort, uint64_t, false, true>(exec, args);
    case DType::u64:
      return sort_rows_with<KeySort, uint64_t, false, false>(exec, args);
    case DType::c64:
    case DType::c128:
      return;  // have no order
  }
}
