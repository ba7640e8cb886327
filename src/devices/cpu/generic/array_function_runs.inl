// SPDX-License-Identifier: Apache-2.0
// Loops over the functions of array_vector_math.inl and power.inl.

// Elements of a block, in the first-level cache.
constexpr int64_t kFunctionBlock = 512;

// The elements of a block, or a copy where y is in their place: they are read once more if a function was not for all.
template <class T>
const T* kept(const T* x, const T* y, T* copy, int64_t count) {
  if (x != y) return x;
  memcpy(copy, x, static_cast<size_t>(count) * sizeof(T));
  return copy;
}

// y = Fn(x), in double. Numbers that Fn is not for take the C library's function.
template <ArrayUnaryOp op, class T, uint64_t kOutside, class Fn>
void function_run(const void* from, void* to, int64_t count, int64_t share) {
  const Fn fn;
  for (int64_t begin = 0; begin < count; begin += kFunctionBlock) {
    const int64_t n = smaller(kFunctionBlock, count - begin);
    T* y = static_cast<T*>(to) + begin;
    T copy[kFunctionBlock];
    const T* x = kept(static_cast<const T*>(from) + begin, y, copy, n);
    uint64_t outside = 0;
    write_each<V>(y, n, share * static_cast<int64_t>(2 * sizeof(T)), reading_ahead(x, y),
                  [=, &outside](int64_t i) { return static_cast<T>(fn(static_cast<double>(x[i]), outside)); });
    if ((outside & kOutside) == 0) continue;
    const UnaryRun library = math_unary(op, kSame<T, float> ? DType::f32 : DType::f64);
    for (int64_t i = 0; i < n; ++i) {
      uint64_t of_this = 0;
      fn(static_cast<double>(x[i]), of_this);
      if ((of_this & kOutside) != 0) library(x + i, y + i, 1, 1);
    }
  }
}
template <ArrayUnaryOp op, class T, uint64_t kOutside, class Fn>
UnaryRun function_run_of(Fn) {
  return function_run<op, T, kOutside, Fn>;
}

// The functions above; null for the others.
template <class T>
UnaryRun vector_unary(ArrayUnaryOp op) {
  using O = ArrayUnaryOp;
  using M = VectorMath;
  using U = uint64_t;
  if constexpr (kSame<T, double>) {
    switch (op) {
      case O::exp:
        return function_run_of<O::exp, T, M::kOutsideExp>([](double x, U& outside) { return M::exp(x, outside); });
      case O::log:
        return function_run_of<O::log, T, M::kOutsideLog>([](double x, U& outside) { return M::log(x, outside); });
      case O::sin:
        return function_run_of<O::sin, T, M::kOutsideTurns>(
            [](double x, U& outside) { return M::sin_of_f64(x, outside); });
      case O::cos:
        return function_run_of<O::cos, T, M::kOutsideTurns>(
            [](double x, U& outside) { return M::cos_of_f64(x, outside); });
      case O::tanh:
        return function_run_of<O::tanh, T, M::kOutsideExp>([](double x, U& outside) { return M::tanh(x, outside); });
      default:
        return nullptr;
    }
  }
  switch (op) {
    case O::expm1:
      return function_run_of<O::expm1, T, M::kOutsideExp>([](double x, U& outside) { return M::expm1(x, outside); });
    case O::log1p:
      return function_run_of<O::log1p, T, M::kOutsideLogs>([](double x, U& outside) { return M::log1p(x, outside); });
    case O::log2:
      return function_run_of<O::log2, T, M::kOutsideLogs>([](double x, U& outside) { return M::log2(x, outside); });
    case O::log10:
      return function_run_of<O::log10, T, M::kOutsideLogs>([](double x, U& outside) { return M::log10(x, outside); });
    case O::sin:
      return function_run_of<O::sin, T, M::kOutsideTurns>([](double x, U& outside) { return M::sin(x, outside); });
    case O::cos:
      return function_run_of<O::cos, T, M::kOutsideTurns>([](double x, U& outside) { return M::cos(x, outside); });
    case O::tan:
      return function_run_of<O::tan, T, M::kOutsideTurns>([](double x, U& outside) { return M::tan(x, outside); });
    case O::asin:
      return function_run_of<O::asin, T, 0>([](double x, U& outside) { return M::asin(x, outside); });
    case O::acos:
      return function_run_of<O::acos, T, 0>([](double x, U& outside) { return M::acos(x, outside); });
    case O::atan:
      return function_run_of<O::atan, T, 0>([](double x, U& outside) { return M::atan(x, outside); });
    case O::sinh:
      return function_run_of<O::sinh, T, M::kOutsideExp>([](double x, U& outside) { return M::sinh(x, outside); });
    case O::cosh:
      return function_run_of<O::cosh, T, M::kOutsideExp>([](double x, U& outside) { return M::cosh(x, outside); });
    case O::asinh:
      return function_run_of<O::asinh, T, M::kOutsideLogs>([](double x, U& outside) { return M::asinh(x, outside); });
    case O::acosh:
      return function_run_of<O::acosh, T, M::kOutsideLogs>([](double x, U& outside) { return M::acosh(x, outside); });
    case O::atanh:
      return function_run_of<O::atanh, T, M::kOutsideLogs>([](double x, U& outside) { return M::atanh(x, outside); });
    default:
      return nullptr;
  }
}

// The n <= 16 first lanes of y; those that Power was not for are the C library's.
[[gnu::noinline]] void finish_power(V::F base, V::F exponent, V::F result, uint64_t ordinary, float* y, int64_t n) {
  float bases[V::kLanes], exponents[V::kLanes], powers[V::kLanes];
  V::store(bases, base);
  V::store(exponents, exponent);
  V::store(powers, result);
  const BinaryRun library = math_binary(ArrayBinaryOp::pow, DType::f32);
  for (uint64_t others = ~ordinary & 0xffff; others != 0; others &= others - 1) {
    const int lane = __builtin_ctzll(others);
    library(bases + lane, exponents + lane, powers + lane, 1, 1);
  }
  V::store_n(y, V::load(powers), n);
}

// y = a ** b of f32.
void power_run(const void* left, const void* right, void* to, int64_t count, int64_t share) {
  const float* a = static_cast<const float*>(left);
  const float* b = static_cast<const float*>(right);
  float* y = static_cast<float*>(to);
  const auto ahead = [=](int64_t i) { reading_ahead<kAheadBytes>(a, b, y)(i, V::kLanes); };
  const bool is_ahead = is_read_ahead(share * int64_t{3 * sizeof(float)});
  int64_t i = 0;
  using W = Several<V, V::kChains>;
  constexpr uint64_t kAll = (uint64_t{1} << W::kLanes) - 1;
  for (; V::kChains > 1 && i + W::kLanes <= count; i += W::kLanes) {
    if (is_ahead) {
      for (int k = 0; k < V::kChains; ++k) ahead(i + k * V::kLanes);
    }
    const typename W::F base = W::load(a + i), exponent = W::load(b + i);
    const typename Power<W>::Result power = Power<W>::of(base, exponent);
    if (power.ordinary == kAll) {
      W::store(y + i, power.y);
      continue;
    }
    for (int k = 0; k < V::kChains; ++k) {
      const int at = k * V::kLanes;
      finish_power(base.v[k], exponent.v[k], power.y.v[k], power.ordinary >> at, y + i + at, V::kLanes);
    }
  }
  for_lanes_ahead(i, count, is_ahead, ahead, [=](int64_t at, auto n) {
    const V::F base = load<V>(a + at, n, 1.0f), exponent = load<V>(b + at, n, 1.0f);
    const Power<V>::Result power = Power<V>::of(base, exponent);
    if (power.ordinary == 0xffff) return store<V>(y + at, power.y, n);
    finish_power(base, exponent, power.y, power.ordinary, y + at, n);
  });
}
