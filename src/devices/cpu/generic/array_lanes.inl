// SPDX-License-Identifier: Apache-2.0
// Rows of floats in lanes that are the same on every instruction set: the compiler's vectors of 64 bytes, which it
// makes of as many registers as it takes. Loops over one accumulator would be chains, since floats are not to be
// reordered.

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(64)));
};
template <class T>
using Vector = typename VectorOf<T>::type;
template <class T>
constexpr int64_t kVectorWidth = 64 / sizeof(T);

inline void load_vector(Vector<double>& to, const double* x) { memcpy(&to, x, sizeof to); }
inline void load_vector(Vector<float>& to, const float* x) { memcpy(&to, x, sizeof to); }
inline void load_vector(Vector<double>& to, const float* x) {
  typedef float Half __attribute__((vector_size(32)));
  Half half;
  memcpy(&half, x, sizeof half);
  to = __builtin_convertvector(half, Vector<double>);
}

// How far loops that only read, read ahead: the sum of 100,000 f64 takes 8.0 us instead of 11.1, as with 4 KiB, and 9.0
// with 512 bytes or 1 KiB. Within the first-level cache it takes no time.
constexpr int64_t kLanesAheadBytes = 2048;

// n elements taken by R into four vectors of R::Real, folded by halves until kKeep lanes are left, which go to `out`.
template <class R, int64_t kKeep, class In>
void reduce_lanes(const In* x, int64_t n, typename R::Real* out) {
  using Real = typename R::Real;
  constexpr int64_t kWidth = kVectorWidth<Real>, kLanes = 4 * kWidth;
  Vector<Real> acc[4];
  for (Vector<Real>& lanes : acc) lanes = R::kStart - Vector<Real>{};
  const auto take = [&](const In* from) {
    for (int64_t u = 0; u < 4; ++u) {
      Vector<Real> v;
      load_vector(v, from + u * kWidth);
      R::take_vector(acc[u], v);
    }
  };
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    read_ahead(x + i, kLanes, kLanesAheadBytes);
    take(x + i);
  }
  if (i < n) {
    In tail[kLanes];
    for (In& value : tail) value = static_cast<In>(R::kStart);
    memcpy(tail, x + i, static_cast<size_t>(n - i) * sizeof(In));
    take(tail);
  }
  R::take_vector(acc[0], acc[2]);
  R::take_vector(acc[1], acc[3]);
  R::take_vector(acc[0], acc[1]);
  Real lanes[kWidth];
  memcpy(lanes, &acc[0], sizeof lanes);
  for (int64_t half = kWidth / 2; half >= kKeep; half /= 2) {
    for (int64_t l = 0; l < half; ++l) lanes[l] = R::merge(lanes[l], lanes[l + half]);
  }
  for (int64_t l = 0; l < kKeep; ++l) out[l] = lanes[l];
}
