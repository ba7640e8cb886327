// SPDX-License-Identifier: Apache-2.0
// Dot products in lanes order, several rows by several columns at a time so that each load serves more than one of
// them. A tile of any shape gives an element the same operations: 16 lanes of fma over ascending k, the tail filled
// with zeros, and one fold.

// out [rows, columns] = x [rows, k] · wᵀ, w [columns, k]; each with its row stride.
template <class Element>
struct Dots {
  int64_t k;
  const float* x;
  int64_t x_row;
  const Element* w;
  int64_t w_row;
  float* out;
  int64_t out_row;
};

template <class V, class W, int kRows, int kColumns>
struct DotTile {
  // One index, not two: g++ 12 keeps nested arrays of the accumulators in memory.
  static constexpr int kTile = kRows * kColumns;
  using Acc = typename V::F[kTile];

  static void run(const Dots<typename W::Element>& d) {
    Acc acc;
    for (int i = 0; i < kTile; ++i) acc[i] = V::zero();
    int64_t k = 0;
    for (; k + V::kLanes <= d.k; k += V::kLanes) step(d, k, Full{}, acc);
    if (k < d.k) step(d, k, d.k - k, acc);
    for (int i = 0; i < kTile; ++i) d.out[i / kColumns * d.out_row + i % kColumns] = V::reduce_add(acc[i]);
  }

  template <class Width>
  [[gnu::always_inline]] static void step(const Dots<typename W::Element>& d, int64_t k, Width n, Acc& acc) {
    typename V::F x[kRows], w[kColumns];
    for (int c = 0; c < kColumns; ++c) w[c] = W::load_lanes(d.w + c * d.w_row + k, n);
    for (int r = 0; r < kRows; ++r) x[r] = load<V>(d.x + r * d.x_row + k, n);
    for (int i = 0; i < kTile; ++i) acc[i] = V::fma(x[i / kColumns], w[i % kColumns], acc[i]);
  }
};

// kColumns columns for all rows.
template <class V, class W, int kColumns>
void dot_columns(int64_t rows, Dots<typename W::Element> d) {
  constexpr int kRows = 2 + V::kTileVectors;  // 3 x 2 or 4 x 4 accumulators
  const auto advance = [&](int64_t count) {
    d.x += count * d.x_row;
    d.out += count * d.out_row;
    rows -= count;
  };
  while (rows >= kRows) {
    DotTile<V, W, kRows, kColumns>::run(d);
    advance(kRows);
  }
  while (rows > 0) {
    DotTile<V, W, 1, kColumns>::run(d);
    advance(1);
  }
}

// Columns outside, rows inside: x should stay in the first-level cache.
template <class V, class W>
void dots(int64_t rows, int64_t columns, Dots<typename W::Element> d) {
  constexpr int kColumns = 2 * V::kTileVectors;
  const auto advance = [&](int64_t count) {
    d.w += count * d.w_row;
    d.out += count;
    columns -= count;
  };
  while (rows == 1 && columns >= 4) {
    DotTile<V, W, 1, 4>::run(d);
    advance(4);
  }
  while (columns >= kColumns) {
    dot_columns<V, W, kColumns>(rows, d);
    advance(kColumns);
  }
  while (columns > 0) {
    dot_columns<V, W, 1>(rows, d);
    advance(1);
  }
}

template <class V, class W>
void linear_of(const Exec& exec, const LinearArgs& args) {
  using Element = typename W::Element;
  const Element* const w = static_cast<const Element*>(args.w);
  // Rows of x for the first-level cache, rows of w for the second.
  constexpr int64_t kNear = 24 << 10, kFar = 192 << 10;
  const int64_t k_bytes = args.k * int64_t{sizeof(float)} + 1;
  const int64_t row_block = kNear / k_bytes > 4 ? kNear / k_bytes : 4;
  const int64_t column_block = round_up(kFar / k_bytes + 1, 8);
  parallel_for(exec, args.n, args.rows * args.k / 8, 8, [&](int64_t begin, int64_t end) {
    for (int64_t column = begin; column < end; column += column_block) {
      for (int64_t row = 0; row < args.rows; row += row_block) {
        dots<V, W>(smaller(row_block, args.rows - row), smaller(column_block, end - column),
                   {args.k, args.x + row * args.k, args.k, w + column * args.k, args.k, args.y + row * args.n + column,
                    args.n});
      }
    }
  });
}

template <class V>
void linear(const Exec& exec, const LinearArgs& args) noexcept {
  with_weights<V>(args.w_dtype, [&](auto weights) { linear_of<V, decltype(weights)>(exec, args); });
}

// Dots with rows here and there: four at a time, so that their reading overlaps, each with the operations of a DotTile.
template <class V, class W>
void dot_rows(const LinearRowsArgs& args, int64_t begin, int64_t end) {
  using Element = typename W::Element;
  constexpr int kAtOnce = 4;
  const auto row_of = [&](int64_t i) {
    return static_cast<const Element*>(args.w) + args.ids[smaller(i, end - 1)] * args.k;
  };
  for (int64_t i = begin; i < end; i += kAtOnce) {
    const Element* rows[kAtOnce];
    typename V::F acc[kAtOnce];
    for (int c = 0; c < kAtOnce; ++c) {
      rows[c] = row_of(i + c);
      acc[c] = V::zero();
      __builtin_prefetch(row_of(i + kAtOnce + c));
    }
    for_lanes(0, args.k, [&](int64_t k, auto n) {
      const typename V::F x = load<V>(args.x + k, n);
      for (int c = 0; c < kAtOnce; ++c) acc[c] = V::fma(x, W::load_lanes(rows[c] + k, n), acc[c]);
    });
    const int64_t count = smaller(kAtOnce, end - i);
    for (int c = 0; c < count; ++c) args.y[i + c] = V::reduce_add(acc[c]);
  }
}

template <class V>
void linear_rows(const Exec& exec, const LinearRowsArgs& args) noexcept {
  with_weights<V>(args.w_dtype, [&](auto weights) {
    parallel_for(exec, args.count, args.k / 4, 4,
                 [&](int64_t begin, int64_t end) { dot_rows<V, decltype(weights)>(args, begin, end); });
  });
}
