// SPDX-License-Identifier: Apache-2.0
// Products with coded weights, and bounds on the exact ones.
//
// The instruction set gives struct CodedTile (isa/<name>_coded.cpp):
//   dot<bits, planes>(codes, q, plane, sums)   sums[p] = Σ u·q over one block, in each lane of its 16 rows, for the
//                                              plane p of q, `plane` bytes after the one before; exact in int32
//   kScreenPlanes, kScreenRows                 CodedKernels::screen_planes, screen_rows
//   kUnpacks                                   whether several rows share one unpacking of a block, by
//   unpack_block<bits>(codes, u)               to the block of the same codes in 8 bits

// What |y - l| is at most, for the exact product l of CodedLinearArgs: from_error·w_error[j] + from_norm·w_norm[j].
//
// With u = 2^-24, γ(n) = n·u / (1 - n·u), X = ‖x‖, D = ‖x - x̂‖, N = ‖w‖, E = ‖w - ŵ‖ (so ‖x̂‖ <= X + D, ‖ŵ‖ <= N + E):
//   coding      x·w - x̂·ŵ = x·(w - ŵ) + (x - x̂)·ŵ, at most X·E + D·(N + E) by Cauchy and Schwarz;
//   y           each block's term takes at most blocks + 4 roundings (float(I), float(multiple)·scale, one fma for
//               itself and each block after it, ·factor): off by at most
//               γ(blocks + 4)·Σ|x̂||ŵ| <= γ(blocks + 4)·(X + D)·(N + E);
//   linear      each product takes at most k/16 + 1 fma's and 4 additions: off by at most γ(k/16 + 5)·X·N;
//   low, high   one rounding of y ∓ ε, at most u·(|y| + ε), and three in ε itself: four more roundings to each of the
//               above, and 4·u·(X + D)·(N + E) for |y|.
// Products of the small integers never underflow, being multiples of a scale; the last product and linear's may, by
// 2^-149 each: 2^-100 covers them for k < 2^24. Partial sums of linear are at most X·N·(1 + γ): it overflows only where
// 4·X·N does.
struct CodedBound {
  float from_error, from_norm, from_overflow;
};

float rounded_up(double x) {
  const float near = static_cast<float>(x);
  return near * (1.0f + 0x1p-22f);
}

CodedBound coded_bound(double norm, double error, int64_t k) {
  constexpr double kUnit = 0x1p-24;
  const auto gamma = [](int64_t n) {
    const double sum = static_cast<double>(n) * kUnit;
    return sum / (1.0 - sum);
  };
  const double coded = norm + error;
  const double rounding = gamma(coded_blocks(k) + 16) * coded;
  const double slack = 1.0 + 8 * kUnit;
  return {rounded_up((norm + error + rounding) * slack),
          rounded_up((error + rounding + gamma(k / 16 + 16) * norm) * slack), rounded_up(4.0 * norm)};
}

// Ends one group's row: y, and bounds unless they are not asked for.
template <class V, class Width>
void finish_coded(const CodedLinearArgs& args, const CodedBound& bound, typename V::F y, int64_t row, int64_t column,
                  Width n) {
  const int64_t at = row * args.n + column;
  if (args.y) store<V>(args.y + at, y, n);
  if (!args.low && !args.high) return;
  const auto norm = load<V>(args.w_norm + column, n);
  auto margin = V::fma(norm, V::set1(bound.from_norm), V::set1(0x1p-100f));
  margin = V::fma(load<V>(args.w_error + column, n), V::set1(bound.from_error), margin);
  // Makes it NaN where y did, or linear may, overflow.
  margin = V::fma(V::mul(norm, V::set1(bound.from_overflow)), V::zero(), margin);
  margin = V::fma(y, V::zero(), margin);
  if (args.low) store<V>(args.low + at, V::sub(y, margin), n);
  if (args.high) store<V>(args.high + at, V::add(y, margin), n);
}

// Activation rows that share one reading of the codes.
constexpr int64_t kCodedRowBlock = 512;

// Rows [row, row + kRows) of activations by one group: each block's codes serve all of them while they are near.
template <class V, class T, int kBits, int kPlanes, int kRows>
void coded_group(const CodedLinearArgs& args, const CodedReader& parts, const CodedBound* bounds, int64_t ahead,
                 int64_t row, int64_t group) {
  const int64_t blocks = coded_blocks(args.k);
  const uint8_t* codes = parts.codes + group * blocks * coded_block_bytes(kBits);
  const int8_t* multiples = parts.multiples + group * blocks * kCodedRows;
  typename V::F acc[kRows];
  for (int r = 0; r < kRows; ++r) acc[r] = V::zero();
  for (int64_t b = 0; b < blocks; ++b, codes += coded_block_bytes(kBits), multiples += kCodedRows) {
    for (int64_t line = 0; line < coded_block_bytes(kBits); line += 64) __builtin_prefetch(codes + ahead + line);
    const typename V::F multiple = V::load_i8(multiples);
    constexpr bool kUnpacked = T::kUnpacks && kRows > 1 && kBits < 8;
    alignas(64) uint8_t unpacked[kUnpacked ? coded_block_bytes(8) : 1];
    if constexpr (kUnpacked) T::template unpack_block<kBits>(codes, unpacked);
    for (int r = 0; r < kRows; ++r) {
      const int64_t at = (row + r) * blocks + b;
      typename V::I sums[kPlanes];
      T::template dot<kUnpacked ? 8 : kBits, kPlanes>(
          kUnpacked ? unpacked : codes, args.q + (row + r) * kPlanes * args.q_stride + b * kCodedBlock, args.q_stride,
          sums);
      auto total = V::template shl<1>(sums[kPlanes - 1]);
      if constexpr (kPlanes == 2) total = V::add_i(total, V::template shl<8>(sums[0]));
      total = V::sub_i(total, V::set1_i(((1 << kBits) - 1) * args.sums[at]));
      acc[r] = V::fma(V::to_float(total), V::mul(multiple, V::set1(args.scale[at])), acc[r]);
    }
  }
  const int64_t column = group * kCodedRows, count = args.n - column;
  for (int r = 0; r < kRows; ++r) {
    const auto y = V::mul(acc[r], V::load(parts.factors + column));
    if (count >= kCodedRows) {
      finish_coded<V>(args, bounds[r], y, row + r, column, Full{});
    } else {
      finish_coded<V>(args, bounds[r], y, row + r, column, count);
    }
  }
}

// Rows [row, row + rows) of activations by groups [begin, end), their bounds made once.
template <class V, class T, int kBits, int kPlanes>
void coded_groups_of(const CodedLinearArgs& args, const CodedReader& parts, int64_t ahead, int64_t row, int64_t rows,
                     int64_t begin, int64_t end) {
  constexpr int kRows = T::kUnpacks ? 8 : 4;
  CodedBound bounds[kCodedRowBlock];
  for (int64_t r = 0; r < rows; ++r) {
    bounds[r] =
        coded_bound(static_cast<double>(args.x_norm[row + r]), static_cast<double>(args.x_error[row + r]), args.k);
  }
  for (int64_t group = begin; group < end; ++group) {
    int64_t r = 0;
    for (; r + kRows <= rows; r += kRows) {
      coded_group<V, T, kBits, kPlanes, kRows>(args, parts, bounds + r, ahead, row + r, group);
    }
    for (; r < rows; ++r) coded_group<V, T, kBits, kPlanes, 1>(args, parts, bounds + r, ahead, row + r, group);
  }
}

template <class V, class T, int kBits, int kPlanes>
void coded_linear_of(const Exec& exec, const CodedLinearArgs& args) {
  const CodedReader parts(args.packed, args.n, args.k, kBits);
  parallel_for(exec, coded_groups(args.n), args.rows * args.k * kCodedRows / 8, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = 0; row < args.rows; row += kCodedRowBlock) {
      coded_groups_of<V, T, kBits, kPlanes>(args, parts, exec.ternary.prefetch_bytes, row,
                                            smaller(kCodedRowBlock, args.rows - row), begin, end);
    }
  });
}

template <class V, class T, int kBits>
void coded_linear_of(const Exec& exec, const CodedLinearArgs& args) {
  if (args.planes == 2) {
    coded_linear_of<V, T, kBits, 2>(exec, args);
  } else {
    coded_linear_of<V, T, kBits, 1>(exec, args);
  }
}

template <class V, class T>
void coded_linear(const Exec& exec, const CodedLinearArgs& args) noexcept {
  switch (args.bits) {
    case 4:
      return coded_linear_of<V, T, 4>(exec, args);
    case 6:
      return coded_linear_of<V, T, 6>(exec, args);
    default:
      return coded_linear_of<V, T, 8>(exec, args);
  }
}

template <class V, class T>
constexpr CodedKernels coded_kernels() {
  CodedKernels t = {};
  t.screen_planes = T::kScreenPlanes;
  t.screen_rows = T::kScreenRows;
  t.coded_bytes = coded_bytes;
  t.code_rows = code_rows<V>;
  t.code_activations = code_activations<V>;
  t.coded_linear = coded_linear<V, T>;
  return t;
}
