// SPDX-License-Identifier: Apache-2.0
// Elementwise functions and comparisons of two arguments, and the choice between two by a third.

template <class V, class Fn>
void binary_map_f32(const Exec& exec, const BinaryArgs& args, const Fn& fn) {
  for_pairs<V>(exec, args.shape, args.a, args.b, static_cast<float*>(args.y),
               [=](float* y, auto a, auto b, auto n) { store<V>(y, fn(a, b), n); });
}

template <class V>
void binary_f32(const Exec& exec, const BinaryArgs& args) {
  using F = typename V::F;
  switch (args.op) {
    case BinaryOp::add:
      return binary_map_f32<V>(exec, args, [](F a, F b) { return V::add(a, b); });
    case BinaryOp::sub:
      return binary_map_f32<V>(exec, args, [](F a, F b) { return V::sub(a, b); });
    case BinaryOp::mul:
      return binary_map_f32<V>(exec, args, [](F a, F b) { return V::mul(a, b); });
    case BinaryOp::div:
      return binary_map_f32<V>(exec, args, [](F a, F b) { return V::div(a, b); });
    case BinaryOp::minimum:
      return binary_map_f32<V>(exec, args, [](F a, F b) { return minimum<V>(a, b); });
    case BinaryOp::maximum:
      return binary_map_f32<V>(exec, args, [](F a, F b) { return maximum<V>(a, b); });
  }
}

// y[i] = fn(a[i·a_stride], b[i·b_stride]), of `share` elements that its thread has.
template <class V, class T, class Y, class Fn>
void map_run(const T* a, int64_t a_stride, const T* b, int64_t b_stride, Y* y, int64_t n, int64_t share, const Fn& fn) {
  if (a_stride == 1 && b_stride == 1) {
    write_each<V>(y, n, share * static_cast<int64_t>(2 * sizeof(T) + sizeof(Y)), reading_ahead(a, b, y),
                  [=](int64_t i) { return fn(a[i], b[i]); });
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = fn(a[i * a_stride], b[i * b_stride]);
  }
}

template <class V, class T, class Y, class Args, class Fn>
void binary_map(const Exec& exec, const Args& args, const Fn& fn) {
  const auto* a = static_cast<const T*>(args.a.data);
  const auto* b = static_cast<const T*>(args.b.data);
  auto* y = static_cast<Y*>(args.y);
  const int64_t a_stride = last_of(args.a.strides), b_stride = last_of(args.b.strides);
  const int64_t share = share_of(exec, count_of(args.shape));
  for_runs(exec, args.shape, {&args.a.strides, &args.b.strides}, [&](int64_t at, int64_t n, const auto& walk) {
    map_run<V>(a + walk.offset(0), a_stride, b + walk.offset(1), b_stride, y + at, n, share, fn);
  });
}

// U: the unsigned type of T's size, in which sums and products wrap.
template <class V, class T, class U>
void binary_integer(const Exec& exec, const BinaryArgs& args) {
  const auto wrapped = [&](auto fn) {
    binary_map<V, T, T>(exec, args, [=](T a, T b) { return static_cast<T>(fn(static_cast<U>(a), static_cast<U>(b))); });
  };
  switch (args.op) {
    case BinaryOp::add:
      return wrapped([](U a, U b) { return a + b; });
    case BinaryOp::sub:
      return wrapped([](U a, U b) { return a - b; });
    case BinaryOp::mul:
      return wrapped([](U a, U b) { return a * b; });
    case BinaryOp::div:  // the least integer over -1 wraps, where the instruction would fault
      return binary_map<V, T, T>(exec, args,
                                 [](T a, T b) { return b == -1 ? static_cast<T>(U{0} - static_cast<U>(a)) : a / b; });
    case BinaryOp::minimum:
      return binary_map<V, T, T>(exec, args, [](T a, T b) { return b < a ? b : a; });
    case BinaryOp::maximum:
      return binary_map<V, T, T>(exec, args, [](T a, T b) { return a < b ? b : a; });
  }
}

template <class V>
void binary(const Exec& exec, const BinaryArgs& args) noexcept {
  switch (args.dtype) {
    case DType::i32:
      return binary_integer<V, int32_t, uint32_t>(exec, args);
    case DType::i64:
      return binary_integer<V, int64_t, uint64_t>(exec, args);
    default:
      return binary_f32<V>(exec, args);
  }
}

template <class V, class Fn>
void compare_map_f32(const Exec& exec, const CompareArgs& args, const Fn& fn) {
  for_pairs<V>(exec, args.shape, args.a, args.b, args.y, [=](uint8_t* y, auto a, auto b, auto n) {
    uint8_t lanes[V::kLanes];
    V::store_bool(lanes, fn(a, b));
    memcpy(y, lanes, static_cast<size_t>(n));
  });
}

template <class V>
void compare_f32(const Exec& exec, const CompareArgs& args) {
  using F = typename V::F;
  switch (args.op) {
    case CompareOp::eq:
      return compare_map_f32<V>(exec, args, [](F a, F b) { return V::eq(a, b); });
    case CompareOp::ne:
      return compare_map_f32<V>(exec, args, [](F a, F b) { return V::ne(a, b); });
    case CompareOp::lt:
      return compare_map_f32<V>(exec, args, [](F a, F b) { return V::lt(a, b); });
    case CompareOp::le:
      return compare_map_f32<V>(exec, args, [](F a, F b) { return V::le(a, b); });
    case CompareOp::gt:
      return compare_map_f32<V>(exec, args, [](F a, F b) { return V::lt(b, a); });
    case CompareOp::ge:
      return compare_map_f32<V>(exec, args, [](F a, F b) { return V::le(b, a); });
  }
}

template <class V, class T>
void compare_integer(const Exec& exec, const CompareArgs& args) {
  const auto map = [&](auto fn) { binary_map<V, T, uint8_t>(exec, args, fn); };
  switch (args.op) {
    case CompareOp::eq:
      return map([](T a, T b) { return a == b; });
    case CompareOp::ne:
      return map([](T a, T b) { return a != b; });
    case CompareOp::lt:
      return map([](T a, T b) { return a < b; });
    case CompareOp::le:
      return map([](T a, T b) { return a <= b; });
    case CompareOp::gt:
      return map([](T a, T b) { return a > b; });
    case CompareOp::ge:
      return map([](T a, T b) { return a >= b; });
  }
}

template <class V>
void compare(const Exec& exec, const CompareArgs& args) noexcept {
  switch (args.dtype) {
    case DType::i32:
      return compare_integer<V, int32_t>(exec, args);
    case DType::i64:
      return compare_integer<V, int64_t>(exec, args);
    default:
      return compare_f32<V>(exec, args);
  }
}

template <class T>
void select_typed(const Exec& exec, const SelectArgs& args) {
  const auto* condition = static_cast<const uint8_t*>(args.condition.data);
  const auto* a = static_cast<const T*>(args.a.data);
  const auto* b = static_cast<const T*>(args.b.data);
  auto* y = static_cast<T*>(args.y);
  const int64_t condition_stride = last_of(args.condition.strides);
  const int64_t a_stride = last_of(args.a.strides), b_stride = last_of(args.b.strides);
  for_runs(exec, args.shape, {&args.condition.strides, &args.a.strides, &args.b.strides},
           [&](int64_t at, int64_t n, const auto& walk) {
             const uint8_t* c = condition + walk.offset(0);
             const T *p = a + walk.offset(1), *q = b + walk.offset(2);
             T* out = y + at;
             if (condition_stride == 1 && a_stride == 1 && b_stride == 1) {
               for (int64_t i = 0; i < n; ++i) out[i] = c[i] ? p[i] : q[i];
             } else {
               for (int64_t i = 0; i < n; ++i) out[i] = c[i * condition_stride] ? p[i * a_stride] : q[i * b_stride];
             }
           });
}

template <class V>
void select(const Exec& exec, const SelectArgs& args) noexcept {
  switch (args.dtype) {
    case DType::i32:
      return select_typed<int32_t>(exec, args);
    case DType::i64:
      return select_typed<int64_t>(exec, args);
    default:
      return select_typed<float>(exec, args);
  }
}
