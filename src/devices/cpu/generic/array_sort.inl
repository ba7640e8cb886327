// SPDX-License-Identifier: Apache-2.0
// Sorting rows: short ones each on a thread, long ones on all. Where an instruction set sorts keys by vectors
// (VectorSort of vector_rows.inl), they are, and else by digits. The results are the same.

// Of an instruction set that sorts by digits only.
struct NoVectorSort {
  template <class K, bool kIndexed>
  static constexpr bool kSorts = false;
};

// Rows from here on are worth several threads.
constexpr int64_t kLongRow = 1 << 15;

// The first of n sorted numbers whose key is not less.
template <class K, class Codec>
int64_t first_not_less(const Codec& codec, const K* sorted, int64_t n, K key) {
  int64_t first = 0;
  while (n > 0) {
    const int64_t half = n / 2;
    if (codec.of(sorted[first + half]) < key) {
      first += half + 1;
      n -= half + 1;
    } else {
      n = half;
    }
  }
  return first;
}

// The zeros of x, of both signs, in their order.
template <class K>
void copy_zeros(const K* x, int64_t n, K* to) {
  for (int64_t i = 0; i < n; ++i) {
    if (static_cast<K>(x[i] << 1) == 0) *to++ = x[i];
  }
}

// Zeros of both signs are equal, so they go back to the order that they had.
template <class K, class Codec>
void restore_zeros(const Codec& codec, const K* x, K* y, int64_t n) {
  const K zero = codec.of(K{0}), minus = codec.of(Codec::kSign), low = zero < minus ? zero : minus;
  const int64_t first = first_not_less(codec, y, n, low),
                end = first + first_not_less(codec, y + first, n - first, static_cast<K>(low + 2));
  if (first == end || y[first] == y[end - 1]) return;
  copy_zeros(x, n, y + first);
}

// The same where y is sorted at some places only, so that nothing can be looked up in it: where the zeros belong is
// counted.
template <class K, class Codec>
void restore_zeros_of_some(const Codec& codec, const K* x, K* y, int64_t n) {
  const K zero = codec.of(K{0}), minus = codec.of(Codec::kSign), low = zero < minus ? zero : minus;
  int64_t first = 0, zeros = 0, minuses = 0;
  for (int64_t i = 0; i < n; ++i) {
    first += codec.of(x[i]) < low;
    zeros += x[i] == K{0};
    minuses += x[i] == Codec::kSign;
  }
  if (zeros == 0 || minuses == 0) return;
  copy_zeros(x, n, y + first);
}

template <bool kFirst, class A, class B>
struct ChoiceOf {
  using Type = A;
};
template <class A, class B>
struct ChoiceOf<false, A, B> {
  using Type = B;
};

// body.short_row(r, scratch) for rows on a thread each, or body.long_row(r, room) for one after the other; sorting an
// element costs about body.kCost operations.
template <class Body>
void for_sorted_rows(const Exec& exec, const SortRowsArgs& args, const Body& body) {
  if (args.n == 0) return;
  if (args.room || (args.rows < exec.threads && args.n >= kLongRow)) {
    void* const room = args.room ? args.room : exec.scratch(exec.backend, exec.first_worker);
    for (int64_t r = 0; r < args.rows; ++r) body.long_row(r, room);
    return;
  }
  parallel_with_scratch(exec, args.rows, Body::kCost * args.n, [&](std::byte* scratch, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) body.short_row(r, scratch);
  });
}

template <class K, class Codec>
struct ValuesByDigits {
  static constexpr int64_t kCost = 8;
  using Row = DigitRow<K, Codec, KeysOnly<K>, K>;
  const Exec& exec;
  const SortRowsArgs& args;
  const Codec& codec;

  void short_row(int64_t r, void* room) const {
    row(r, room).sort();
    restore(r);
  }
  void long_row(int64_t r, void* room) const {
    row(r, room).sort(exec);
    restore(r);
  }

 private:
  const K* x(int64_t r) const { return static_cast<const K*>(args.x) + r * args.n; }
  K* y(int64_t r) const { return static_cast<K*>(args.y) + r * args.n; }
  Row row(int64_t r, void* room) const { return Row(codec, x(r), y(r), args.n, y(r), static_cast<K*>(room)); }
  void restore(int64_t r) const {
    if constexpr (Codec::kIsFloat) restore_zeros(codec, x(r), y(r), args.n);
  }
};

template <class K, class Codec>
struct PlacesByDigits {
  static constexpr int64_t kCost = 8;
  static constexpr bool kOneWord = sizeof(K) < 8;
  using Form = typename ChoiceOf<kOneWord, KeyOverIndex<K>, KeyBesideIndex<K>>::Type;
  using Row = DigitRow<K, Codec, Form, uint64_t>;
  const Exec& exec;
  const SortRowsArgs& args;
  const Codec& codec;

  void short_row(int64_t r, void* room) const { row(r, room).sort(); }
  void long_row(int64_t r, void* room) const { row(r, room).sort(exec); }

 private:
  Row row(int64_t r, void* room) const {
    const K* const x = static_cast<const K*>(args.x) + r * args.n;
    auto* const y = reinterpret_cast<uint64_t*>(args.index) + r * args.n;
    auto* const elements = static_cast<typename Form::Element*>(room);
    if constexpr (kOneWord) {
      return Row(codec, x, y, args.n, y, elements);
    } else {
      return Row(codec, x, y, args.n, elements, elements + args.n);
    }
  }
};

template <class VectorSort, class K, class Codec>
void sort_rows_with(const Exec& exec, const SortRowsArgs& args, const Codec& codec) {
  if (args.index) {
    if constexpr (VectorSort::template kSorts<K, true>) {
      for_sorted_rows(exec, args, typename VectorSort::template Indices<K, Codec>{exec, args, codec});
    } else {
      for_sorted_rows(exec, args, PlacesByDigits<K, Codec>{exec, args, codec});
    }
  } else {
    if constexpr (VectorSort::template kSorts<K, false>) {
      for_sorted_rows(exec, args, typename VectorSort::template Values<K, Codec>{exec, args, codec});
    } else {
      for_sorted_rows(exec, args, ValuesByDigits<K, Codec>{exec, args, codec});
    }
  }
}

template <class VectorSort, class K>
void sort_floats(const Exec& exec, const SortRowsArgs& args, K infinity) {
  using Codec = FloatKey<K>;
  sort_rows_with<VectorSort, K>(exec, args, Codec{infinity, args.descending ? Codec::kAll : K{0}});
}

template <class VectorSort, class K>
void sort_integers(const Exec& exec, const SortRowsArgs& args, bool is_signed) {
  using Codec = IntegerKey<K>;
  const K turned = static_cast<K>((is_signed ? Codec::kSign : 0) ^ (args.descending ? Codec::kAll : 0));
  sort_rows_with<VectorSort, K>(exec, args, Codec{turned});
}

template <class VectorSort>
void array_sort_rows(const Exec& exec, const SortRowsArgs& args) noexcept {
  switch (args.dtype) {
    case DType::f32:
      return sort_floats<VectorSort, uint32_t>(exec, args, 0x7f800000u);
    case DType::bf16:
      return sort_floats<VectorSort, uint16_t>(exec, args, 0x7f80u);
    case DType::f16:
      return sort_floats<VectorSort, uint16_t>(exec, args, 0x7c00u);
    case DType::f64:
      return sort_floats<VectorSort, uint64_t>(exec, args, uint64_t{0x7ff} << 52);
    case DType::i8:
      return sort_integers<VectorSort, uint8_t>(exec, args, true);
    case DType::u8:
    case DType::boolean:
      return sort_integers<VectorSort, uint8_t>(exec, args, false);
    case DType::i16:
      return sort_integers<VectorSort, uint16_t>(exec, args, true);
    case DType::u16:
      return sort_integers<VectorSort, uint16_t>(exec, args, false);
    case DType::i32:
      return sort_integers<VectorSort, uint32_t>(exec, args, true);
    case DType::u32:
      return sort_integers<VectorSort, uint32_t>(exec, args, false);
    case DType::i64:
      return sort_integers<VectorSort, uint64_t>(exec, args, true);
    case DType::u64:
      return sort_integers<VectorSort, uint64_t>(exec, args, false);
    case DType::c64:
    case DType::c128:
      return;  // have no order
  }
}
