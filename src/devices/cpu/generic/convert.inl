// SPDX-License-Identifier: Apache-2.0
// The element types of models, and conversions between them by way of float or int64_t: 8 readers and writers of each
// instead of 64 pairs.

struct Bf16 {
  uint16_t bits;
};
struct F16 {
  uint16_t bits;
};
struct Bool {
  uint8_t byte;
};

// Calls fn(T{}) with the element type T of a dtype.
template <class Fn>
void with_type(DType dtype, const Fn& fn) {
  switch (dtype) {
    case DType::f32:
      return fn(float{});
    case DType::bf16:
      return fn(Bf16{});
    case DType::f16:
      return fn(F16{});
    case DType::i8:
      return fn(int8_t{});
    case DType::u8:
      return fn(uint8_t{});
    case DType::i32:
      return fn(int32_t{});
    case DType::i64:
      return fn(int64_t{});
    case DType::boolean:
      return fn(Bool{});
    default:  // not of models
      return;
  }
}

template <class A, class B>
constexpr bool kSame = false;
template <class A>
constexpr bool kSame<A, A> = true;

template <class T>
constexpr bool kHalf = kSame<T, Bf16> || kSame<T, F16>;

template <class T>
struct Limits;
template <>
struct Limits<int8_t> {
  static constexpr int8_t least = INT8_MIN, greatest = INT8_MAX;
};
template <>
struct Limits<uint8_t> {
  static constexpr uint8_t least = 0, greatest = UINT8_MAX;
};
template <>
struct Limits<int32_t> {
  static constexpr int32_t least = INT32_MIN, greatest = INT32_MAX;
};
template <>
struct Limits<int64_t> {
  static constexpr int64_t least = INT64_MIN, greatest = INT64_MAX;
};

// Truncates toward zero and saturates; NaN gives 0. A greatest integer that F lacks rounds up to a power of two, which
// itself saturates.
template <class T, class F>
T saturate(F x) {
  using L = Limits<T>;
  if (x != x) return 0;
  return x >= static_cast<F>(L::greatest) ? L::greatest : x <= static_cast<F>(L::least) ? L::least : static_cast<T>(x);
}

// Between a number (float, double or int64_t) and an element that is not of a 16-bit float type.
template <class T, class N>
T element_of(N x) {
  if constexpr (kSame<T, Bool>) {
    return {static_cast<uint8_t>(x != N{0})};
  } else if constexpr (kSame<T, float> || kSame<N, int64_t>) {
    return static_cast<T>(x);
  } else {
    return saturate<T>(x);
  }
}
template <class N, class T>
N number_of(T x) {
  if constexpr (kSame<T, Bool>) {
    return x.byte != 0;
  } else {
    return static_cast<N>(x);
  }
}

template <class V>
typename V::F load_half(const Bf16* p) {
  return V::load_bf16(&p->bits);
}
template <class V>
typename V::F load_half(const F16* p) {
  return V::load_f16(&p->bits);
}
template <class V>
void store_half(Bf16* p, typename V::F x) {
  V::store_bf16(&p->bits, x);
}
template <class V>
void store_half(F16* p, typename V::F x) {
  V::store_f16(&p->bits, x);
}

// An instruction set that stores two vectors of halves at once. Halves of a line, stored one by one, have to reach the
// cache before it can go past it (write_blocks).
template <class V>
concept StoresTwoHalves = requires(uint16_t* p, typename V::F x) { V::store_f16(p, x, x); };
template <class V>
void store_two(Bf16* p, typename V::F x, typename V::F y) {
  V::store_bf16(&p->bits, x, y);
}
template <class V>
void store_two(F16* p, typename V::F x, typename V::F y) {
  V::store_f16(&p->bits, x, y);
}

// The first n <= 16 numbers as f32.
template <class V>
typename V::F load_numbers(const float* numbers, int64_t n) {
  return n == V::kLanes ? V::load(numbers) : V::load_n(numbers, n);
}
template <class V>
typename V::F load_numbers(const int64_t* numbers, int64_t n) {
  float floats[V::kLanes] = {};
  for (int64_t l = 0; l < n; ++l) floats[l] = static_cast<float>(numbers[l]);
  return V::load(floats);
}

// numbers[i] = x[i·stride] for elements T.
template <class V, class T, class N>
void read_run(const void* from, int64_t stride, N* numbers, int64_t count) {
  const T* x = static_cast<const T*>(from);
  if constexpr (kHalf<T>) {
    for (int64_t i = 0; i < count; i += V::kLanes) {
      const int64_t n = smaller(V::kLanes, count - i);
      if (stride == 1 && n == V::kLanes) {
        V::store(numbers + i, load_half<V>(x + i));
      } else {
        T lanes[V::kLanes] = {};
        for (int64_t l = 0; l < n; ++l) lanes[l] = x[(i + l) * stride];
        V::store_n(numbers + i, load_half<V>(lanes), n);
      }
    }
  } else if (stride == 1) {
    for (int64_t i = 0; i < count; ++i) numbers[i] = number_of<N>(x[i]);
  } else {
    for (int64_t i = 0; i < count; ++i) numbers[i] = number_of<N>(x[i * stride]);
  }
}

// y[i·stride] = numbers[i] for elements T.
template <class V, class T, class N>
void write_run(const N* numbers, void* to, int64_t stride, int64_t count) {
  T* y = static_cast<T*>(to);
  if constexpr (kHalf<T>) {
    int64_t i = 0;
    if constexpr (StoresTwoHalves<V>) {
      for (; stride == 1 && i + 2 * V::kLanes <= count; i += 2 * V::kLanes) {
        store_two<V>(y + i, load_numbers<V>(numbers + i, V::kLanes),
                     load_numbers<V>(numbers + i + V::kLanes, V::kLanes));
      }
    }
    for (; i < count; i += V::kLanes) {
      const int64_t n = smaller(V::kLanes, count - i);
      const auto floats = load_numbers<V>(numbers + i, n);
      if (stride == 1 && n == V::kLanes) {
        store_half<V>(y + i, floats);
      } else {
        T lanes[V::kLanes];
        store_half<V>(lanes, floats);
        for (int64_t l = 0; l < n; ++l) y[(i + l) * stride] = lanes[l];
      }
    }
  } else if (stride == 1) {
    for (int64_t i = 0; i < count; ++i) y[i] = element_of<T>(numbers[i]);
  } else {
    for (int64_t i = 0; i < count; ++i) y[i * stride] = element_of<T>(numbers[i]);
  }
}

// How one pair of types goes through the numbers N.
template <class N>
struct Conversion {
  void (*read)(const void* from, int64_t stride, N* numbers, int64_t count);
  void (*write)(const N* numbers, void* to, int64_t stride, int64_t count);
};

// From a 16-bit float only by way of float.
template <class V, class N>
Conversion<N> conversion(DType from, DType to) {
  Conversion<N> c = {};
  with_type(from, [&](auto element) {
    using T = decltype(element);
    if constexpr (kSame<N, float> || !kHalf<T>) c.read = read_run<V, T, N>;
  });
  with_type(to, [&](auto element) { c.write = write_run<V, decltype(element), N>; });
  return c;
}
