// SPDX-License-Identifier: Apache-2.0
// Quantization to small integers: activations to int8 by their row's greatest magnitude, weights to ternary codes.

// clamp(round_half_even(x), -limit, limit') with -0 and NaN as 0; `low` and `high` are integers, so clamping may come
// first.
template <class V>
typename V::I round_clamped(typename V::F x, float low, float high) {
  const auto number = V::select(V::eq(x, x), x, V::zero());
  return V::to_int(V::max(V::set1(low), V::min(V::set1(high), number)));
}

// max|x| of a row without its NaNs.
template <class V>
float row_abs_max(const float* x, int64_t cols) {
  auto acc = V::zero();
  for_lanes(0, cols, [&](int64_t i, auto n) { acc = V::max(V::abs(load<V>(x + i, n)), acc); });
  return V::reduce_max(acc);
}

inline float int8_scale(float greatest) { return 1.0f / (greatest > 1e-5f ? greatest : 1e-5f) * 127.0f; }

// Quantizes one row and returns Σ q. Whole vectors are stored, since q_stride leaves room.
template <class V>
int32_t quantize_row(const float* x, int64_t cols, float scale, int8_t* q) {
  auto sum = V::set1_i(0);
  for_lanes(0, cols, [&](int64_t i, auto n) {
    const auto codes = round_clamped<V>(V::mul(load<V>(x + i, n), V::set1(scale)), -128.0f, 127.0f);
    V::store_i8(q + i, codes);
    sum = V::add_i(sum, codes);
  });
  return V::reduce_add_i(sum);
}

template <class V>
void quantize_rows(const Exec& exec, const QuantizeRowsArgs& args) noexcept {
  for_rows(exec, args.rows, args.cols * 3, [&](int64_t row) {
    const float* x = args.x + row * args.cols;
    int8_t* q = args.q + row * args.q_stride;
    const float greatest = row_abs_max<V>(x, args.cols);
    const float scale = int8_scale(greatest);
    args.scale[row] = scale;
    args.sums[row] = quantize_row<V>(x, args.cols, scale, q);
    memset(q + args.cols, 0, static_cast<size_t>(args.q_stride - args.cols));
  });
}

template <class V>
void ternary_codes(const Exec& exec, const TernaryCodesArgs& args) noexcept {
  const auto inverse = V::set1(args.inverse_scale);
  parallel_for(exec, args.count, 1, 16, [&](int64_t begin, int64_t end) {
    for_lanes(begin, end, [&](int64_t i, auto n) {
      int8_t codes[V::kLanes];
      V::store_i8(codes, round_clamped<V>(V::mul(load<V>(args.w + i, n), inverse), -1.0f, 1.0f));
      memcpy(args.codes + i, codes, static_cast<size_t>(n));
    });
  });
}
