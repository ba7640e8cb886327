// SPDX-License-Identifier: Apache-2.0
// Runs of f32 (runs.inl) as vectors, alone and in pairs.

// put(y + i, i, n) for all n <= 16 lanes at a time of what is written past the caches (ahead.inl), by way of a line.
template <class V, class Put>
[[gnu::always_inline]] inline void stream_lanes(float* y, int64_t count, const Put& put) {
  int64_t i = count_to_line(y, count);
  for_lanes(0, i, [=](int64_t at, auto n) { put(y + at, at, n); });
  for (; i + V::kLanes <= count; i += V::kLanes) {
    alignas(64) float line[V::kLanes];
    put(line, i, Full{});
    V::stream_line(y + i, line);
  }
  if (i < count) put(y + i, i, count - i);
  V::end_streams();
}

// Three ways to read a run of f32: element i of the run is at p[i], at p[0], or at p[i·stride].
template <class V>
struct UnitRun {
  static UnitRun from(const float* p, int64_t) { return {p}; }
  const float* p;
  template <class N>
  typename V::F at(int64_t i, N n) const {
    return load<V>(p + i, n);
  }
  void ahead(int64_t i) const { read_ahead(p + i, V::kLanes); }
};
template <class V>
struct SplatRun {
  static SplatRun from(const float* p, int64_t) { return {V::set1(*p)}; }
  typename V::F value;
  template <class N>
  typename V::F at(int64_t, N) const {
    return value;
  }
  void ahead(int64_t) const {}
};
template <class V>
struct StridedRun {
  static StridedRun from(const float* p, int64_t stride) { return {p, stride}; }
  const float* p;
  int64_t stride;
  template <class N>
  typename V::F at(int64_t i, N n) const {
    float lanes[V::kLanes] = {};
    for (int64_t l = 0; l < n; ++l) lanes[l] = p[(i + l) * stride];
    return V::load(lanes);
  }
  void ahead(int64_t) const {}
};

template <class R>
struct RunKind {
  using Run = R;
};

// Calls fn(a, b) with the kinds of the cheapest readers for two runs.
template <class V, class Fn>
void with_runs(int64_t a_stride, int64_t b_stride, const Fn& fn) {
  constexpr RunKind<UnitRun<V>> unit;
  constexpr RunKind<SplatRun<V>> splat;
  constexpr RunKind<StridedRun<V>> strided;
  if (a_stride == 1 && b_stride == 1) return fn(unit, unit);
  if (a_stride == 1 && b_stride == 0) return fn(unit, splat);
  if (a_stride == 0 && b_stride == 1) return fn(splat, unit);
  return fn(strided, strided);
}

// Elements of a run that is streamed but for a line at each end, and read ahead where its end is not too near: rows of 50
// f32, 100,000 in all, plus a row take 10.3 us without, and 12.5 with it.
constexpr int64_t kLongRun = 1024;

// put(y + i, a[i …], b[i …], n) for all n <= 16 elements of a shape at a time, in the order of the contiguous y.
template <class V, class T, class Put>
void for_pairs(const Exec& exec, const Dims& shape, const StridedInput& a, const StridedInput& b, T* y,
               const Put& put) {
  const int64_t a_stride = last_of(a.strides), b_stride = last_of(b.strides);
  const int64_t bytes = share_of(exec, count_of(shape)) * static_cast<int64_t>(2 * sizeof(float) + sizeof(T));
  const bool is_past = is_streamed(bytes), is_long = last_of(shape) >= kLongRun;
  const bool is_ahead = is_read_ahead(bytes) && (is_long || is_cached(bytes));
  for_planes(exec, shape, {&a.strides, &b.strides}, [&](int64_t at, int64_t runs, int64_t count, const auto& walk) {
    const float* a_run = static_cast<const float*>(a.data) + walk.offset(0);
    const float* b_run = static_cast<const float*>(b.data) + walk.offset(1);
    const int64_t a_next = walk.run_stride(0), b_next = walk.run_stride(1);
    // All by value: bytes may be written over anything, which would have to be read again.
    with_runs<V>(a_stride, b_stride, [=](auto a_kind, auto b_kind) {
      for (int64_t r = 0; r < runs; ++r) {
        const auto left = decltype(a_kind)::Run::from(a_run + r * a_next, a_stride);
        const auto right = decltype(b_kind)::Run::from(b_run + r * b_next, b_stride);
        T* const out = y + at + r * count;
        if constexpr (kSame<T, float>) {
          if (is_past && is_long) {
            stream_lanes<V>(out, count,
                            [=](float* to, int64_t i, auto n) { put(to, left.at(i, n), right.at(i, n), n); });
            continue;
          }
        }
        const auto ahead = [=](int64_t i) {
          left.ahead(i);
          right.ahead(i);
          read_ahead(out + i, V::kLanes);
        };
        for_lanes_ahead(0, count, is_ahead, ahead,
                        [=](int64_t i, auto n) { put(out + i, left.at(i, n), right.at(i, n), n); });
      }
    });
  });
}
