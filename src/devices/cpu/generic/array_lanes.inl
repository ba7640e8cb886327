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

template <class T, int64_t kBytes>
struct VectorOf {
  typedef T type __attribute__((vector_size(kBytes)));
};
template <class T, int64_t kBytes = kVectorBytes>
using Vector = typename VectorOf<T, kBytes>::type;
template <class T, int64_t kBytes = kVectorBytes>
constexpr int64_t kVectorWidth = kBytes / sizeof(T);
constexpr int64_t kLaneVectors = 64 / kVectorBytes;

// The vectors of sums of what the second-level cache does not hold, if elements are added as they are. Zen 4 adds those
// by 32 bytes faster than by 64: 10^6 f32 take 45 us instead of 48, 10^6 f64 87 instead of 91; the greatest of them is
// found as fast as before. On an Intel Xeon both take as long, and within that cache 100,000 f32 3.9 us instead of 3.4.
constexpr int64_t kFarVectorBytes = kVectorBytes < 32 ? kVectorBytes : 32;

template <class T, class V>
void load_vector(V& to, const T* x) {
  if constexpr (sizeof to[0] == sizeof(T)) {
    memcpy(&to, x, sizeof to);
  } else {
    Vector<T, int64_t{sizeof to / 2}> half;
    memcpy(&half, x, sizeof half);
    to = __builtin_convertvector(half, V);
  }
}

// How far loops that only read, read ahead: the sum of 100,000 f64 takes 8.0 us instead of 11.1, as with 4 KiB, and 9.0
// with 512 bytes or 1 KiB. Within the first-level cache it takes no time. Of what comes from memory it takes a sixth (Zen
// 3), and of 10^6 f32, which the third-level cache holds, a tenth (Zen 4: 59 us, 52 without), so arrays that the
// second-level cache does not hold are left to the processor's own prefetching.
constexpr int64_t kLanesAheadBytes = 2048;

// Elements taken by R into lanes of 256 bytes, lane l the elements k ≡ l ascending, in vectors of kBytes.
template <class R, int64_t kBytes>
struct Lanes {
  using Real = typename R::Real;
  using Part = Vector<Real, kBytes>;
  static constexpr int64_t kWidth = kVectorWidth<Real, kBytes>, kVectors = 256 / kBytes, kCount = kVectors * kWidth;

  Part vectors[kVectors];

  [[gnu::always_inline]] explicit Lanes(Real start) {
    for (Part& lanes : vectors) lanes = start - Part{};
  }
  template <class In>
  [[gnu::always_inline]] void take(const In* x) {
    for (int64_t u = 0; u < kVectors; ++u) {
      Part v;
      load_vector(v, x + u * kWidth);
      R::take_vector(vectors[u], v);
    }
  }
  // Where there are no NaNs, which `marks` are to tell.
  template <class In, class Marks>
  [[gnu::always_inline]] void take_numbers(const In* x, Marks& marks) {
    for (int64_t u = 0; u < kVectors; u += 2) {
      Part v, next;
      load_vector(v, x + u * kWidth);
      load_vector(next, x + (u + 1) * kWidth);
      marks.look(v, next);
      R::take_numbers(vectors[u], v);
      R::take_numbers(vectors[u + 1], next);
    }
  }
  // n > 0 elements that fill lanes: act(where they are) for each kCount of them.
  template <class In, class Act>
  [[gnu::always_inline]] static void for_whole(const In* x, int64_t n, bool ahead, const Act& act) {
    const In* const end = x + n;
    do {
      if (ahead) read_ahead(x, kCount, kLanesAheadBytes);
      act(x);
      x += kCount;
    } while (x < end);
  }
  template <class In>
  [[gnu::always_inline]] void take_whole(const In* x, int64_t n, bool ahead) {
    for_whole(x, n, ahead, [this](const In* at) [[gnu::always_inline]] { take(at); });
  }
  // By halves to those of a vector.
  [[gnu::always_inline]] Part folded() {
    for (int64_t half = kVectors / 2; half >= 1; half /= 2) {
      for (int64_t u = 0; u < half; ++u) R::take_vector(vectors[u], vectors[u + half]);
    }
    return vectors[0];
  }
};

// Of any n. Not inline, since what is kept in memory here is in registers where there is no tail (the sum of 10^7 f32: 1.9
// ms, 2.4 where lanes were cleared and kept in memory for each block). The start is hidden from g++, which would clear
// lanes by `rep stos`.
template <class R, int64_t kBytes, class In>
[[gnu::noinline]] Vector<typename R::Real, kBytes> folded_with_tail(const In* x, int64_t n, bool ahead) {
  typename R::Real start = R::kStart;
  asm volatile("" : "+m"(start));
  Lanes<R, kBytes> lanes(start);
  const int64_t whole = n / lanes.kCount * lanes.kCount;
  if (whole > 0) lanes.take_whole(x, whole, ahead);
  In tail[lanes.kCount];
  for (In& value : tail) value = static_cast<In>(start);
  memcpy(tail, x + whole, static_cast<size_t>(n - whole) * sizeof(In));
  lanes.take(tail);
  return lanes.folded();
}

// An op that takes vectors without NaNs by fewer instructions, R::take_numbers.
template <class R>
concept TakesNumbers = requires { typename R::Marks; };

// n > 0 elements in lanes, folded to those of a vector; with `ahead`, reading ahead.
template <class R, int64_t kBytes, class In>
Vector<typename R::Real, kBytes> folded_lanes(const In* x, int64_t n, bool ahead) {
  using L = Lanes<R, kBytes>;
  if (n % L::kCount != 0) return folded_with_tail<R, kBytes>(x, n, ahead);
  if constexpr (TakesNumbers<R>) {
    L lanes(R::kStart);
    typename R::Marks marks;
    L::for_whole(x, n, ahead, [&](const In* at) [[gnu::always_inline]] { lanes.take_numbers(at, marks); });
    if (!marks.any()) [[likely]] return lanes.folded();
  }
  L lanes(R::kStart);
  lanes.take_whole(x, n, ahead);
  return lanes.folded();
}

// The numbers from 0 to kCount - 1 as types, since the standard library's are not to be had here (isa/).
template <int... kNumbers>
struct Numbers {};
template <int kCount, int... kNumbers>
struct NumbersBelow : NumbersBelow<kCount - 1, kCount - 1, kNumbers...> {};
template <int... kNumbers>
struct NumbersBelow<0, kNumbers...> {
  using type = Numbers<kNumbers...>;
};

// Of groups of kGroup lanes, those of a and then those of b, the first halves or the second.
template <int kGroup, bool kSecond, class V, int... kLane>
V halves_of(const V& a, const V& b, Numbers<kLane...>) {
  constexpr int kHalf = kGroup / 2;
  return __builtin_shufflevector(a, b, (kLane / kHalf * kGroup + kLane % kHalf + (kSecond ? kHalf : 0))...);
}

// Folds `count` vectors of groups of kGroup lanes, of which each is to be folded by halves until kKeep are left; they end
// in the first vector, one after the other. Two vectors share the instructions of a fold.
template <class R, int kGroup, int kKeep, class V>
void fold_groups(V* vectors, int64_t count) {
  if constexpr (kGroup > kKeep) {
    using Places = typename NumbersBelow<int{sizeof(V) / sizeof(typename R::Real)}>::type;
    const int64_t pairs = (count + 1) / 2;
    for (int64_t k = 0; k < pairs; ++k) {
      const V a = vectors[2 * k], b = 2 * k + 1 < count ? vectors[2 * k + 1] : a;
      vectors[k] = halves_of<kGroup, false>(a, b, Places{});
      R::take_vector(vectors[k], halves_of<kGroup, true>(a, b, Places{}));
    }
    fold_groups<R, kGroup / 2, kKeep>(vectors, pairs);
  }
}

// Each `block` of the n > 0 elements, of which the last may be shorter, to kKeep lanes in `out`; at most as many blocks
// as fill a vector with these. (The sum of 10^6 f32 on Zen 3 took 85 us where each block was folded by itself, 71 so.)
template <class R, int kKeep, int64_t kBytes, class In>
void reduce_vectors(const In* x, int64_t n, int64_t block, bool ahead, typename R::Real* out) {
  constexpr int kWidth = kVectorWidth<typename R::Real, kBytes>;
  Vector<typename R::Real, kBytes> folded[kWidth / kKeep];
  int64_t blocks = 0;
  for (int64_t i = 0; i < n; i += block) {
    folded[blocks++] = folded_lanes<R, kBytes>(x + i, smaller(block, n - i), ahead);
  }
  fold_groups<R, kWidth, kKeep>(folded, blocks);
  memcpy(out, folded, static_cast<size_t>(blocks * kKeep) * sizeof(typename R::Real));
}

// The same of elements that a cache holds, the second at most, or does not.
template <class R, int kKeep, class In>
void reduce_lanes(const In* x, int64_t n, int64_t block, bool cached, typename R::Real* out) {
  if constexpr (kFarVectorBytes < kVectorBytes && sizeof(In) == sizeof(typename R::Real) && !TakesNumbers<R>) {
    if (!cached) {
      constexpr int64_t kBlocks = kVectorWidth<typename R::Real, kFarVectorBytes> / kKeep;
      for (; n > 0; x += kBlocks * block, n -= kBlocks * block, out += kBlocks * kKeep) {
        reduce_vectors<R, kKeep, kFarVectorBytes>(x, smaller(kBlocks * block, n), block, false, out);
      }
      return;
    }
  }
  reduce_vectors<R, kKeep, kVectorBytes>(x, n, block, cached, out);
}
