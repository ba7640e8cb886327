// SPDX-License-Identifier: Apache-2.0
// Coding weights and activations, with the norms of what that loses.

// Norms are f32 sums of squares in lanes order, rounded up: each lane adds cols/16 terms, each within a few roundings
// of the square of an exactly known difference (one more rounding), so with x = (cols/16 + 32)·2^-24 the sum is within
// a factor 1 ± x, and 1 + 2x covers its root and the roundings of this line. Squares that underflow lose at most 2^-149
// each, below 2^-60 in the root for cols < 2^24.
float norm_above(float sum_of_squares, int64_t cols) {
  return __builtin_sqrtf(sum_of_squares) * (1.0f + static_cast<float>(cols / 16 + 32) * 0x1p-23f) + 0x1p-60f;
}

// The lanes below n, zeros above.
template <class V>
typename V::F first_lanes(typename V::F x, Full) {
  return x;
}
template <class V>
typename V::F first_lanes(typename V::F x, int64_t n) {
  float lanes[V::kLanes];
  V::store(lanes, x);
  return V::load_n(lanes, n);
}

// What a row of weights loses, and its size.
template <class V>
struct SquareSums {
  typename V::F error = V::zero(), value = V::zero();

  void add(typename V::F x, typename V::F difference) {
    value = V::fma(x, x, value);
    error = V::fma(difference, difference, error);
  }
};

// max|w| of each block of a row, and the greatest of them.
template <class V, class W>
float block_maxima(const typename W::Element* w, int64_t cols, float* maxima) {
  float greatest = 0.0f;
  for (int64_t col = 0; col < cols; col += kCodedBlock) {
    auto acc = V::zero();
    for_lanes(col, smaller(cols, col + kCodedBlock),
              [&](int64_t k, auto n) { acc = V::max(V::abs(W::load_lanes(w + k, n)), acc); });
    const float largest = V::reduce_max(acc);
    *maxima++ = largest;
    greatest = greatest > largest ? greatest : largest;
  }
  return greatest;
}

// The least multiple of the row's step with which 2^bits codes reach a block's maximum.
int multiple_above(float maximum, float unit) {
  if (!(maximum > 0.0f) || !(unit > 0.0f)) return 0;
  const float ratio = maximum / unit;
  const int whole = static_cast<int>(ratio < 127.0f ? ratio : 127.0f);
  return static_cast<float>(whole) < ratio && whole < 127 ? whole + 1 : whole;
}

// Codes one block of a row: c = round(w / step - 1/2), step = 2·multiple·factor; ŵ = factor·(multiple·(2c + 1)).
template <class V, class W, int kBits>
void code_block(const typename W::Element* w, int64_t cols, float factor, float multiple, SquareSums<V>& sums,
                int8_t* codes) {
  constexpr float kHalf = 1 << (kBits - 1);
  const float step = 2.0f * multiple * factor;
  const auto inverse = V::set1(step > 0.0f ? 1.0f / step : 0.0f), shift = V::set1(-0.5f);
  const auto slope = V::set1(2.0f * multiple), offset = V::set1(multiple), scale = V::set1(factor);
  for_lanes(0, cols, [&](int64_t k, auto n) {
    const auto x = W::load_lanes(w + k, n);
    const auto code = round_clamped<V>(V::fma(x, inverse, shift), -kHalf, kHalf - 1.0f);
    V::store_i8(codes + k, code);
    const auto number = V::fma(V::to_float(code), slope, offset);  // exact: at most 127·255
    sums.add(x, first_lanes<V>(V::fnma(scale, number, x), n));
  });
}

template <class V, class W, int kBits>
void code_row(const CodeRowsArgs& args, const CodedWriter& parts, int64_t row, float* maxima) {
  const int64_t blocks = coded_blocks(args.cols), group = row / kCodedRows, lane = row % kCodedRows;
  uint8_t* to = parts.codes + group * blocks * coded_block_bytes(kBits) + lane * 4;
  int8_t* multiple = parts.multiples + group * blocks * kCodedRows + lane;
  float& factor = parts.factors[row];
  factor = 0.0f;
  if (row >= args.rows) {
    const int8_t zeros[kCodedBlock] = {};
    for (int64_t b = 0; b < blocks; ++b, to += coded_block_bytes(kBits)) {
      pack_coded_block<kBits>(zeros, to);
      multiple[b * kCodedRows] = 0;
    }
    return;
  }
  const auto* w = static_cast<const typename W::Element*>(args.w) + row * args.cols;
  factor = block_maxima<V, W>(w, args.cols, maxima) / static_cast<float>(127 << kBits);
  SquareSums<V> sums;
  int8_t codes[kCodedBlock] = {};
  for (int64_t b = 0; b < blocks; ++b, to += coded_block_bytes(kBits)) {
    const int m = multiple_above(maxima[b], factor * static_cast<float>(1 << kBits));
    multiple[b * kCodedRows] = static_cast<int8_t>(m);
    code_block<V, W, kBits>(w + b * kCodedBlock, smaller(kCodedBlock, args.cols - b * kCodedBlock), factor,
                            static_cast<float>(m), sums, codes);
    pack_coded_block<kBits>(codes, to);
  }
  args.error[row] = norm_above(V::reduce_add(sums.error), args.cols);
  args.norm[row] = norm_above(V::reduce_add(sums.value), args.cols);
}

template <class V, class W, int kBits>
void code_rows_of(const Exec& exec, const CodeRowsArgs& args) {
  const CodedWriter parts(args.packed, args.rows, args.cols, kBits);
  parallel_with_scratch(exec, coded_groups(args.rows), args.cols * kCodedRows,
                        [&](std::byte* scratch, int64_t begin, int64_t end) {
                          for (int64_t row = begin * kCodedRows; row < end * kCodedRows; ++row) {
                            code_row<V, W, kBits>(args, parts, row, reinterpret_cast<float*>(scratch));
                          }
                        });
}

template <class V>
void code_rows(const Exec& exec, const CodeRowsArgs& args) noexcept {
  with_weights<V>(args.w_dtype, [&](auto weights) {
    using W = decltype(weights);
    switch (args.bits) {
      case 4:
        return code_rows_of<V, W, 4>(exec, args);
      case 6:
        return code_rows_of<V, W, 6>(exec, args);
      default:
        return code_rows_of<V, W, 8>(exec, args);
    }
  });
}

// One block of a row of activations; the codes beyond `cols` are 0.
template <class V>
void code_activation_block(const float* x, int64_t cols, int planes, SquareSums<V>& sums, int8_t* q, int64_t plane,
                           float& scale, int32_t& sum) {
  const float limit = planes == 2 ? 127.0f * 128.0f : 127.0f;
  float maximum;
  block_maxima<V, F32Weights<V>>(x, cols, &maximum);
  scale = maximum / limit;
  const auto inverse = V::set1(scale > 0.0f ? 1.0f / scale : 0.0f), unit = V::set1(scale);
  auto total = V::set1_i(0);
  for_lanes(0, cols, [&](int64_t k, auto n) {
    const auto value = load<V>(x + k, n);
    const auto code = round_clamped<V>(V::mul(value, inverse), -limit, limit);
    total = V::add_i(total, code);
    sums.add(value, V::fnma(unit, V::to_float(code), value));
    if (planes == 2) {
      const auto high = V::template sar<7>(V::add_i(code, V::set1_i(64)));
      V::store_i8(q + k, high);
      V::store_i8(q + plane + k, V::sub_i(code, V::template shl<7>(high)));
    } else {
      V::store_i8(q + k, code);
    }
  });
  sum = V::reduce_add_i(total);
}

template <class V>
void code_activations(const Exec& exec, const CodeActivationsArgs& args) noexcept {
  const int64_t blocks = coded_blocks(args.cols);
  for_rows(exec, args.rows, args.cols * 4, [&](int64_t row) {
    int8_t* const q = args.q + row * args.planes * args.q_stride;
    memset(q, 0, static_cast<size_t>(args.planes * args.q_stride));
    SquareSums<V> sums;
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t col = b * kCodedBlock;
      code_activation_block<V>(args.x + row * args.cols + col, smaller(kCodedBlock, args.cols - col), args.planes, sums,
                               q + col, args.q_stride, args.scale[row * blocks + b], args.sums[row * blocks + b]);
    }
    args.error[row] = norm_above(V::reduce_add(sums.error), args.cols);
    args.norm[row] = norm_above(V::reduce_add(sums.value), args.cols);
  });
}
