// SPDX-License-Identifier: Apache-2.0
// The squared-ReLU gate of BitNet's feed-forward block, and its gradient.

template <class V>
void relu2_gate(const Exec& exec, const Relu2GateArgs& args) noexcept {
  parallel_for(exec, args.count, 2, 16, [&](int64_t begin, int64_t end) {
    for_lanes(begin, end, [&](int64_t i, auto n) {
      const auto r = relu<V>(load<V>(args.gate + i, n));
      store<V>(args.y + i, V::mul(V::mul(r, r), load<V>(args.up + i, n)), n);
    });
  });
}

template <class V>
void relu2_gate_backward(const Exec& exec, const Relu2GateBackwardArgs& args) noexcept {
  parallel_for(exec, args.count, 4, 16, [&](int64_t begin, int64_t end) {
    for_lanes(begin, end, [&](int64_t i, auto n) {
      const auto r = relu<V>(load<V>(args.gate + i, n));
      const auto up = load<V>(args.up + i, n), dy = load<V>(args.dy + i, n);
      store<V>(args.d_gate + i, V::mul(V::mul(dy, up), V::add(r, r)), n);
      store<V>(args.d_up + i, V::mul(dy, V::mul(r, r)), n);
    });
  });
}
