// SPDX-License-Identifier: Apache-2.0
// Rows of floats in lanes that are the same on every instruction set: 64 bytes, in the compiler's vectors of the size of
// a register. Loops over one accumulator would be chains, since floats are not to be reordered. Vectors of more bytes than
// a register has are kept in memory and compared element by element: the greatest of 10^6 f32 took 2.4 ms on AVX2.
#if defined __AVX512F__
constexpr int64_t kVectorBytes = 64;
#elif defined __AVX__
constexpr int64_t kVectorBytes = 32;
#else
constexpr int64_t kVectorBytes = 16;
#endif

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(kVectorBytes)));
};
template <class T>
using Vector = typename VectorOf<T>::type;
template <class T>
constexpr int64_t kVectorWidth = kVectorBytes / sizeof(T);
constexpr int64_t kLaneVectors = 64 / kVectorBytes;

inline void load_vector(Vector<double>& to, const double* x) { memcpy(&to, x, sizeof to); }
inline void load_vector(Vector<float>& to, const float* x) { memcpy(&to, x, sizeof to); }
inline void load_vector(Vector<double>& to, const float* x) {
  typedef float Half __attribute__((vector_size(kVectorBytes / 2)));
  Half half;
  memcpy(&half, x, sizeof half);
  to = __builtin_convertvector(half, Vector<double>);
}

// How far loops that only read, read ahead: the sum of 100,000 f64 takes 8.0 us instead of 11.1, as with 4 KiB, and 9.0
// with 512 bytes or 1 KiB. Within the first-level cache it takes no time.
constexpr int64_t kLanesAheadBytes = 2048;

// n elements taken by R into four times the lanes of R::Real, folded by halves until kKeep lanes are left, which go to
// `out`.
template <class R, int64_t kKeep, class In>
void reduce_lanes(const In* x, int64_t n, typename R::Real* out) {
  using Real = typename R::Real;
  constexpr int64_t kWidth = kVectorWidth<Real>, kVectors = 4 * kLaneVectors, kLanes = kVectors * kWidth;
  Vector<Real> acc[kVectors];
  for (Vector<Real>& lanes : acc) lanes = R::kStart - Vector<Real>{};
  const auto take = [&](const In* from) {
    for (int64_t u = 0; u < kVectors; ++u) {
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
  for (int64_t half = kVectors / 2; half >= kLaneVectors; half /= 2) {
    for (int64_t u = 0; u < half; ++u) R::take_vector(acc[u], acc[u + half]);
  }
  Real lanes[kLaneVectors * kWidth];
  memcpy(lanes, acc, sizeof lanes);
  for (int64_t half = kLaneVectors * kWidth / 2; half >= kKeep; half /= 2) {
    for (int64_t l = 0; l < half; ++l) lanes[l] = R::merge(lanes[l], lanes[l + half]);
  }
  for (int64_t l = 0; l < kKeep; ++l) out[l] = lanes[l];
}
