// SPDX-License-Identifier: Apache-2.0
// Sorting a row by digits (radix_sort.inl): a short one on a thread, a long one on all.

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

// What is sorted where only values are asked for: the key. It gives way to its number in place.
template <class K>
struct KeysOnly {
  using Element = K;
  static constexpr int kShift = 0;
  template <class Codec>
  static Element of(const Codec& codec, K bits, int64_t) {
    return codec.of(bits);
  }
  static uint64_t key(Element element) { return element; }
  template <class Codec>
  static Element result(const Codec& codec, Element element) {
    return codec.bits_of(element);
  }
};

// The key over the index in one word, which gives way to the index in place.
template <class K>
struct KeyOverIndex {
  using Element = uint64_t;
  static constexpr int kShift = 32;
  template <class Codec>
  static Element of(const Codec& codec, K bits, int64_t index) {
    return uint64_t{codec.of_equals(bits)} << 32 | static_cast<uint64_t>(index);
  }
  static uint64_t key(Element element) { return element >> 32; }
  template <class Codec>
  static uint64_t result(const Codec&, Element element) {
    return element & 0xffffffffu;
  }
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
  template <class Codec>
  static uint64_t result(const Codec&, const Element& element) {
    return element.index;
  }
};

// One row on its way: x → elements at `keys` → sorted elements there → results at y, which may be where the keys are.
template <class K, class Codec, class Form, class Result>
class DigitRow {
 public:
  using Element = typename Form::Element;

  DigitRow(const Codec& codec, const K* x, Result* y, int64_t n, Element* keys, Element* other)
      : codec_(codec), x_(x), y_(y), n_(n), keys_(keys), other_(other) {}

  void sort() const {
    const KeySpan span = encode(0, n_);
    radix_sort(keys_, other_, n_, digits(span), true);
    decode(0, n_);
  }

  // The first digit in chunks, which all threads share, then each digit's elements on one of them.
  void sort(const Exec& exec) const {
    const int64_t chunks = smaller(exec.threads, kMostChunks), chunk = ceil_div(n_, chunks);
    KeySpan spans[kMostChunks];
    parallel_in_ranges(exec, chunks, 1, [&](int64_t c, int64_t) {
      spans[c] = encode(smaller(c * chunk, n_), smaller((c + 1) * chunk, n_));
    });
    for (int64_t c = 1; c < chunks; ++c) spans[0].take(spans[c]);
    DigitRange range = digits(spans[0]);
    const int bits = smaller(kDigitBits, range.high - range.low);
    range.high -= bits;
    const auto digit = [&](const Element& element) {
      return (shifted_key(element, range.base) >> range.high) & ((uint64_t{1} << bits) - 1);
    };

    int64_t places[kMostChunks][kDigits] = {}, begins[kDigits + 1];
    parallel_in_ranges(exec, chunks, 1, [&](int64_t c, int64_t) {
      for (int64_t i = smaller(c * chunk, n_), end = smaller((c + 1) * chunk, n_); i < end; ++i)
        ++places[c][digit(keys_[i])];
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
    begins[kDigits] = n_;
    parallel_in_ranges(exec, chunks, 1, [&](int64_t c, int64_t) {
      for (int64_t i = smaller(c * chunk, n_), end = smaller((c + 1) * chunk, n_); i < end; ++i) {
        other_[places[c][digit(keys_[i])]++] = keys_[i];
      }
    });
    parallel_in_ranges(exec, kDigits, 1, [&](int64_t d, int64_t) {
      const int64_t begin = begins[d], end = begins[d + 1];
      if (begin == end) return;
      radix_sort(other_ + begin, keys_ + begin, end - begin, range, false);
      decode(begin, end);
    });
  }

 private:
  KeySpan encode(int64_t begin, int64_t end) const {
    KeySpan span;
    for (int64_t i = begin; i < end; ++i) {
      keys_[i] = Form::of(codec_, x_[i], i);
      span.take(Form::key(keys_[i]));
    }
    return span;
  }

  // What of keys within the span differs.
  static DigitRange digits(const KeySpan& span) {
    return {span.least << Form::kShift, Form::kShift, Form::kShift + bit_width(span.greatest - span.least)};
  }

  void decode(int64_t begin, int64_t end) const {
    for (int64_t i = begin; i < end; ++i) y_[i] = Form::result(codec_, keys_[i]);
  }

  const Codec& codec_;
  const K* x_;
  Result* y_;
  int64_t n_;
  Element *keys_, *other_;
};
