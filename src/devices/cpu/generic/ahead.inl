// SPDX-License-Identifier: Apache-2.0
// Reading ahead of loops over more than the first-level cache holds. Where vectors straddle cache lines, as those of an
// array that begins anywhere do, the processor's own prefetching falls behind: y = a + b of 100,000 f32 takes 15 us
// without and 10 with it, 10.3 and 9.6 on aligned arrays; within that cache it would only cost (0.12 and 0.20 us for
// 4000). What second-level caches of servers do not hold is left to the processor, too: 10^6 f32 to f64 take 239 us with
// it and 133 without, 100,000 f64 added 32 and 26 (Zen 4).
//
// Results of loops over still more go past the caches, which would fetch their lines to have them overwritten: 10^6 f64
// added take 268 us instead of 476, 10^7 f32 3281 instead of 4848, and twice in a row, the sums added again, 750 instead
// of 1087 and 6600 instead of 9688. Where the sums would have stayed in the last cache, the second addition loses what
// the first gains (10^6 f32: 118 of 146, but 322 of 340 together, with two threads 58 of 66, but 201 of 153; Zen 4).

constexpr int64_t kAheadBytes = 512, kLongBytes = 40 << 10, kCachedBytes = 2 << 20, kStreamedBytes = 16 << 20;

// Whether a loop over so many bytes, read and written, is to read ahead.
constexpr bool is_read_ahead(int64_t bytes) { return bytes > kLongBytes && bytes <= kCachedBytes; }

// Whether it is to write past the caches.
constexpr bool is_streamed(int64_t bytes) { return bytes >= kStreamedBytes; }

// The cache lines that `count` elements from `p` on will have when the loop has gone on by `distance` bytes.
template <class T>
[[gnu::always_inline]] inline void read_ahead(const T* p, int64_t count, int64_t distance = kAheadBytes) {
  const char* line = reinterpret_cast<const char*>(p) + distance;
  const int64_t bytes = count * static_cast<int64_t>(sizeof(T));
  for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(line + i);
  asm volatile("");  // g++ takes a function that only prefetches for one without effect, and leaves out its calls
}

// Calls each(i) for i from 0 to count, ahead(i, n) before every n <= 64 of them if it is_ahead.
template <class Ahead, class Each>
[[gnu::always_inline]] inline void for_each_ahead(int64_t count, bool is_ahead, const Ahead& ahead, const Each& each) {
  constexpr int64_t kStep = 64;
  int64_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    if (is_ahead) ahead(i, kStep);
#pragma GCC ivdep
    for (int64_t j = i; j < i + kStep; ++j) each(j);
  }
#pragma GCC ivdep
  for (; i < count; ++i) each(i);
}

// Elements from p to the next cache line, at most `count`; `count` if no element begins one.
template <class T>
int64_t count_to_line(const T* p, int64_t count) {
  const auto bytes = static_cast<int64_t>(-reinterpret_cast<uintptr_t>(p) % 64);
  return bytes % static_cast<int64_t>(sizeof(T)) == 0 ? smaller(bytes / static_cast<int64_t>(sizeof(T)), count) : count;
}

// y[i] = value(i) past the caches.
template <class V, class Y, class Value>
[[gnu::always_inline]] inline void stream_each(Y* y, int64_t count, const Value& value) {
  constexpr int64_t kStep = 64;
  int64_t i = 0;
  for (const int64_t head = count_to_line(y, count); i < head; ++i) y[i] = value(i);
  for (; i + kStep <= count; i += kStep) {
    alignas(64) Y block[kStep];
#pragma GCC ivdep
    for (int64_t j = 0; j < kStep; ++j) block[j] = value(i + j);
    for (size_t line = 0; line < sizeof block; line += 64) {
      V::stream_line(reinterpret_cast<char*>(y + i) + line, reinterpret_cast<const char*>(block) + line);
    }
  }
  for (; i < count; ++i) y[i] = value(i);
  V::end_streams();
}

// y[i] = value(i) in the way that suits a loop over so many bytes, read and written. ahead(i, n) as above.
template <class V, class Y, class Ahead, class Value>
[[gnu::always_inline]] inline void write_each(Y* y, int64_t count, int64_t bytes, const Ahead& ahead,
                                              const Value& value) {
  if (is_streamed(bytes)) return stream_each<V>(y, count, value);
  for_each_ahead(count, is_read_ahead(bytes), ahead, [=](int64_t i) { y[i] = value(i); });
}
