// SPDX-License-Identifier: Apache-2.0
// Elementwise functions of one argument.

template <class V, class Fn>
void map_f32(const Exec& exec, const UnaryArgs& args, int64_t cost, const Fn& fn) {
  const auto* x = static_cast<const float*>(args.x);
  auto* y = static_cast<float*>(args.y);
  const int64_t bytes = share_of(exec, args.count) * int64_t{2 * sizeof(float)};
  const bool is_ahead = is_read_ahead(bytes), is_past = is_streamed(bytes);
  parallel_for(exec, args.count, cost, 16, [=](int64_t begin, int64_t end) {
    if (is_past) {
      return stream_lanes<V>(y + begin, end - begin, [=](float* to, int64_t i, auto n) {
        store<V>(to, fn(load<V>(x + begin + i, n)), n);
      });
    }
    const auto ahead = [=](int64_t i) {
      read_ahead(x + i, V::kLanes);
      read_ahead(y + i, V::kLanes);
    };
    for_lanes_ahead(begin, end, is_ahead, ahead,
                    [=](int64_t i, auto n) { store<V>(y + i, fn(load<V>(x + i, n)), n); });
  });
}

template <class V>
void unary_f32(const Exec& exec, const UnaryArgs& args) {
  using F = typename V::F;
  using M = Math<V>;
  const auto one_over = [](F x) { return V::div(V::set1(1.0f), x); };
  switch (args.op) {
    case UnaryOp::neg:
      return map_f32<V>(exec, args, 1, [](F x) { return V::neg(x); });
    case UnaryOp::abs:
      return map_f32<V>(exec, args, 1, [](F x) { return V::abs(x); });
    case UnaryOp::exp:
      return map_f32<V>(exec, args, 8, [](F x) { return M::exp(x); });
    case UnaryOp::log:
      return map_f32<V>(exec, args, 8, [](F x) { return M::log(x); });
    case UnaryOp::sqrt:
      return map_f32<V>(exec, args, 2, [](F x) { return V::sqrt(x); });
    case UnaryOp::rsqrt:
      return map_f32<V>(exec, args, 4, [=](F x) { return one_over(V::sqrt(x)); });
    case UnaryOp::reciprocal:
      return map_f32<V>(exec, args, 2, one_over);
    case UnaryOp::square:
      return map_f32<V>(exec, args, 1, [](F x) { return V::mul(x, x); });
    case UnaryOp::relu:
      return map_f32<V>(exec, args, 1, [](F x) { return relu<V>(x); });
    case UnaryOp::relu2:
      return map_f32<V>(exec, args, 1, [](F x) { return V::mul(relu<V>(x), relu<V>(x)); });
    case UnaryOp::sigmoid:
      return map_f32<V>(exec, args, 8, [](F x) { return M::sigmoid(x); });
    case UnaryOp::silu:
      return map_f32<V>(exec, args, 8, [](F x) { return V::mul(x, M::sigmoid(x)); });
    case UnaryOp::tanh:
      return map_f32<V>(exec, args, 8, [](F x) { return M::tanh(x); });
  }
}

// The integer of T that x wraps to: arithmetic is done in U, the unsigned type of the same size.
template <class T, class U>
void unary_integer(const Exec& exec, const UnaryArgs& args) {
  const auto* x = static_cast<const T*>(args.x);
  auto* y = static_cast<T*>(args.y);
  const auto map = [&](auto fn) {
    parallel_for(exec, args.count, 1, 16, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) y[i] = static_cast<T>(fn(static_cast<U>(x[i])));
    });
  };
  switch (args.op) {
    case UnaryOp::abs:
      return map([](U v) { return static_cast<T>(v) < 0 ? U{0} - v : v; });
    case UnaryOp::square:
      return map([](U v) { return v * v; });
    default:
      return map([](U v) { return U{0} - v; });
  }
}

template <class V>
void unary(const Exec& exec, const UnaryArgs& args) noexcept {
  switch (args.dtype) {
    case DType::i32:
      return unary_integer<int32_t, uint32_t>(exec, args);
    case DType::i64:
      return unary_integer<int64_t, uint64_t>(exec, args);
    default:
      return unary_f32<V>(exec, args);
  }
}
