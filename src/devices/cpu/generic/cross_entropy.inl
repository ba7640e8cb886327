// SPDX-License-Identifier: Apache-2.0
// Cross entropy of rows of logits against one class each, and its gradient. Target -100 marks a row to ignore.

constexpr int64_t kIgnoredTarget = -100;

template <class V>
void cross_entropy(const Exec& exec, const CrossEntropyArgs& args) noexcept {
  for_rows(exec, args.rows, args.classes * 6, [&](int64_t row) {
    const float* x = args.logits + row * args.classes;
    const float max = row_max<V>(x, args.classes);
    const float log_sum = Math<V>::log(sum_exp<V>(x, args.classes, max, [](int64_t, auto, auto) {}));
    const int64_t target = args.targets[row];
    args.loss[row] = target == kIgnoredTarget ? 0.0f : log_sum - (x[target] - max);
    args.lse[row] = max + log_sum;
  });
}

template <class V>
void cross_entropy_backward(const Exec& exec, const CrossEntropyBackwardArgs& args) noexcept {
  for_rows(exec, args.rows, args.classes * 6, [&](int64_t row) {
    const float* x = args.logits + row * args.classes;
    float* dx = args.d_logits + row * args.classes;
    const int64_t target = args.targets[row];
    if (target == kIgnoredTarget) {
      memset(dx, 0, static_cast<size_t>(args.classes) * sizeof(float));
      return;
    }
    const auto lse = V::set1(args.lse[row]), scale = V::set1(args.scale);
    const float at_target = args.scale * (Math<V>::exp(x[target] - args.lse[row]) - 1.0f);
    for_lanes(0, args.classes, [&](int64_t i, auto n) {
      store<V>(dx + i, V::mul(scale, Math<V>::exp(V::sub(load<V>(x + i, n), lse))), n);
    });
    dx[target] = at_target;
  });
}
