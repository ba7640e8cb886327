// SPDX-License-Identifier: Apache-2.0
// Functions and comparisons of two elements of any dtype, and the choice between two by a third.

template <class T, class Y, class Fn>
void binary_run(const void* left, const void* right, void* to, int64_t count, int64_t share) {
  const Fn fn;
  const T* a = static_cast<const T*>(left);
  const T* b = static_cast<const T*>(right);
  Y* y = static_cast<Y*>(to);
  write_each<V>(y, count, share * static_cast<int64_t>(2 * sizeof(T) + sizeof(Y)), reading_ahead(a, b, y),
                [=](int64_t i) { return fn(a[i], b[i]); });
}

template <class T, class Fn>
BinaryRun binary_run_of(Fn) {
  return binary_run<T, T, Fn>;
}

template <class Fn>
struct Relation {
  template <class T>
  Bool operator()(T a, T b) const {
    return {static_cast<uint8_t>(Fn()(a, b))};
  }
};
template <class T, class Fn>
BinaryRun relation_run_of(Fn) {
  return binary_run<T, Bool, Relation<Fn>>;
}

// == and what follows from it, and the logic of what is not zero.
template <class T, class Equal, class Truth>
BinaryRun equality(ArrayBinaryOp op, Equal, Truth) {
  switch (op) {
    case ArrayBinaryOp::equal:
      return relation_run_of<T>([](T a, T b) { return Equal()(a, b); });
    case ArrayBinaryOp::not_equal:
      return relation_run_of<T>([](T a, T b) { return !Equal()(a, b); });
    case ArrayBinaryOp::logical_and:
      return relation_run_of<T>([](T a, T b) { return Truth()(a) & Truth()(b); });
    case ArrayBinaryOp::logical_or:
      return relation_run_of<T>([](T a, T b) { return Truth()(a) | Truth()(b); });
    case ArrayBinaryOp::logical_xor:
      return relation_run_of<T>([](T a, T b) { return Truth()(a) != Truth()(b); });
    default:
      return nullptr;
  }
}

template <class T>
BinaryRun ordering(ArrayBinaryOp op) {
  switch (op) {
    case ArrayBinaryOp::less:
      return relation_run_of<T>([](T a, T b) { return a < b; });
    case ArrayBinaryOp::less_equal:
      return relation_run_of<T>([](T a, T b) { return a <= b; });
    default:
      return equality<T>(
          op, [](T a, T b) { return a == b; }, [](T x) { return x != T{0}; });
  }
}

template <class R>
BinaryRun real_binary(ArrayBinaryOp op) {
  switch (op) {
    case ArrayBinaryOp::add:
      return binary_run_of<R>([](R a, R b) { return a + b; });
    case ArrayBinaryOp::subtract:
      return binary_run_of<R>([](R a, R b) { return a - b; });
    case ArrayBinaryOp::multiply:
      return binary_run_of<R>([](R a, R b) { return a * b; });
    case ArrayBinaryOp::divide:
      return binary_run_of<R>([](R a, R b) { return a / b; });
    case ArrayBinaryOp::minimum:  // NaN if either is
      return binary_run_of<R>([](R a, R b) { return (a < b) | (a != a) ? a : b; });
    case ArrayBinaryOp::maximum:
      return binary_run_of<R>([](R a, R b) { return (a > b) | (a != a) ? a : b; });
    case ArrayBinaryOp::copysign:
      return binary_run_of<R>([](R a, R b) {
        return __builtin_bit_cast(R, static_cast<Unsigned<R>>(size_bits(a) | (bits_of(b) & kSignBit<R>)));
      });
    default:
      return ordering<R>(op);
  }
}

template <class T>
BinaryRun integer_binary(ArrayBinaryOp op) {
  using U = Unsigned<T>;
  constexpr U kBits = 8 * sizeof(T);
  switch (op) {
    case ArrayBinaryOp::add:
      return binary_run_of<T>([](T a, T b) { return static_cast<T>(static_cast<U>(a) + static_cast<U>(b)); });
    case ArrayBinaryOp::subtract:
      return binary_run_of<T>([](T a, T b) { return static_cast<T>(static_cast<U>(a) - static_cast<U>(b)); });
    case ArrayBinaryOp::multiply:
      return binary_run_of<T>([](T a, T b) { return product(a, b); });
    case ArrayBinaryOp::minimum:
      return binary_run_of<T>([](T a, T b) { return b < a ? b : a; });
    case ArrayBinaryOp::maximum:
      return binary_run_of<T>([](T a, T b) { return a < b ? b : a; });
    case ArrayBinaryOp::bitwise_and:
      return binary_run_of<T>([](T a, T b) { return static_cast<T>(a & b); });
    case ArrayBinaryOp::bitwise_or:
      return binary_run_of<T>([](T a, T b) { return static_cast<T>(a | b); });
    case ArrayBinaryOp::bitwise_xor:
      return binary_run_of<T>([](T a, T b) { return static_cast<T>(a ^ b); });
    case ArrayBinaryOp::left_shift:  // all bits are gone where b is too large or negative
      return binary_run_of<T>([](T a, T b) {
        const U by = static_cast<U>(b);
        const U shifted = static_cast<U>(static_cast<U>(a) << (by & (kBits - 1)));
        return static_cast<T>(by < kBits ? shifted : U{0});
      });
    case ArrayBinaryOp::right_shift:  // the sign is left there
      return binary_run_of<T>([](T a, T b) {
        const U by = static_cast<U>(b) < kBits ? static_cast<U>(b) : static_cast<U>(kBits - 1);
        return static_cast<T>(!kSigned<T> && static_cast<U>(b) >= kBits ? T{0} : static_cast<T>(a >> by));
      });
    default:
      return ordering<T>(op);
  }
}

BinaryRun bool_binary(ArrayBinaryOp op) {
  const auto truth = [](Bool x) { return x.byte != 0; };
  switch (op) {
    case ArrayBinaryOp::bitwise_and:
      return relation_run_of<Bool>([](Bool a, Bool b) { return (a.byte != 0) & (b.byte != 0); });
    case ArrayBinaryOp::bitwise_or:
      return relation_run_of<Bool>([](Bool a, Bool b) { return (a.byte != 0) | (b.byte != 0); });
    case ArrayBinaryOp::bitwise_xor:
      return relation_run_of<Bool>([](Bool a, Bool b) { return (a.byte != 0) != (b.byte != 0); });
    case ArrayBinaryOp::less:
      return relation_run_of<Bool>([](Bool a, Bool b) { return (a.byte == 0) & (b.byte != 0); });
    case ArrayBinaryOp::less_equal:
      return relation_run_of<Bool>([](Bool a, Bool b) { return (a.byte == 0) | (b.byte != 0); });
    default:
      return equality<Bool>(
          op, [](Bool a, Bool b) { return (a.byte != 0) == (b.byte != 0); }, truth);
  }
}

template <class R>
BinaryRun complex_binary(ArrayBinaryOp op) {
  using C = Complex<R>;
  switch (op) {
    case ArrayBinaryOp::add:
      return binary_run_of<C>([](C a, C b) { return C{a.re + b.re, a.im + b.im}; });
    case ArrayBinaryOp::subtract:
      return binary_run_of<C>([](C a, C b) { return C{a.re - b.re, a.im - b.im}; });
    case ArrayBinaryOp::multiply:
      return binary_run_of<C>([](C a, C b) { return complex_product(a, b); });
    default:
      return equality<C>(
          op, [](C a, C b) { return (a.re == b.re) & (a.im == b.im); },
          [](C x) { return (x.re != R{0}) | (x.im != R{0}); });
  }
}

// Those of f32 that are no single instructions.
BinaryRun vector_binary(ArrayBinaryOp op) {
  switch (op) {
    case ArrayBinaryOp::pow:
      return power_run;
    case ArrayBinaryOp::hypot:
      return binary_run_of<float>([](float a, float b) {
        return static_cast<float>(VectorMath::hypot(static_cast<double>(a), static_cast<double>(b)));
      });
    default:
      return nullptr;
  }
}

// The loop of op in dtype; those that this instruction set gains nothing for are array_math.h's.
BinaryRun binary_of(ArrayBinaryOp op, DType dtype) {
  BinaryRun run = nullptr;
  with_type(dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (kReal<T>) {
      run = real_binary<T>(op);
      if (!run && kSame<T, float>) run = vector_binary(op);
    } else if constexpr (kComplex<T>) {
      run = complex_binary<decltype(T::re)>(op);
    } else if constexpr (kInteger<T>) {
      run = integer_binary<T>(op);
    } else if constexpr (kSame<T, Bool>) {
      run = bool_binary(op);
    }
  });
  return run ? run : math_binary(op, dtype);
}

bool is_relation(ArrayBinaryOp op) { return op >= ArrayBinaryOp::equal; }
bool is_costly(ArrayBinaryOp op) { return op >= ArrayBinaryOp::floor_divide && op <= ArrayBinaryOp::logaddexp; }

void array_binary(const Exec& exec, const ArrayBinaryArgs& args) noexcept {
  const BinaryRun fn = binary_of(args.op, args.dtype);
  const DType result = is_relation(args.op) ? DType::boolean : args.dtype;
  const Operand a(args.a, args.a_dtype, args.shape, args.a_strides);
  const Operand b(args.b, args.b_dtype, args.shape, args.b_strides);
  const Operand y(args.y, args.y_dtype, args.shape, args.y_strides);
  const int64_t count = count_of(args.shape), share = share_of(exec, count), cost = is_costly(args.op) ? 16 : 1;
  if (!needs_buffer(a, args.dtype) && !needs_buffer(b, args.dtype) && !needs_buffer(y, result)) {
    return parallel_for(exec, count, cost, 16, [&](int64_t begin, int64_t end) {
      fn(a.at(begin), b.at(begin), y.room_at(begin), end - begin, share);
    });
  }
  parallel_for(exec, count, cost, 16, [&](int64_t begin, int64_t end) {
    BlockReader left(a, args.dtype, begin), right(b, args.dtype, begin);
    BlockWriter writer(y, result, begin);
    const int64_t block = block_of(size_of(args.dtype));
    for (int64_t i = begin; i < end; i += block) {
      const int64_t n = smaller(block, end - i);
      fn(left.next(n), right.next(n), writer.room(), n, n);
      writer.done(n);
    }
  });
}

struct Bytes16 {
  uint64_t low, high;
};

template <class T>
void choose(const uint8_t* condition, const void* a, const void* b, void* y, int64_t count) {
  const T* p = static_cast<const T*>(a);
  const T* q = static_cast<const T*>(b);
  T* out = static_cast<T*>(y);
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) {
    const T yes = p[i], no = q[i];
    out[i] = condition[i] ? yes : no;
  }
}

using Choice = void (*)(const uint8_t* condition, const void* a, const void* b, void* y, int64_t count);

Choice choice_of(size_t bytes) {
  switch (bytes) {
    case 1:
      return choose<uint8_t>;
    case 2:
      return choose<uint16_t>;
    case 4:
      return choose<uint32_t>;
    case 8:
      return choose<uint64_t>;
    default:
      return choose<Bytes16>;
  }
}

void array_select(const Exec& exec, const ArraySelectArgs& args) noexcept {
  const DType dtype = args.dtype;
  const Choice choice = choice_of(size_of(dtype));
  const Operand condition(args.condition.data, DType::boolean, args.shape, args.condition.strides);
  const Operand a(args.a.data, dtype, args.shape, args.a.strides), b(args.b.data, dtype, args.shape, args.b.strides);
  const Operand y(args.y, dtype, args.shape, args.y_strides);
  const int64_t count = count_of(args.shape);
  if (condition.is_dense && a.is_dense && b.is_dense && y.is_dense) {
    return parallel_for(exec, count, 1, 16, [&](int64_t begin, int64_t end) {
      choice(static_cast<const uint8_t*>(condition.at(begin)), a.at(begin), b.at(begin), y.room_at(begin), end - begin);
    });
  }
  parallel_for(exec, count, 1, 16, [&](int64_t begin, int64_t end) {
    BlockReader chooser(condition, DType::boolean, begin), yes(a, dtype, begin), no(b, dtype, begin);
    BlockWriter writer(y, dtype, begin);
    const int64_t block = block_of(size_of(dtype));
    for (int64_t i = begin; i < end; i += block) {
      const int64_t n = smaller(block, end - i);
      choice(static_cast<const uint8_t*>(chooser.next(n)), yes.next(n), no.next(n), writer.room(), n);
      writer.done(n);
    }
  });
}
