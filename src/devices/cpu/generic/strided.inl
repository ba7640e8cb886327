// SPDX-License-Identifier: Apache-2.0
// Runs of f32 (runs.inl) as vectors.

// Three ways to read a run of f32: element i of the run is at p[i], at p[0], or at p[i·stride].
template <class V>
struct UnitRun {
  const float* p;
  template <class N>
  typename V::F at(int64_t i, N n) const {
    return load<V>(p + i, n);
  }
  void ahead(int64_t i) const { read_ahead(p + i, V::kLanes); }
};
template <class V>
struct SplatRun {
  typename V::F value;
  template <class N>
  typename V::F at(int64_t, N) const {
    return value;
  }
  void ahead(int64_t) const {}
};
template <class V>
struct StridedRun {
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

// Calls fn(a, b) with the cheapest readers for two runs.
template <class V, class Fn>
void with_runs(const float* a, int64_t a_stride, const float* b, int64_t b_stride, const Fn& fn) {
  using Unit = UnitRun<V>;
  using Splat = SplatRun<V>;
  using Strided = StridedRun<V>;
  if (a_stride == 1 && b_stride == 1) return fn(Unit{a}, Unit{b});
  if (a_stride == 1 && b_stride == 0) return fn(Unit{a}, Splat{V::set1(*b)});
  if (a_stride == 0 && b_stride == 1) return fn(Splat{V::set1(*a)}, Unit{b});
  return fn(Strided{a, a_stride}, Strided{b, b_stride});
}
