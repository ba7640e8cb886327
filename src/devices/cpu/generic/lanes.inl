// SPDX-License-Identifier: Apache-2.0
// Loops over 16 elements at a time, written once for whole vectors and the tail.

// The number of elements of a whole vector, as a type, so that its loads and stores need no mask.
struct Full {
  constexpr operator int64_t() const { return 16; }
};

// Calls step(i, n) for i = begin, begin + 16, … below end: n is Full but for the tail, where it is an int64_t below 16.
template <class Step>
[[gnu::always_inline]] inline void for_lanes(int64_t begin, int64_t end, const Step& step) {
  int64_t i = begin;
  for (; i + 16 <= end; i += 16) step(i, Full{});
  if (i < end) step(i, end - i);
}

// The same with ahead(i) before each whole vector of a loop that reads ahead (ahead.inl).
template <class Ahead, class Step>
[[gnu::always_inline]] inline void for_lanes_ahead(int64_t begin, int64_t end, bool is_ahead, const Ahead& ahead,
                                                   const Step& step) {
  int64_t i = begin;
  for (; i + 16 <= end; i += 16) {
    if (is_ahead) ahead(i);
    step(i, Full{});
  }
  if (i < end) step(i, end - i);
}

template <class V>
typename V::F load(const float* p, Full, float = 0.0f) {
  return V::load(p);
}
// The lanes from n on hold `fill`.
template <class V>
typename V::F load(const float* p, int64_t n, float fill = 0.0f) {
  return V::load_n(p, n, fill);
}

template <class V>
void store(float* p, typename V::F x, Full) {
  V::store(p, x);
}
template <class V>
void store(float* p, typename V::F x, int64_t n) {
  V::store_n(p, x, n);
}

// minimum and maximum that are NaN where either side is.
template <class V>
typename V::F minimum(typename V::F a, typename V::F b) {
  return V::select(V::ne(a, a), a, V::min(a, b));
}
template <class V>
typename V::F maximum(typename V::F a, typename V::F b) {
  return V::select(V::ne(a, a), a, V::max(a, b));
}

// 0 where x < 0; NaN stays.
template <class V>
typename V::F relu(typename V::F x) {
  return V::max(V::zero(), x);
}
