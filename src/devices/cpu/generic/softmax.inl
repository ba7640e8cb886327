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

template <class V>
void softmax(const Exec& exec, const SoftmaxArgs& args) noexcept {
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
