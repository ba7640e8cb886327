// SPDX-License-Identifier: Apache-2.0
// Functions of one element of any dtype.

template <class T, class Y, class Fn>
void unary_run(const void* from, void* to, int64_t count, int64_t share) {
  const Fn fn;
  const T* x = static_cast<const T*>(from);
  Y* y = static_cast<Y*>(to);
  write_each<V>(y, count, share * static_cast<int64_t>(sizeof(T) + sizeof(Y)), reading_ahead(x, y),
                [=](int64_t i) { return fn(x[i]); });
}

// The loop of a function without state from T to Y.
template <class T, class Y = T, class Fn>
UnaryRun unary_run_of(Fn) {
  return unary_run<T, Y, Fn>;
}

template <class Fn>
struct Predicate {
  template <class T>
  Bool operator()(T x) const {
    return {static_cast<uint8_t>(Fn()(x))};
  }
};
template <class T, class Fn>
UnaryRun predicate_run_of(Fn) {
  return unary_run<T, Bool, Predicate<Fn>>;
}

// The product, wrapped. As unsigned from the start: two u16 would multiply as int, which overflows.
template <class T>
inline T product(T a, T b) {
  return static_cast<T>((0u + static_cast<Unsigned<T>>(a)) * static_cast<Unsigned<T>>(b));
}

template <class R>
constexpr Unsigned<R> kInfinityBits = sizeof(R) == 4 ? Unsigned<R>{0x7f800000u}
                                                     : static_cast<Unsigned<R>>(0x7ff0000000000000u);

template <class R>
inline Unsigned<R> size_bits(R x) {
  return bits_of(x) & static_cast<Unsigned<R>>(~kSignBit<R>);
}

// One instruction each where the set has it (isa.cmake: they set no errno).
inline float root(float x) { return __builtin_sqrtf(x); }
inline double root(double x) { return __builtin_sqrt(x); }
inline float rounded_down(float x) { return __builtin_floorf(x); }
inline double rounded_down(double x) { return __builtin_floor(x); }
inline float rounded_up(float x) { return __builtin_ceilf(x); }
inline double rounded_up(double x) { return __builtin_ceil(x); }
inline float rounded_to_zero(float x) { return __builtin_truncf(x); }
inline double rounded_to_zero(double x) { return __builtin_trunc(x); }
inline float rounded_to_even(float x) { return __builtin_rintf(x); }
inline double rounded_to_even(double x) { return __builtin_rint(x); }

template <class R>
UnaryRun real_predicate(ArrayUnaryOp op) {
  switch (op) {
    case ArrayUnaryOp::isfinite:
      return predicate_run_of<R>([](R x) { return size_bits(x) < kInfinityBits<R>; });
    case ArrayUnaryOp::isinf:
      return predicate_run_of<R>([](R x) { return size_bits(x) == kInfinityBits<R>; });
    case ArrayUnaryOp::isnan:
      return predicate_run_of<R>([](R x) { return x != x; });
    case ArrayUnaryOp::signbit:
      return predicate_run_of<R>([](R x) { return (bits_of(x) & kSignBit<R>) != 0; });
    case ArrayUnaryOp::logical_not:
      return predicate_run_of<R>([](R x) { return x == R{0}; });
    default:
      return nullptr;
  }
}

template <class R>
UnaryRun real_unary(ArrayUnaryOp op) {
  switch (op) {
    case ArrayUnaryOp::negative:
      return unary_run_of<R>([](R x) { return -x; });
    case ArrayUnaryOp::absolute:
      return unary_run_of<R>([](R x) { return __builtin_bit_cast(R, size_bits(x)); });
    case ArrayUnaryOp::square:
      return unary_run_of<R>([](R x) { return x * x; });
    case ArrayUnaryOp::reciprocal:
      return unary_run_of<R>([](R x) { return R{1} / x; });
    case ArrayUnaryOp::sqrt:
      return unary_run_of<R>([](R x) { return root(x); });
    case ArrayUnaryOp::sign:
      return unary_run_of<R>([](R x) { return x > 0 ? R{1} : x < 0 ? R{-1} : x == 0 ? R{0} : x; });
    case ArrayUnaryOp::floor:
      return unary_run_of<R>([](R x) { return rounded_down(x); });
    case ArrayUnaryOp::ceil:
      return unary_run_of<R>([](R x) { return rounded_up(x); });
    case ArrayUnaryOp::trunc:
      return unary_run_of<R>([](R x) { return rounded_to_zero(x); });
    case ArrayUnaryOp::round:
      return unary_run_of<R>([](R x) { return rounded_to_even(x); });
    default:
      return real_predicate<R>(op);
  }
}

template <class T>
UnaryRun integer_unary(ArrayUnaryOp op) {
  using U = Unsigned<T>;
  switch (op) {
    case ArrayUnaryOp::negative:
      return unary_run_of<T>([](T x) { return static_cast<T>(U{0} - static_cast<U>(x)); });
    case ArrayUnaryOp::absolute:
      return unary_run_of<T>([](T x) { return kSigned<T> && x < T{0} ? static_cast<T>(U{0} - static_cast<U>(x)) : x; });
    case ArrayUnaryOp::square:
      return unary_run_of<T>([](T x) { return product(x, x); });
    case ArrayUnaryOp::sign:
      return unary_run_of<T>([](T x) { return static_cast<T>((x > T{0} ? 1 : 0) - (kSigned<T> && x < T{0} ? 1 : 0)); });
    case ArrayUnaryOp::bitwise_invert:
      return unary_run_of<T>([](T x) { return static_cast<T>(~x); });
    case ArrayUnaryOp::logical_not:
      return predicate_run_of<T>([](T x) { return x == T{0}; });
    default:
      return nullptr;
  }
}

template <class R>
UnaryRun complex_unary(ArrayUnaryOp op) {
  using C = Complex<R>;
  switch (op) {
    case ArrayUnaryOp::negative:
      return unary_run_of<C>([](C x) { return C{-x.re, -x.im}; });
    case ArrayUnaryOp::conj:
      return unary_run_of<C>([](C x) { return C{x.re, -x.im}; });
    case ArrayUnaryOp::square:
      return unary_run_of<C>([](C x) { return complex_product(x, x); });
    case ArrayUnaryOp::round:
      return unary_run_of<C>([](C x) { return C{rounded_to_even(x.re), rounded_to_even(x.im)}; });
    case ArrayUnaryOp::isfinite:
      return predicate_run_of<C>(
          [](C x) { return size_bits(x.re) < kInfinityBits<R> && size_bits(x.im) < kInfinityBits<R>; });
    case ArrayUnaryOp::isinf:
      return predicate_run_of<C>(
          [](C x) { return size_bits(x.re) == kInfinityBits<R> || size_bits(x.im) == kInfinityBits<R>; });
    case ArrayUnaryOp::isnan:
      return predicate_run_of<C>([](C x) { return x.re != x.re || x.im != x.im; });
    case ArrayUnaryOp::logical_not:
      return predicate_run_of<C>([](C x) { return x.re == R{0} && x.im == R{0}; });
    default:
      return nullptr;
  }
}

// The loop of op in dtype; those that this instruction set gains nothing for are array_math.h's.
UnaryRun unary_of(ArrayUnaryOp op, DType dtype) {
  UnaryRun run = nullptr;
  with_type(dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kReal<T>) {
      run = real_unary<T>(op);
      if (!run) run = vector_unary<T>(op);
    } else if constexpr (kComplex<T>) {
      run = complex_unary<decltype(T::re)>(op);
    } else if constexpr (kInteger<T>) {
      run = integer_unary<T>(op);
    } else if constexpr (kSame<T, Bool>) {
      run = unary_run_of<T>([](T x) { return T{static_cast<uint8_t>(x.byte == 0)}; });  // both kinds of not
    }
  });
  return run ? run : math_unary(op, dtype);
}

bool is_predicate(ArrayUnaryOp op) { return op >= ArrayUnaryOp::isfinite; }
bool is_costly(ArrayUnaryOp op) { return op >= ArrayUnaryOp::exp && op <= ArrayUnaryOp::atanh; }

DType result_of(ArrayUnaryOp op, DType dtype) {
  if (is_predicate(op)) return DType::boolean;
  const bool real = op == ArrayUnaryOp::absolute && is_complex(dtype);
  return !real ? dtype : dtype == DType::c64 ? DType::f32 : DType::f64;
}

void array_unary(const Exec& exec, const ArrayUnaryArgs& args) noexcept {
  const UnaryRun fn = unary_of(args.op, args.dtype);
  const DType result = result_of(args.op, args.dtype);
  const Operand x(args.x, args.x_dtype, args.shape, args.x_strides);
  const Operand y(args.y, args.y_dtype, args.shape, args.y_strides);
  const int64_t count = count_of(args.shape), share = share_of(exec, count), cost = is_costly(args.op) ? 16 : 1;
  if (!needs_buffer(x, args.dtype) && !needs_buffer(y, result)) {
    return parallel_for(exec, count, cost, 16, [&](int64_t begin, int64_t end) {
      fn(x.at(begin), y.room_at(begin), end - begin, share);
    });
  }
  parallel_for(exec, count, cost, 16, [&](int64_t begin, int64_t end) {
    BlockReader reader(x, args.dtype, begin);
    BlockWriter writer(y, result, begin);
    const int64_t block = block_of(size_of(args.dtype));
    for (int64_t i = begin; i < end; i += block) {
      const int64_t n = smaller(block, end - i);
      fn(reader.next(n), writer.room(), n, n);
      writer.done(n);
    }
  });
}
