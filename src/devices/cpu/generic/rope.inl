// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding, half-split pairs.

// One head. May be in place.
template <class V>
void rotate(const float* x, const float* cos, const float* sin, int64_t half, bool inverse, float* y) {
  for_lanes(0, half, [&](int64_t i, auto n) {
    const auto c = load<V>(cos + i, n), turn = load<V>(sin + i, n);
    const auto s = inverse ? V::neg(turn) : turn;
    const auto low = load<V>(x + i, n), high = load<V>(x + half + i, n);
    store<V>(y + i, V::sub(V::mul(low, c), V::mul(high, s)), n);
    store<V>(y + half + i, V::add(V::mul(high, c), V::mul(low, s)), n);
  });
}

template <class V>
void rope(const Exec& exec, const RopeArgs& args) noexcept {
  const int64_t half = args.dim / 2;
  for_rows(exec, args.tokens, args.heads * args.dim * 2, [&](int64_t token) {
    const int64_t turn = args.positions[token] * half;
    for (int64_t at = token * args.heads * args.dim; at < (token + 1) * args.heads * args.dim; at += args.dim) {
      rotate<V>(args.x + at, args.cos + turn, args.sin + turn, half, args.inverse, args.y + at);
    }
  });
}
