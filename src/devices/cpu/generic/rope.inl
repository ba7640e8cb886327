// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding, half-split pairs.

template <class V>
void rope(const Exec& exec, const RopeArgs& args) noexcept {
  const int64_t half = args.dim / 2;
  for_rows(exec, args.tokens, args.heads * args.dim * 2, [&](int64_t token) {
    const float* cos = args.cos + args.positions[token] * half;
    const float* sin = args.sin + args.positions[token] * half;
    for (int64_t head = 0; head < args.heads; ++head) {
      const float* x = args.x + (token * args.heads + head) * args.dim;
      float* y = args.y + (token * args.heads + head) * args.dim;
      for_lanes(0, half, [&](int64_t i, auto n) {
        const auto c = load<V>(cos + i, n), turn = load<V>(sin + i, n);
        const auto s = args.inverse ? V::neg(turn) : turn;
        const auto low = load<V>(x + i, n), high = load<V>(x + half + i, n);
        store<V>(y + i, V::sub(V::mul(low, c), V::mul(high, s)), n);
        store<V>(y + half + i, V::add(V::mul(high, c), V::mul(low, s)), n);
      });
    }
  });
}
