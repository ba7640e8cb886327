// SPDX-License-Identifier: Apache-2.0
// Sorting rows: short ones each on a thread, long ones on all. Nothing here gains from vectors, so there is one copy
// for all instruction sets.
#include "device/array_sort.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "devices/cpu/array_sort_kernels.h"
#include "devices/cpu/radix_sort.h"
#include "devices/cpu/sort_keys.h"

namespace tern::cpu {
namespace {

#include "devices/cpu/generic/parallel.inl"

// Rows from here on are worth several threads.
constexpr int64_t kLongRow = 1 << 15;
constexpr int kMostChunks = 32;

// The least and the greatest key of a part of a row.
struct KeySpan {
  uint64_t least = ~uint64_t{0}, greatest = 0;

  void take(uint64_t key) {
    least = std::min(least, key);
    greatest = std::max(greatest, key);
  }
  void take(const KeySpan& other) {
    least = std::min(least, other.least);
    greatest = std::max(greatest, other.greatest);
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
  static constexpr bool kIndexed = !std::is_same_v<Form, KeysOnly<K>>;

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

  // What of keys within the span differs.
  static DigitRange digits(const KeySpan& span) {
    return {span.least << Form::kShift, Form::kShift,
            Form::kShift + static_cast<int>(std::bit_width(span.greatest - span.least))};
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
      const auto [low, high] = std::minmax({codec_.of(K{0}), codec_.of(Codec::kSign)});
      if (static_cast<K>(high - low) != 1) return;  // integers: one of them is no zero
      const Element* first = std::lower_bound(sorted, sorted + n_, low);
      const Element* last = std::upper_bound(first, sorted + n_, high);
      if (first == last || *first == last[-1]) return;
      K* to = y_ + (first - sorted);
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

template <class R>
void sort_short_row(const R& row, int64_t n, typename R::Element* keys, typename R::Element* other) {
  const KeySpan span = row.encode(keys, 0, n);
  radix_sort(keys, other, n, R::digits(span), true);
  row.decode(keys, 0, n);
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

template <class K, class Codec, class Form>
void sort_rows_as(const Exec& exec, const SortRowsArgs& args, const Codec& codec) {
  using Sorted = Row<K, Codec, Form>;
  using Element = typename Sorted::Element;
  const int64_t n = args.n;
  if (n == 0) return;
  if (args.room || (args.rows < exec.threads && n >= kLongRow)) {
    void* const room = args.room ? args.room : exec.scratch(exec.backend, exec.first_worker);
    auto* const keys = static_cast<Element*>(room);
    for (int64_t r = 0; r < args.rows; ++r) sort_long_row(exec, Sorted(args, codec, r), n, keys, keys + n);
    return;
  }
  parallel_with_scratch(exec, args.rows, 8 * n, [&](std::byte* scratch, int64_t begin, int64_t end) {
    auto* const keys = reinterpret_cast<Element*>(scratch);
    for (int64_t r = begin; r < end; ++r) sort_short_row(Sorted(args, codec, r), n, keys, keys + n);
  });
}

template <class K, bool kFloat, bool kSigned>
void sort_rows_with(const Exec& exec, const SortRowsArgs& args, K infinity = 0) {
  using Codec = SortKey<K, kFloat, kSigned>;
  const Codec codec = {infinity, args.descending ? Codec::kAll : K{0}};
  if (!args.index) {
    sort_rows_as<K, Codec, KeysOnly<K>>(exec, args, codec);
  } else if constexpr (sizeof(K) == 8) {
    sort_rows_as<K, Codec, KeyBesideIndex<K>>(exec, args, codec);
  } else {
    sort_rows_as<K, Codec, KeyOverIndex<K>>(exec, args, codec);
  }
}

}  // namespace

void sort_rows(const Exec& exec, const SortRowsArgs& args) noexcept {
  switch (args.dtype) {
    case DType::f32:
      return sort_rows_with<uint32_t, true, true>(exec, args, 0x7f800000u);
    case DType::bf16:
      return sort_rows_with<uint16_t, true, true>(exec, args, 0x7f80u);
    case DType::f16:
      return sort_rows_with<uint16_t, true, true>(exec, args, 0x7c00u);
    case DType::f64:
      return sort_rows_with<uint64_t, true, true>(exec, args, uint64_t{0x7ff} << 52);
    case DType::i8:
      return sort_rows_with<uint8_t, false, true>(exec, args);
    case DType::u8:
    case DType::boolean:
      return sort_rows_with<uint8_t, false, false>(exec, args);
    case DType::i16:
      return sort_rows_with<uint16_t, false, true>(exec, args);
    case DType::u16:
      return sort_rows_with<uint16_t, false, false>(exec, args);
    case DType::i32:
      return sort_rows_with<uint32_t, false, true>(exec, args);
    case DType::u32:
      return sort_rows_with<uint32_t, false, false>(exec, args);
    case DType::i64:
      return sort_rows_with<uint64_t, false, true>(exec, args);
    case DType::u64:
      return sort_rows_with<uint64_t, false, false>(exec, args);
    case DType::c64:
    case DType::c128:
      return;  // have no order
  }
}

}  // namespace tern::cpu
