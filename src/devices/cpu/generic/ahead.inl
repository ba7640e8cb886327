// SPDX-License-Identifier: Apache-2.0
// Reading ahead of loops over more than the first-level cache holds. Where vectors straddle cache lines, as those of an
// array that begins anywhere do, the processor's own prefetching falls behind: y = a + b of 100,000 f32 takes 15 us
// without and 10 with it, 10.3 and 9.6 on aligned arrays; within that cache it would only cost (0.12 and 0.20 us for
// 4000). What the second-level cache does not hold wants to be asked for late and a line at a time: 10^6 f32 added in
// vectors take 141 us without, 133 with 256 bytes and 144 with 512, 4·10^6 1850, 1640 and 1810 (Zen 4; on an Intel Xeon
// 480, 485 and 483). Blocks of 64 elements leave it to the processor: 10^6 f32 to f64 141 us without, 156 with 256 bytes
// and 239 with 512. So do results that go past the caches: 10^7 f64 to f32 3365 and 4080.
//
// Results of loops over still more go past the caches, which would fetch their lines to have them overwritten: 10^6 f64
// added take 268 us instead of 476, 10^7 f32 3281 instead of 4848, and twice in a row, the sums added again, 750 instead
// of 1087 and 6600 instead of 9688. Where the last cache holds what a thread has, that would lose: 10^6 f32 doubled take
// 152 us instead of 86, made f64 300 instead of 145 (Zen 4, 32 MiB).

constexpr int64_t kLongBytes = 40 << 10, kCachedBytes = 2 << 20, kStreamedBytes = 16 << 20;
constexpr int64_t kAheadBytes = 256, kBlockAheadBytes = 512;

// Whether a second-level cache holds so many bytes; 2 MiB at most, the largest measured.
inline bool is_cached(int64_t bytes) { return bytes <= kCachedBytes && bytes <= second_level_cache_bytes(); }

// Whether loops over so many bytes of a thread, read and written, are to read ahead, by kAheadBytes.
constexpr bool is_read_ahead(int64_t bytes) { return bytes > kLongBytes; }

// Whether they are to write past the caches.
constexpr bool is_streamed(int64_t bytes) { return bytes >= kStreamedBytes; }

// The cache line of p.
[[gnu::always_inline]] inline void ask_for(const void* p) {
  __builtin_prefetch(p);
  asm volatile("");  // g++ takes a function that only prefetches for one without effect, and leaves out its calls
}

// The cache lines that `count` elements from `p` on will have when the loop has gone on by `distance` bytes.
template <class T>
[[gnu::always_inline]] inline void read_ahead(const T* p, int64_t count, int64_t distance = kAheadBytes) {
  const char* line = reinterpret_cast<const char*>(p) + distance;
  const int64_t bytes = count * static_cast<int64_t>(sizeof(T));
  for (int64_t i = 0; i < bytes; i += 64) ask_for(line + i);
}

// The function that does so for several arrays, from element i of each on.
template <int64_t kDistance = kBlockAheadBytes, class... T>
auto reading_ahead(const T*... p) {
  return [=](int64_t i, int64_t count) [[gnu::always_inline]] { (read_ahead(p + i, count, kDistance), ...); };
}

// Elements from p to the next cache line, at most `count`; `count` if no element begins one.
template <class T>
int64_t count_to_line(const T* p, int64_t count) {
  const auto bytes = static_cast<int64_t>(-reinterpret_cast<uintptr_t>(p) % 64);
  return bytes % static_cast<int64_t>(sizeof(T)) == 0 ? smaller(bytes / static_cast<int64_t>(sizeof(T)), count) : count;
}

// Calls make(to, i, n) for every n <= 64 elements from y[i] on, which it puts at `to`: in the way that suits `bytes` of a
// thread's, read and written. Before n of them that are read ahead, ahead(i, n).
template <class V, class Y, class Ahead, class Make>
[[gnu::always_inline]] inline void write_blocks(Y* y, int64_t count, int64_t bytes, const Ahead& ahead,
                                                const Make& make) {
  constexpr int64_t kStep = 64;
  int64_t i = 0;
  if (is_streamed(bytes)) {
    const int64_t head = count_to_line(y, count);
    for (; i < head; i += smaller(kStep, head - i)) make(y + i, i, smaller(kStep, head - i));
    for (; i + kStep <= count; i += kStep) {
      alignas(64) Y block[kStep];
      make(block, i, kStep);
      for (size_t line = 0; line < sizeof block; line += 64) {
        V::stream_line(reinterpret_cast<char*>(y + i) + line, reinterpret_cast<const char*>(block) + line);
      }
    }
    V::end_streams();
  } else {
    const bool is_ahead = is_read_ahead(bytes) && is_cached(bytes);
    for (; i + kStep <= count; i += kStep) {
      if (is_ahead) ahead(i, kStep);
      make(y + i, i, kStep);
    }
  }
  if (i < count) make(y + i, i, count - i);
}

// y[i] = value(i), so.
template <class V, class Y, class Ahead, class Value>
[[gnu::always_inline]] inline void write_each(Y* y, int64_t count, int64_t bytes, const Ahead& ahead,
                                              const Value& value) {
  write_blocks<V>(y, count, bytes, ahead, [=](Y* to, int64_t i, int64_t n) [[gnu::always_inline]] {
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) to[j] = value(i + j);
  });
}
