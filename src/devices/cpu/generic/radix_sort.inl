// SPDX-License-Identifier: Apache-2.0
// A stable sort of elements with unsigned keys, by digits: from the highest while there is much to sort or many bits
// are left, which needs a pass or two where keys are spread out; from the lowest where few bits are left; and by
// insertion where few elements are. Nothing is allocated.

// A key of 64 bits and where it came from. Shorter keys share one word with their index.
struct KeyAndIndex {
  uint64_t key, index;
};

constexpr int bit_width(uint64_t x) { return x == 0 ? 0 : 64 - __builtin_clzll(x); }

template <class Key>
Key key_of(Key element) {
  return element;
}
uint64_t key_of(const KeyAndIndex& element) { return element.key; }

// What of a key is looked at: bits [low, high) of key - base; those above are 0.
struct DigitRange {
  uint64_t base;
  int low, high;
};

// Parts of a row that threads share.
constexpr int kMostChunks = 32;
constexpr int64_t kInsertionLength = 40;
constexpr int kDigitBits = 8;
constexpr int kDigits = 1 << kDigitBits;

template <class E>
uint64_t shifted_key(const E& element, uint64_t base) {
  return static_cast<uint64_t>(key_of(element)) - base;
}

template <class E>
void insertion_sort(E* elements, int64_t n) {
  for (int64_t i = 1; i < n; ++i) {
    const E moved = elements[i];
    int64_t k = i;
    for (; k > 0 && key_of(moved) < key_of(elements[k - 1]); --k) elements[k] = elements[k - 1];
    elements[k] = moved;
  }
}

// Where each digit's elements begin, from how many there are.
void to_places(int64_t* counts, int digits) {
  int64_t place = 0;
  for (int d = 0; d < digits; ++d) {
    const int64_t count = counts[d];
    counts[d] = place;
    place += count;
  }
}

// Moves elements to `to` by the digit of `bits` bits from `low` on, stably. False, and nothing is moved, where all have
// the same. ends[d] is where the elements of d end.
template <class E>
bool scatter_by_digit(const E* from, E* to, int64_t n, uint64_t base, int low, int bits, int64_t* ends) {
  const uint64_t mask = (uint64_t{1} << bits) - 1;
  const int digits = 1 << bits;
  memset(ends, 0, sizeof(int64_t) * static_cast<size_t>(digits));
  for (int64_t i = 0; i < n; ++i) ++ends[(shifted_key(from[i], base) >> low) & mask];
  if (ends[(shifted_key(from[0], base) >> low) & mask] == n) return false;
  to_places(ends, digits);
  for (int64_t i = 0; i < n; ++i) to[ends[(shifted_key(from[i], base) >> low) & mask]++] = from[i];
  return true;
}

// From the lowest digit up. The result is in `from`, or in `to`.
template <class E>
void sort_from_lowest(E* from, E* to, int64_t n, DigitRange range, bool in_place) {
  E* const home = in_place ? from : to;
  const int passes = (range.high - range.low + kDigitBits - 1) / kDigitBits;
  int64_t ends[kDigits];
  for (int pass = 0, low = range.low; pass < passes; ++pass) {
    const int bits = (range.high - low) / (passes - pass);
    if (scatter_by_digit(from, to, n, range.base, low, bits, ends)) {
      E* const other = from;
      from = to;
      to = other;
    }
    low += bits;
  }
  if (from != home) memcpy(home, from, static_cast<size_t>(n) * sizeof(E));
}

// Sorts n elements at `from`, with as much room at `to`. The result is in `from`, or in `to`.
template <class E>
void radix_sort(E* from, E* to, int64_t n, DigitRange range, bool in_place) {
  constexpr int64_t kMany = 1 << 16;
  constexpr int kFewBits = 3 * kDigitBits;
  for (;;) {
    const int left = range.high - range.low;
    if (n <= kInsertionLength || left <= 0) {
      if (left > 0) insertion_sort(from, n);
      if (!in_place) memcpy(to, from, static_cast<size_t>(n) * sizeof(E));
      return;
    }
    if (left <= kDigitBits || (left <= kFewBits && n <= kMany)) return sort_from_lowest(from, to, n, range, in_place);
    int64_t ends[kDigits];
    range.high -= kDigitBits;
    if (!scatter_by_digit(from, to, n, range.base, range.high, kDigitBits, ends)) continue;
    for (int d = 0; d < kDigits; ++d) {
      const int64_t begin = d == 0 ? 0 : ends[d - 1];
      if (ends[d] > begin) radix_sort(to + begin, from + begin, ends[d] - begin, range, !in_place);
    }
    return;
  }
}
