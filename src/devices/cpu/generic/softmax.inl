// SPDX-License-Identifier: Apache-2.0
// Softmax of rows, and its gradient.

// The greatest of a row, -inf for an empty one; NaNs may be passed over, which the sum of exponentials then shows.
template <class V>
float row_max(const float* x, int64_t cols) {
  constexpr float kLeast = -__builtin_inff();
  auto acc = V::set1(kLeast);
  for_lanes(0, cols, [&](int64_t i, auto n) { acc = V::max(load<V>(x + i, n, kLeast), acc); });
  return V::reduce_max(acc);
}

// Calls each(i, n, exp(x - max)) along a row and returns the sum, in lanes order.
template <class V, class Each>
float sum_exp(const float* x, int64_t cols, float max, const Each& each) {
  auto acc = V::zero();
  for_lanes(0, cols, [&](int64_t i, auto n) {
    // exp(-inf) = 0 for the lanes beyond the tail; where max is infinite they add NaN, and so does the row itself.
    const auto e = Math<V>::exp(V::sub(load<V>(x + i, n, -__builtin_inff()), V::set1(max)));
    each(i, n, e);
    acc = V::add(acc, e);
  });
  return V::reduce_add(acc);
}

// A row of at most kVectors vectors, which stay in registers: the same order of operations.
template <class V, int kVectors>
void softmax_short(const float* x, float* y, int64_t cols) {
  constexpr float kLeast = -__builtin_inff();
  typename V::F e[kVectors];
  const int64_t tail = cols - (kVectors - 1) * V::kLanes;
  for (int u = 0; u + 1 < kVectors; ++u) e[u] = V::load(x + u * V::kLanes);
  e[kVectors - 1] = V::load_n(x + (kVectors - 1) * V::kLanes, tail, kLeast);
  auto greatest = V::set1(kLeast);
  for (int u = 0; u < kVectors; ++u) greatest = V::max(e[u], greatest);
  const auto max = V::set1(V::reduce_max(greatest));
  auto acc = V::zero();
  for (int u = 0; u < kVectors; ++u) {
    e[u] = Math<V>::exp(V::sub(e[u], max));
    acc = V::add(acc, e[u]);
  }
  const auto sum = V::set1(V::reduce_add(acc));
  for (int u = 0; u + 1 < kVectors; ++u) V::store(y + u * V::kLanes, V::div(e[u], sum));
  V::store_n(y + (kVectors - 1) * V::kLanes, V::div(e[kVectors - 1], sum), tail);
}

template <class V>
void softmax(const Exec& exec, const SoftmaxArgs& args) noexcept {
  using Short = void (*)(const float*, float*, int64_t);
  constexpr Short kShort[] = {softmax_short<V, 1>, softmax_short<V, 2>, softmax_short<V, 3>, softmax_short<V, 4>};
  if (args.cols > 0 && args.cols <= 4 * V::kLanes) {
    const Short run = kShort[(args.cols - 1) / V::kLanes];
    return for_rows(exec, args.rows, args.cols * 8,
                    [&](int64_t row) { run(args.x + row * args.cols, args.y + row * args.cols, args.cols); });
  }
  for_rows(exec, args.rows, args.cols * 8, [&](int64_t row) {
    const float* x = args.x + row * args.cols;
    float* y = args.y + row * args.cols;
    const float max = row_max<V>(x, args.cols);
    const float sum = sum_exp<V>(x, args.cols, max, [&](int64_t i, auto n, auto e) { store<V>(y + i, e, n); });
    for_lanes(0, args.cols, [&](int64_t i, auto n) { store<V>(y + i, V::div(load<V>(y + i, n), V::set1(sum)), n); });
  });
}

template <class V>
void softmax_backward(const Exec& exec, const SoftmaxBackwardArgs& args) noexcept {
  for_rows(exec, args.rows, args.cols * 3, [&](int64_t row) {
    const float* y = args.y + row * args.cols;
    const float* dy = args.dy + row * args.cols;
    float* dx = args.dx + row * args.cols;
    auto acc = V::zero();
    for_lanes(0, args.cols, [&](int64_t i, auto n) { acc = V::fma(load<V>(dy + i, n), load<V>(y + i, n), acc); });
    const auto sum = V::set1(V::reduce_add(acc));
    for_lanes(0, args.cols, [&](int64_t i, auto n) {
      store<V>(dx + i, V::mul(load<V>(y + i, n), V::sub(load<V>(dy + i, n), sum)), n);
    });
  });
}
