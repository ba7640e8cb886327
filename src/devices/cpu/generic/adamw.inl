// SPDX-License-Identifier: Apache-2.0
// One AdamW step, in the order of operations of PyTorch's single-tensor implementation.

template <class V>
void adamw(const Exec& exec, const AdamwArgs& args) noexcept {
  const double bias1 = 1.0 - __builtin_pow(args.beta1, static_cast<double>(args.step));
  const double bias2 = 1.0 - __builtin_pow(args.beta2, static_cast<double>(args.step));
  const auto splat = [](double x) { return V::set1(static_cast<float>(x)); };
  const auto grad_scale = splat(args.grad_scale), keep = splat(1.0 - args.lr * args.weight_decay);
  const auto blend1 = splat(1.0 - args.beta1), blend2 = splat(1.0 - args.beta2), decay2 = splat(args.beta2);
  const auto step = splat(-(args.lr / bias1)), root2 = splat(__builtin_sqrt(bias2)), eps = splat(args.eps);
  for (int64_t t = 0; t < args.tensors; ++t) {
    const AdamwTensor& tensor = args.tensor[t];
    parallel_for(exec, tensor.count, 8, 16, [&](int64_t begin, int64_t end) {
      for_lanes(begin, end, [&](int64_t i, auto n) {
        const auto g = V::mul(load<V>(tensor.grad + i, n), grad_scale);
        const auto m0 = load<V>(tensor.m + i, n);
        const auto m = V::fma(blend1, V::sub(g, m0), m0);
        const auto v = V::add(V::mul(load<V>(tensor.v + i, n), decay2), V::mul(V::mul(blend2, g), g));
        const auto p = V::mul(load<V>(tensor.p + i, n), keep);
        const auto denominator = V::add(V::div(V::sqrt(v), root2), eps);
        store<V>(tensor.m + i, m, n);
        store<V>(tensor.v + i, v, n);
        store<V>(tensor.p + i, V::add(p, V::div(V::mul(step, m), denominator)), n);
      });
    });
  }
}
