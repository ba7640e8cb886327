// SPDX-License-Identifier: Apache-2.0
// Root-mean-square normalization of rows, and its gradient.

float inverse_rms(float squares, int64_t cols, float eps) {
  return 1.0f / __builtin_sqrtf(squares / static_cast<float>(cols) + eps);
}

template <class V>
void rms_norm(const Exec& exec, const RmsNormArgs& args) noexcept {
  for_rows(exec, args.rows, args.cols * 3, [&](int64_t row) {
    const float* x = args.x + row * args.cols;
    float* y = args.y + row * args.cols;
    auto acc = V::zero();
    for_lanes(0, args.cols, [&](int64_t i, auto n) {
      const auto v = load<V>(x + i, n);
      acc = V::fma(v, v, acc);
    });
    const float inv = inverse_rms(V::reduce_add(acc), args.cols, args.eps);
    if (args.inv_rms) args.inv_rms[row] = inv;
    for_lanes(0, args.cols, [&](int64_t i, auto n) {
      store<V>(y + i, V::mul(V::mul(load<V>(x + i, n), V::set1(inv)), load<V>(args.weight + i, n)), n);
    });
  });
}

template <class V>
void rms_norm_dx(const Exec& exec, const RmsNormBackwardArgs& args) {
  for_rows(exec, args.rows, args.cols * 4, [&](int64_t row) {
    const float* x = args.x + row * args.cols;
    const float* dy = args.dy + row * args.cols;
    float* dx = args.dx + row * args.cols;
    auto acc = V::zero();
    for_lanes(0, args.cols, [&](int64_t i, auto n) {
      acc = V::fma(V::mul(load<V>(dy + i, n), load<V>(args.weight + i, n)), load<V>(x + i, n), acc);
    });
    const float inv = args.inv_rms[row];
    const float c = V::reduce_add(acc) * inv * inv / static_cast<float>(args.cols);
    for_lanes(0, args.cols, [&](int64_t i, auto n) {
      const auto g = V::mul(load<V>(dy + i, n), load<V>(args.weight + i, n));
      const auto along = V::mul(load<V>(x + i, n), V::set1(c));
      store<V>(dx + i, V::mul(V::set1(inv), V::sub(g, along)), n);
    });
  });
}

// Σ over rows, four vectors of columns at a time and split by columns: each element is one thread's chain.
template <class V>
void rms_norm_d_weight(const Exec& exec, const RmsNormBackwardArgs& args) {
  const auto term = [&](typename V::F acc, int64_t row, int64_t j, auto n) {
    const auto normed = V::mul(load<V>(args.x + row * args.cols + j, n), V::set1(args.inv_rms[row]));
    return V::fma(load<V>(args.dy + row * args.cols + j, n), normed, acc);
  };
  parallel_for(exec, args.cols, args.rows * 2, 64, [&](int64_t begin, int64_t end) {
    int64_t j = begin;
    for (; j + 64 <= end; j += 64) {
      typename V::F acc[4] = {V::zero(), V::zero(), V::zero(), V::zero()};
      for (int64_t row = 0; row < args.rows; ++row) {
        for (int u = 0; u < 4; ++u) acc[u] = term(acc[u], row, j + 16 * u, Full{});
      }
      for (int u = 0; u < 4; ++u) V::store(args.d_weight + j + 16 * u, acc[u]);
    }
    for_lanes(j, end, [&](int64_t i, auto n) {
      auto acc = V::zero();
      for (int64_t row = 0; row < args.rows; ++row) acc = term(acc, row, i, n);
      store<V>(args.d_weight + i, acc, n);
    });
  });
}

template <class V>
void rms_norm_backward(const Exec& exec, const RmsNormBackwardArgs& args) noexcept {
  rms_norm_dx<V>(exec, args);
  rms_norm_d_weight<V>(exec, args);
}
