// SPDX-License-Identifier: Apache-2.0
// Normalization and quantization of a row in three walks over its inputs, which stay in the near caches: the squares,
// the greatest, the codes. What lies between is computed anew each time, which is cheaper than a store and a load.

// `h(i, n)`: the lanes to normalize; `first(i, n)`: the same for the first walk.
template <class V, class First, class Load>
void norm_quantize_row(const NormQuantizeArgs& args, int64_t row, const First& first, const Load& h) {
  auto squares = V::zero();
  for_lanes(0, args.cols, [&](int64_t i, auto n) {
    const auto v = first(i, n);
    squares = V::fma(v, v, squares);
  });
  const auto inv = V::set1(inverse_rms(V::reduce_add(squares), args.cols, args.eps));
  const auto normed = [&](int64_t i, auto n) { return V::mul(V::mul(h(i, n), inv), load<V>(args.weight + i, n)); };
  auto greatest = V::zero();
  for_lanes(0, args.cols, [&](int64_t i, auto n) { greatest = V::max(V::abs(normed(i, n)), greatest); });
  const float scale = int8_scale(V::reduce_max(greatest));
  int8_t* const q = args.q + row * args.q_stride;
  auto sum = V::set1_i(0);
  for_lanes(0, args.cols, [&](int64_t i, auto n) {
    const auto codes = round_clamped<V>(V::mul(normed(i, n), V::set1(scale)), -128.0f, 127.0f);
    V::store_i8(q + i, codes);
    sum = V::add_i(sum, codes);
  });
  memset(q + args.cols, 0, static_cast<size_t>(args.q_stride - args.cols));
  args.scale[row] = scale;
  args.sums[row] = V::reduce_add_i(sum);
}

template <class V>
void norm_quantize(const Exec& exec, const NormQuantizeArgs& args) noexcept {
  for_rows(exec, args.rows, args.cols * 6, [&](int64_t row) {
    const int64_t at = row * args.cols;
    const auto plain = [at](const float* x) {
      return [x = x + at](int64_t i, auto n) { return load<V>(x + i, n); };
    };
    if (args.add) {
      const auto x = plain(args.x), add = plain(args.add);
      const auto added = [&](int64_t i, auto n) {
        const auto v = V::add(x(i, n), add(i, n));
        store<V>(args.sum + at + i, v, n);
        return v;
      };
      norm_quantize_row<V>(args, row, added, plain(args.sum));
    } else if (args.gate) {
      const auto gate = plain(args.gate), up = plain(args.x);
      const auto gated = [&](int64_t i, auto n) {
        const auto r = relu<V>(gate(i, n));
        return V::mul(V::mul(r, r), up(i, n));
      };
      norm_quantize_row<V>(args, row, gated, gated);
    } else {
      norm_quantize_row<V>(args, row, plain(args.x), plain(args.x));
    }
  });
}
