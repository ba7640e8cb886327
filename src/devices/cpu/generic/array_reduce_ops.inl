// SPDX-License-Identifier: Apache-2.0
// What array_reduce.inl does with elements. An op R has
//   In, Acc, Out   elements, what is kept of some of them, results;
//   of_row         Acc of n <= kReduceRowBlock adjacent elements;
//   of_rows        where blocks are best taken together, instead: the same of each of several, at most kBlocks;
//   of_columns     the same of n outputs, `rows` <= kReduceColumnBlock elements each, `stride` apart;
//   merge          Acc of elements, and of those that follow them;
//   result         of an output's Acc; x is its first element;
//   take_numbers   in lanes (array_lanes.inl), beside take_vector, where vectors without NaNs are taken by fewer
//                  instructions; Marks (nan_marks.inl) look for NaNs, and a block that has one is taken again;
//   kStart, done   Acc of nothing; whether nothing that follows matters.
// `center` is that of the output, or of the first of the outputs.

// The blocks of an output that follow each other, or rows of one block each.
template <class In>
struct RowBlocks {
  const In* x;
  int64_t n, block;     // elements of all of them, > 0; of each, of which the last may have fewer
  int64_t first, step;  // the number of the first element in its output, and from block to block: none from row to row
  bool cached;          // whether the second-level cache holds them
};

// acc[j] = take(acc[j], row[j]) for all rows, four at a time, which keeps the accumulators out of memory.
template <class In, class Acc, class Take>
void take_columns(const In* __restrict x, int64_t rows, int64_t stride, int64_t n, Acc* __restrict acc,
                  const Take& take) {
  int64_t k = 0;
  for (; k + 4 <= rows; k += 4) {
    const In* a = x + k * stride;
    const In *b = a + stride, *c = b + stride, *d = c + stride;
    for (int64_t j = 0; j < n; ++j) acc[j] = take(take(take(take(acc[j], a[j], j), b[j], j), c[j], j), d[j], j);
  }
  for (; k < rows; ++k) {
    for (int64_t j = 0; j < n; ++j) acc[j] = take(acc[j], x[k * stride + j], j);
  }
}

template <class Acc>
void fill(Acc* acc, int64_t n, Acc value) {
  for (int64_t j = 0; j < n; ++j) acc[j] = value;
}

// ---------------------------------------------------------------- sums and products

struct Plus {
  template <class A>
  static constexpr A start() {
    return A{0};
  }
  template <class A>
  static A of(A a, A b) {
    return a + b;
  }
  template <class V>
  static void of_vectors(V& acc, const V& x) {
    acc += x;
  }
};

struct Times {
  template <class A>
  static constexpr A start() {
    return A{1};
  }
  template <class A>
  static A of(A a, A b) {
    return a * b;
  }
  template <class V>
  static void of_vectors(V& acc, const V& x) {
    acc *= x;
  }
};

// Integers: modulo 2^64, in any order. Sums of a block of narrow ones fit 32 bits.
template <class Fn, class T, class Y>
struct FoldIntegers {
  using In = T;
  using Acc = uint64_t;
  using Out = Y;
  static constexpr Acc kStart = Fn::template start<Acc>();

  static uint64_t widened(T x) {
    if constexpr (kSame<T, Bool>) {
      return x.byte;
    } else {
      return static_cast<uint64_t>(static_cast<int64_t>(x));
    }
  }
  static Acc of_row(const T* x, int64_t n, const double*) {
    if constexpr (kSame<Fn, Plus> && sizeof(T) <= 2 && !kSame<T, Bool>) {
      int32_t sum = 0;
      for (int64_t k = 0; k < n; ++k) sum += x[k];
      return static_cast<uint64_t>(int64_t{sum});
    } else {
      Acc acc = kStart;
      for (int64_t k = 0; k < n; ++k) acc = Fn::of(acc, widened(x[k]));
      return acc;
    }
  }
  static void of_columns(const T* x, int64_t rows, int64_t stride, int64_t n, int64_t, const double*, Acc* acc) {
    fill(acc, n, kStart);
    take_columns(x, rows, stride, n, acc, [](Acc a, T v, int64_t) { return Fn::of(a, widened(v)); });
  }
  static Acc merge(Acc a, Acc b) { return Fn::of(a, b); }
  static bool done(Acc) { return false; }
  static Out result(Acc acc, const T*, const ArrayReduceArgs& args) {
    if constexpr (kSame<Y, double>) {
      return (kSigned<T> ? static_cast<double>(static_cast<int64_t>(acc)) : static_cast<double>(acc)) / args.divisor;
    } else {
      return static_cast<Out>(acc);
    }
  }
};

template <class Fn, class T, class A>
struct FoldReals {
  using In = T;
  using Acc = A;
  using Out = A;
  using Real = A;
  static constexpr A kStart = Fn::template start<A>();

  template <class V>
  static void take_vector(V& acc, const V& x) {
    Fn::of_vectors(acc, x);
  }

  static constexpr int64_t kBlocks = kVectorWidth<A>;
  static void of_rows(const RowBlocks<T>& of, A* acc) {
    reduce_lanes<FoldReals, 1>(of.x, of.n, of.block, of.cached, acc);
  }
  static void of_columns(const T* x, int64_t rows, int64_t stride, int64_t n, int64_t, const double*, A* acc) {
    fill(acc, n, kStart);
    take_columns(x, rows, stride, n, acc, [](A a, T v, int64_t) { return Fn::of(a, static_cast<A>(v)); });
  }
  static A merge(A a, A b) { return Fn::of(a, b); }
  static bool done(A) { return false; }
  static A result(A acc, const T*, const ArrayReduceArgs& args) { return acc / static_cast<A>(args.divisor); }
};

template <class R>
struct SumComplex {
  using In = Complex<R>;
  using Acc = Complex<R>;
  using Out = Complex<R>;
  static constexpr Acc kStart = {0, 0};

  using Parts = FoldReals<Plus, R, R>;
  static constexpr int64_t kBlocks = kVectorWidth<R> / 2;
  static void of_rows(const RowBlocks<In>& of, Acc* acc) {
    reduce_lanes<Parts, 2>(reinterpret_cast<const R*>(of.x), 2 * of.n, 2 * of.block, of.cached,
                           reinterpret_cast<R*>(acc));
  }
  static void of_columns(const In* x, int64_t rows, int64_t stride, int64_t n, int64_t first, const double* center,
                         Acc* acc) {
    Parts::of_columns(reinterpret_cast<const R*>(x), rows, 2 * stride, 2 * n, first, center, reinterpret_cast<R*>(acc));
  }
  static Acc merge(Acc a, Acc b) { return {a.re + b.re, a.im + b.im}; }
  static bool done(Acc) { return false; }
  static Out result(Acc acc, const In*, const ArrayReduceArgs& args) {
    const R divisor = static_cast<R>(args.divisor);
    return {acc.re / divisor, acc.im / divisor};
  }
};

template <class R>
Complex<R> times(Complex<R> a, Complex<R> b) {
  return complex_product(a, b);
}

// One after the other within a block in both directions.
template <class R>
struct ProdComplex {
  using In = Complex<R>;
  using Acc = Complex<R>;
  using Out = Complex<R>;
  static constexpr Acc kStart = {1, 0};

  static Acc of_row(const In* x, int64_t n, const double*) {
    Acc acc = kStart;
    for (int64_t k = 0; k < n; ++k) acc = times(acc, x[k]);
    return acc;
  }
  static void of_columns(const In* x, int64_t rows, int64_t stride, int64_t n, int64_t, const double*, Acc* acc) {
    fill(acc, n, kStart);
    take_columns(x, rows, stride, n, acc, [](Acc a, In v, int64_t) { return times(a, v); });
  }
  static Acc merge(Acc a, Acc b) { return times(a, b); }
  static bool done(Acc) { return false; }
  static Out result(Acc acc, const In*, const ArrayReduceArgs&) { return acc; }
};

// Σ (x - center)², in f64.
template <class T>
struct SumSquares {
  using In = T;
  using Acc = double;
  using Out = double;
  static constexpr double kStart = 0;

  static double of_row(const T* x, int64_t n, const double* center) {
    double squares[kReduceRowBlock];
    for (int64_t k = 0; k < n; ++k) {
      const double d = static_cast<double>(x[k]) - *center;
      squares[k] = d * d;
    }
    double acc;
    reduce_vectors<FoldReals<Plus, double, double>, 1, kVectorBytes>(squares, n, n, false, &acc);
    return acc;
  }
  static void of_columns(const T* x, int64_t rows, int64_t stride, int64_t n, int64_t, const double* center,
                         double* acc) {
    fill(acc, n, 0.0);
    take_columns(x, rows, stride, n, acc, [center](double a, T v, int64_t j) {
      const double d = static_cast<double>(v) - center[j];
      return a + d * d;
    });
  }
  static double merge(double a, double b) { return a + b; }
  static bool done(double) { return false; }
  static double result(double acc, const T*, const ArrayReduceArgs& args) { return acc / args.divisor; }
};

// ---------------------------------------------------------------- extremes

struct Greater {
  template <class T>
  static constexpr T start() {
    if constexpr (kReal<T>) {
      return static_cast<T>(-__builtin_inf());
    } else {
      return kLeast<T>;
    }
  }
  template <class T>
  static bool of(T a, T b) {
    return a > b;
  }
  template <class V>
  static void of_vectors(V& acc, const V& x) {
    acc = ((x > acc) | (x != x)) ? x : acc;
  }
  template <class V>
  static void of_numbers(V& acc, const V& x) {
    acc = x > acc ? x : acc;
  }
};

struct Less {
  template <class T>
  static constexpr T start() {
    if constexpr (kReal<T>) {
      return static_cast<T>(__builtin_inf());
    } else {
      return kGreatest<T>;
    }
  }
  template <class T>
  static bool of(T a, T b) {
    return a < b;
  }
  template <class V>
  static void of_vectors(V& acc, const V& x) {
    acc = ((x < acc) | (x != x)) ? x : acc;
  }
  template <class V>
  static void of_numbers(V& acc, const V& x) {
    acc = x < acc ? x : acc;
  }
};

template <class Better, class T>
struct Extreme {
  using In = T;
  using Acc = T;
  using Out = T;
  using Real = T;
  static constexpr T kStart = Better::template start<T>();

  // With NaNs in mind that is four instructions for a vector, without them one, and one to look for them: the greatest of
  // 10^7 f32 took 3.2 to 3.5 ms on Zen 3, 2.5 to 2.7 so.
  using Marks = NanMarks<Vector<T>>;
  static void take_numbers(Vector<T>& acc, const Vector<T>& x) { Better::of_numbers(acc, x); }
  static void take_vector(Vector<T>& acc, const Vector<T>& x) { Better::of_vectors(acc, x); }
  static T merge(T a, T b) {
    if constexpr (kReal<T>) {
      return (Better::of(b, a) | (b != b)) ? b : a;
    } else {
      return Better::of(b, a) ? b : a;
    }
  }

  static constexpr int64_t kBlocks = kReal<T> ? kVectorWidth<T> : 1;
  static void of_rows(const RowBlocks<T>& of, T* acc) {
    if constexpr (kReal<T>) {
      reduce_lanes<Extreme, 1>(of.x, of.n, of.block, of.cached, acc);
    } else {
      *acc = kStart;
      for (int64_t k = 0; k < of.n; ++k) *acc = merge(*acc, of.x[k]);
    }
  }
  static void of_columns(const T* x, int64_t rows, int64_t stride, int64_t n, int64_t, const double*, T* acc) {
    fill(acc, n, kStart);
    take_columns(x, rows, stride, n, acc, [](T a, T v, int64_t) { return merge(a, v); });
  }
  static bool done(T) { return false; }
  static T result(T acc, const T*, const ArrayReduceArgs&) { return acc; }
};

// The value, and where it is: for a row, only the block that has it; its place is looked for at the end.
template <class T>
struct Best {
  T value;
  int64_t index;
};

template <class Better, class T>
struct ExtremeIndex {
  using In = T;
  using Acc = Best<T>;
  using Out = int64_t;
  static constexpr Acc kStart = {Better::template start<T>(), -1};

  // Of what comes later.
  static bool better(T later, T best) {
    if constexpr (kReal<T>) {
      return (best == best) & ((later != later) | Better::of(later, best));
    } else {
      return Better::of(later, best);
    }
  }
  static Acc merge(const Acc& a, const Acc& b) { return a.index < 0 || better(b.value, a.value) ? b : a; }

  using Value = Extreme<Better, T>;
  static constexpr int64_t kBlocks = Value::kBlocks;
  static void of_rows(const RowBlocks<T>& of, Acc* acc) {
    T values[kBlocks];
    Value::of_rows(of, values);
    for (int64_t b = 0; b * of.block < of.n; ++b) acc[b] = {values[b], of.first + b * of.step};
  }
  static void of_columns(const T* x, int64_t rows, int64_t stride, int64_t n, int64_t first, const double*, Acc* acc) {
    T value[2048 / sizeof(Acc)];
    int32_t index[2048 / sizeof(Acc)];
    for (int64_t j = 0; j < n; ++j) value[j] = x[j], index[j] = 0;
    for (int64_t k = 1; k < rows; ++k) {
      const T* __restrict row = x + k * stride;
      for (int64_t j = 0; j < n; ++j) {
        const bool other = better(row[j], value[j]);
        value[j] = other ? row[j] : value[j];
        index[j] = other ? static_cast<int32_t>(k) : index[j];
      }
    }
    for (int64_t j = 0; j < n; ++j) acc[j] = {value[j], first + index[j]};
  }
  static bool done(const Acc&) { return false; }

  static bool same(T a, T b) {
    if constexpr (kReal<T>) {
      return (a == b) | ((a != a) & (b != b));
    } else {
      return a == b;
    }
  }
  static Out result(const Acc& acc, const T* x, const ArrayReduceArgs& args) {
    if (args.inner > 1) return acc.index;
    constexpr int64_t kStep = 64;
    int64_t k = acc.index;
    for (; k + kStep <= args.extent; k += kStep) {
      uint32_t found = 0;
      for (int64_t l = 0; l < kStep; ++l) found |= static_cast<uint32_t>(same(x[k + l], acc.value));
      if (found) break;
    }
    while (!same(x[k], acc.value)) ++k;
    return k;
  }
};

// ---------------------------------------------------------------- what is not 0

template <class T>
bool truth(T x) {
  if constexpr (kHalf<T>) {
    return (x.bits & 0x7fffu) != 0;
  } else if constexpr (kComplex<T>) {
    return (x.re != 0) | (x.im != 0);
  } else {
    return x != 0;
  }
}

// Whether any element has this truth: all is the absence of a 0.
template <class T, bool kTruth>
struct AnyOf {
  using In = T;
  using Acc = uint8_t;
  using Out = Bool;
  static constexpr Acc kStart = 0;

  static Acc of_row(const T* x, int64_t n, const double*) {
    uint8_t found = 0;
    for (int64_t k = 0; k < n; ++k) found |= static_cast<uint8_t>(truth(x[k]) == kTruth);
    return found;
  }
  static void of_columns(const T* x, int64_t rows, int64_t stride, int64_t n, int64_t, const double*, Acc* acc) {
    fill(acc, n, kStart);
    take_columns(x, rows, stride, n, acc,
                 [](Acc a, T v, int64_t) { return static_cast<Acc>(a | static_cast<Acc>(truth(v) == kTruth)); });
  }
  static Acc merge(Acc a, Acc b) { return a | b; }
  static bool done(Acc a) { return a != 0; }
  static Out result(Acc acc, const T*, const ArrayReduceArgs&) { return {static_cast<uint8_t>((acc != 0) == kTruth)}; }
};

template <class T>
struct CountNonzero {
  using In = T;
  using Acc = int64_t;
  using Out = int64_t;
  static constexpr Acc kStart = 0;

  static Acc of_row(const T* x, int64_t n, const double*) {
    int32_t count = 0;
    for (int64_t k = 0; k < n; ++k) count += truth(x[k]);
    return count;
  }
  static void of_columns(const T* x, int64_t rows, int64_t stride, int64_t n, int64_t, const double*, Acc* acc) {
    fill(acc, n, kStart);
    take_columns(x, rows, stride, n, acc, [](Acc a, T v, int64_t) { return a + truth(v); });
  }
  static Acc merge(Acc a, Acc b) { return a + b; }
  static bool done(Acc) { return false; }
  static Out result(Acc acc, const T*, const ArrayReduceArgs&) { return acc; }
};
