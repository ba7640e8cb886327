// SPDX-License-Identifier: Apache-2.0
// Matrix products in chain order. Every element of C is one chain of fma over ascending k that lives in a register for
// a block of k and in C between blocks, so no choice of block or tile sizes, or of threads, changes a bit.
//
//   register tile     V::kTileRows rows x V::kTileVectors vectors: what is summed at once
//   in place          small products read A and B where they are
//   in panels         of larger ones a task copies, for each block of k, its rows of A to panels [k][rows of a tile],
//                     then its columns of B, some at a time, to panels [k][columns of a tile], which stay in the
//                     second-level cache while all of A's pass

// c [rows, n] = (accumulate ? c : 0) + a [rows, k] · b [k, n]; columns of b and c are contiguous.
struct Product {
  int64_t k;
  const float* a;
  int64_t a_row, a_col;
  const float* b;
  int64_t b_row;
  float* c;
  int64_t c_row;
  bool accumulate;
};

// The same of panels. While it sums it asks for what the next tile will read: cache lines of its panel of a, one for
// each k, and at last its rows of c. (Asked for all at once they hold up the sums: 2 % of 1024 cubed.)
template <class V>
struct PanelProduct {
  static constexpr int64_t a_row = 1, a_col = V::kTileRows, b_row = V::kLanes * V::kTileVectors;
  int64_t k;
  const float* a;
  const float* b;
  float* c;
  int64_t c_row;
  bool accumulate;
  const float* next_a;
  int64_t next_lines;
  const float* next_c;
};
template <class P>
concept OfPanels = requires(P p) { p.next_c; };

constexpr int64_t kLine = 16;  // numbers of a cache line

// Calls each(Index<0>), …, each(Index<kCount - 1>).
template <int kIndex>
struct Index {
  static constexpr int value = kIndex;
};
template <int kCount, class Each>
[[gnu::always_inline]] inline void constant_for(const Each& each) {
  if constexpr (kCount > 0) {
    constant_for<kCount - 1>(each);
    each(Index<kCount - 1>{});
  }
}

// The register tile: up to kRows rows by kVectors vectors of columns, the last vector `width` (Full or below 16) wide.
template <class V, int kRows, int kVectors, class Width>
struct ProductTile {
  static constexpr int64_t kAhead = 256;  // how far ahead of b to ask for it: eight rows of a panel

  template <class P>
  static void call(int64_t rows, const P& p, Width width) {
    if constexpr (kRows > 1) {
      if (rows < kRows) return ProductTile<V, kRows - 1, kVectors, Width>::call(rows, p, width);
    }
    run(p, width);
  }

  template <int kVector>
  static constexpr auto width_of(Width width) {
    if constexpr (kVector + 1 < kVectors) {
      return Full{};
    } else {
      return width;
    }
  }

  // Loops whose indices are constants, and pointers to every third row unless rows lie together: g++ 12 keeps the
  // accumulators of other loops in memory, and offsets of all rows where it has registers for four. Two or four k at a
  // time are no faster, on Zen 4 and on Intel.
  template <class P>
  [[gnu::noinline]] static void run(const P& p, Width width) {
    constexpr int kShare = OfPanels<P> ? kRows : 3, kPointers = (kRows + kShare - 1) / kShare;
    typename V::F acc[kRows * kVectors];
    if (p.accumulate) {
      constant_for<kRows * kVectors>([&](auto i) __attribute__((always_inline)) {
        constexpr int r = i.value / kVectors, v = i.value % kVectors;
        acc[i.value] = load<V>(p.c + r * p.c_row + v * V::kLanes, width_of<v>(width));
      });
    } else {
      constant_for<kRows * kVectors>([&](auto i) __attribute__((always_inline)) { acc[i.value] = V::zero(); });
    }
    const int64_t a_row = p.a_row, a_col = p.a_col, b_row = p.b_row;
    const float* a[kPointers];
    constant_for<kPointers>([&](auto i) __attribute__((always_inline)) {
      a[i.value] = p.a + kShare * i.value * a_row;
    });
    const float* b = p.b;
    const auto step = [&]() __attribute__((always_inline)) {
      typename V::F columns[kVectors];
      constant_for<kVectors>([&](auto v) __attribute__((always_inline)) {
        columns[v.value] = load<V>(b + v.value * V::kLanes, width_of<v.value>(width));
        ask_for(b + kAhead + v.value * V::kLanes);
      });
      constant_for<kRows>([&](auto r) __attribute__((always_inline)) {
        const typename V::F factor = V::set1(a[r.value / kShare][r.value % kShare * a_row]);
        constant_for<kVectors>([&](auto v) __attribute__((always_inline)) {
          constexpr int i = r.value * kVectors + v.value;
          acc[i] = V::fma(factor, columns[v.value], acc[i]);
        });
      });
      constant_for<kPointers>([&](auto i) __attribute__((always_inline)) { a[i.value] += a_col; });
      b += b_row;
    };
    int64_t k = p.k;
    if constexpr (OfPanels<P>) {
      const float *next_a = p.next_a, *next_c = p.next_c;
      for (int64_t lines = smaller(p.next_lines, k - kRows); lines > 0; --lines, --k, next_a += kLine) {
        step();
        ask_for(next_a);
      }
      for (; k > kRows; --k) step();
      for (; k > 0; --k, next_c += p.c_row) {
        step();
        for (int64_t i = 0; i < kVectors * V::kLanes; i += kLine) ask_for(next_c + i);
        ask_for(next_c + kVectors * V::kLanes - 1);
      }
    } else {
      for (; k > 0; --k) step();
    }
    constant_for<kRows * kVectors>([&](auto i) __attribute__((always_inline)) {
      constexpr int r = i.value / kVectors, v = i.value % kVectors;
      store<V>(p.c + r * p.c_row + v * V::kLanes, acc[i.value], width_of<v>(width));
    });
  }
};

// An instruction set whose vectors have a half that takes fewer columns in less time.
template <class V>
concept HasHalf = requires { typename V::Half; };

// The product for rows <= V::kTileRows and n <= the columns of a tile, n > 0.
template <class V, class P = Product>
void product_tile(int64_t rows, int64_t n, const P& p) {
  constexpr int kVectors = V::kTileVectors;
  static_assert(kVectors <= 2);
  if constexpr (HasHalf<V>) {
    if (n <= V::Half::kLanes) return ProductTile<typename V::Half, V::kTileRows, 1, int64_t>::call(rows, p, n);
  }
  if (n == kVectors * V::kLanes) {
    ProductTile<V, V::kTileRows, kVectors, Full>::call(rows, p, Full{});
  } else if (kVectors > 1 && n > V::kLanes) {
    ProductTile<V, V::kTileRows, kVectors, int64_t>::call(rows, p, n - V::kLanes);
  } else if (kVectors > 1 && n == V::kLanes) {
    ProductTile<V, V::kTileRows, 1, Full>::call(rows, p, Full{});
  } else {
    ProductTile<V, V::kTileRows, 1, int64_t>::call(rows, p, n);
  }
}

// The product for rows <= V::kTileRows and any n.
template <class V>
void product(int64_t rows, int64_t n, Product p) {
  constexpr int64_t kWide = V::kLanes * V::kTileVectors;
  for (; n > 0; n -= kWide, p.b += kWide, p.c += kWide) product_tile<V>(rows, smaller(n, kWide), p);
}

// to[i·to_line + j] = from[i·line + j·step], a matrix of lines x count.
template <class T>
void copy_lines(const T* from, int64_t line, int64_t step, int64_t lines, int64_t count, float* to, int64_t to_line) {
  if (step == 1) {
    for (int64_t i = 0; i < lines; ++i, from += line, to += to_line) {
      for (int64_t j = 0; j < count; ++j) to[j] = static_cast<float>(from[j]);
    }
  } else {
    for (int64_t j = 0; j < count; ++j) {
      for (int64_t i = 0; i < lines; ++i) to[i * to_line + j] = static_cast<float>(from[i * line + j * step]);
    }
  }
}

// The same of a transposed matrix, line = 1, in squares of four. Asks for the `count` rows behind it, which are next.
void transpose_lines(const float* from, int64_t step, int64_t lines, int64_t count, float* to, int64_t to_line) {
  using Four = float __attribute__((vector_size(16)));
  const int64_t whole_lines = lines / 4 * 4, whole_count = count / 4 * 4;
  for (int64_t j = 0; j < whole_count; j += 4) {
    for (int64_t i = 0; i < whole_lines; i += 4) {
      for (int64_t q = 0; i % kLine == 0 && q < 4; ++q) ask_for(from + i + (count + j + q) * step);
      Four x[4];
      for (int q = 0; q < 4; ++q) memcpy(&x[q], from + i + (j + q) * step, sizeof(Four));
      const Four a = __builtin_shufflevector(x[0], x[1], 0, 4, 1, 5),
                 b = __builtin_shufflevector(x[2], x[3], 0, 4, 1, 5);
      const Four c = __builtin_shufflevector(x[0], x[1], 2, 6, 3, 7),
                 d = __builtin_shufflevector(x[2], x[3], 2, 6, 3, 7);
      const Four y[4] = {__builtin_shufflevector(a, b, 0, 1, 4, 5), __builtin_shufflevector(a, b, 2, 3, 6, 7),
                         __builtin_shufflevector(c, d, 0, 1, 4, 5), __builtin_shufflevector(c, d, 2, 3, 6, 7)};
      for (int q = 0; q < 4; ++q) memcpy(to + (i + q) * to_line + j, &y[q], sizeof(Four));
    }
  }
  copy_lines(from + whole_lines, 1, step, lines - whole_lines, count, to + whole_lines * to_line, to_line);
  copy_lines(from + whole_count * step, 1, step, whole_lines, count - whole_count, to + whole_count, to_line);
}

void copy_lines(const MatrixInput& x, int64_t at, int64_t line, int64_t step, int64_t lines, int64_t count, float* to,
                int64_t to_line) {
  if (x.dtype == DType::i8) {
    copy_lines(static_cast<const int8_t*>(x.data) + at, line, step, lines, count, to, to_line);
  } else if (line == 1 && step != 1) {
    transpose_lines(static_cast<const float*>(x.data) + at, step, lines, count, to, to_line);
  } else {
    copy_lines(static_cast<const float*>(x.data) + at, line, step, lines, count, to, to_line);
  }
}

// The part of C that a task computes.
template <class V>
class MatmulTile {
 public:
  static constexpr int64_t kWidth = V::kLanes * V::kTileVectors;
  // A panel of A is 24 KiB, one of B 32 or 64, and B's together are 512. 1000 cubed on one thread, GFLOP/s on a Zen 4
  // and parts of MKL's on an Intel Xeon: 512 rows by 256 columns 106, 0.98; 384 by 512 105, 0.97, and 101, 0.95 with
  // rows of A copied for each block of B anew.
  static constexpr int64_t kDepth = 512, kColumns = 256;
  // Rows of a task: what its scratch holds of A besides a block of B.
  static constexpr int64_t kMostRows =
      (int64_t{kScratchBytes / sizeof(float)} / kDepth - kColumns) / V::kTileRows * V::kTileRows;
  static constexpr int64_t kInPlace = 64 << 10;  // elements of B, at most, that are read where they are
  static constexpr int64_t kFewRows = 32;        // of a larger B: 16 and 64 cost 5 % more for 1 and 12 rows of A
  // Products of numbers that are worth a thread's waking, about 3 µs of them.
  static constexpr int64_t kLeastTask = 1 << 18;

  // Whether B stays in the second-level cache as it is, of which it has a quarter at most. (256 cubed, GFLOP/s: Zen 3 with
  // 512 KiB 92, in panels 96; Intel with 2 MiB 173, in panels 165 to 171.)
  static bool is_small(const MatmulArgs& args) {
    return args.n * args.k <= smaller(kInPlace, second_level_cache_bytes() / int64_t{4 * sizeof(float)});
  }

  // Panels pay unless there is nothing to read, B is small, or is read but once or twice.
  static bool in_place(const MatmulArgs& args) {
    return args.k == 0 ||
           (args.a.dtype == DType::f32 && args.b.dtype == DType::f32 && (args.b.col_stride == 1 || args.n == 1) &&
            (is_small(args) || args.m <= 2 * V::kTileRows));
  }

  MatmulTile(const MatmulArgs& args, int64_t batch, int64_t row, int64_t rows, int64_t column, int64_t columns)
      : args_(args),
        rows_(rows),
        columns_(columns),
        tile_rows_(ceil_div(rows, ceil_div(rows, V::kTileRows))),
        a_at_(batch * args.a.batch_stride + row * args.a.row_stride),
        b_at_(batch * args.b.batch_stride + column * args.b.col_stride),
        c_(args.c + batch * args.c_batch_stride + row * args.c_row_stride + column) {}

  // Panel by panel of b, which stays in the first-level cache; of a large b a few rows at a time, from end to end.
  void multiply_in_place() const {
    const float* const a = static_cast<const float*>(args_.a.data) + a_at_;
    const float* const b = static_cast<const float*>(args_.b.data) + b_at_;
    const int64_t block = is_small(args_) ? args_.k : kFewRows;
    int64_t k = 0;
    do {  // once for k = 0, too: C becomes 0
      const int64_t depth = smaller(block, args_.k - k);
      for (int64_t j = 0; j < columns_; j += kWidth) {
        for (int64_t i = 0; i < rows_; i += tile_rows_) {
          product_tile<V>(smaller(tile_rows_, rows_ - i), smaller(kWidth, columns_ - j),
                          {depth, a + i * args_.a.row_stride + k * args_.a.col_stride, args_.a.row_stride,
                           args_.a.col_stride, b + k * args_.b.row_stride + j, args_.b.row_stride,
                           c_ + i * args_.c_row_stride + j, args_.c_row_stride, args_.accumulate || k > 0});
        }
      }
      k += depth;
    } while (k < args_.k);
  }

  void multiply_panels(std::byte* scratch) const {
    float* const b = reinterpret_cast<float*>(scratch);
    float* const a = b + kColumns * kDepth;
    for (int64_t k = 0; k < args_.k; k += kDepth) {
      const int64_t depth = smaller(kDepth, args_.k - k);
      copy_a(k, depth, a);
      for (int64_t j = 0; j < columns_; j += kColumns) {
        const int64_t columns = smaller(kColumns, columns_ - j);
        copy_b(k, depth, j, columns, b);
        multiply_block(depth, columns, a, b, c_ + j, args_.accumulate || k > 0);
      }
    }
  }

 private:
  void copy_a(int64_t k, int64_t depth, float* to) const {
    for (int64_t i = 0; i < rows_; i += tile_rows_, to += V::kTileRows * depth) {
      copy_lines(args_.a, a_at_ + i * args_.a.row_stride + k * args_.a.col_stride, args_.a.col_stride,
                 args_.a.row_stride, depth, smaller(tile_rows_, rows_ - i), to, V::kTileRows);
    }
  }

  // Reads rows of b from end to end, a few at a time. Asking for the next ones makes 512 cubed 2 % faster.
  void copy_b(int64_t begin, int64_t depth, int64_t column, int64_t columns, float* to) const {
    constexpr int64_t kLines = 8;
    for (int64_t k = 0; k < depth; k += kLines) {
      for (int64_t j = 0; j < columns; j += kWidth) {
        const int64_t at = b_at_ + (begin + k) * args_.b.row_stride + (column + j) * args_.b.col_stride;
        if (args_.b.col_stride == 1) ask_for_b(at + kLines * args_.b.row_stride, kLines);
        copy_lines(args_.b, at, args_.b.row_stride, args_.b.col_stride, smaller(kLines, depth - k),
                   smaller(kWidth, columns - j), to + j * depth + k * kWidth, kWidth);
      }
    }
  }

  // Asks for `lines` rows of a panel of b that begins at element `at`.
  void ask_for_b(int64_t at, int64_t lines) const {
    if (args_.b.dtype != DType::f32) return;
    const float* const b = static_cast<const float*>(args_.b.data) + at;
    for (int64_t i = 0; i < lines; ++i) {
      for (int64_t j = 0; j < kWidth; j += kLine) ask_for(b + i * args_.b.row_stride + j);
    }
  }

  // All panels of a by those of a block of b.
  void multiply_block(int64_t depth, int64_t columns, const float* a, const float* b, float* c, bool accumulate) const {
    const int64_t panel = V::kTileRows * depth, lines = ceil_div(panel, kLine * ceil_div(columns, kWidth));
    const float* a_panel = a;
    for (int64_t i = 0; i < rows_; i += tile_rows_, a_panel += panel) {
      const bool is_last = i + tile_rows_ >= rows_;
      float* const row = c + i * args_.c_row_stride;
      const float* next_a = is_last ? a : a_panel + panel;
      const float* const next_row = is_last ? c : row + tile_rows_ * args_.c_row_stride;
      for (int64_t j = 0; j < columns; j += kWidth, next_a += lines * kLine) {
        product_tile<V>(smaller(tile_rows_, rows_ - i), smaller(kWidth, columns - j),
                        PanelProduct<V>{depth, a_panel, b + j * depth, row + j, args_.c_row_stride, accumulate, next_a,
                                        lines, j + kWidth < columns ? row + j + kWidth : next_row});
      }
    }
  }

  const MatmulArgs& args_;
  const int64_t rows_, columns_, tile_rows_;
  const int64_t a_at_, b_at_;
  float* const c_;
};

template <class V>
void matmul(const Exec& exec, const MatmulArgs& args) noexcept {
  using Tile = MatmulTile<V>;
  if (args.m == 0 || args.n == 0) return;
  const bool in_place = Tile::in_place(args);
  int64_t rows = in_place ? args.m : ceil_div(args.m, ceil_div(args.m, Tile::kMostRows));
  int64_t columns = round_up(args.n, Tile::kWidth);
  const auto tasks = [&] { return args.batch * ceil_div(args.m, rows) * ceil_div(args.n, columns); };
  // Halved until threads have as many tasks each, or there are so many that one more does not matter. In place whatever
  // has more tiles; of panels columns, or rows where there are many more of them: tasks that share rows copy the same
  // panels of A, those that share columns of B. Tiles are as high as rows come out even.
  while (tasks() % exec.threads != 0 && tasks() < 8 * exec.threads && rows * columns * args.k >= 2 * Tile::kLeastTask) {
    const int64_t down = ceil_div(rows, V::kTileRows), across = columns / Tile::kWidth;
    if (down == 1 && across == 1) break;
    const bool wide = in_place ? across > down : 2 * columns > rows;
    if (across > 1 && (wide || down == 1)) {
      columns = round_up(columns / 2, Tile::kWidth);
    } else {
      rows = ceil_div(rows, 2);
    }
  }
  const int64_t across = ceil_div(args.n, columns), each = ceil_div(args.m, rows) * across;
  const auto tile = [&](int64_t task) {
    const int64_t row = task % each / across * rows, column = task % across * columns;
    return Tile(args, task / each, row, smaller(rows, args.m - row), column, smaller(columns, args.n - column));
  };
  const int64_t count = args.batch * each, cost = rows * columns * (args.k + 8) / 8;
  if (in_place) {
    parallel_for(exec, count, cost, 1, [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) tile(task).multiply_in_place();
    });
  } else {
    parallel_with_scratch(exec, count, cost, [&](std::byte* scratch, int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) tile(task).multiply_panels(scratch);
    });
  }
}
