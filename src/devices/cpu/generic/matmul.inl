// SPDX-License-Identifier: Apache-2.0
// Matrix products in chain order. Every element of C is one chain of fma over ascending k that lives in a register for
// a block of k and in C between blocks, so no choice of block or tile sizes, or of threads, changes a bit.
//
//   C tile of a task     rows x columns, whole k; tasks are independent
//   block of k           kDepth; its B panels [k][columns of a vector tile], then blocks of A panels [k][rows of a
//   tile] register tile        V::kTileRows rows x V::kTileVectors vectors

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

// The register tile: up to kRows rows by kVectors vectors of columns, the last vector `width` (Full or below 16) wide.
template <class V, int kRows, int kVectors, class Width>
struct ProductTile {
  static void call(int64_t rows, const Product& p, Width width) {
    if constexpr (kRows > 1) {
      if (rows < kRows) return ProductTile<V, kRows - 1, kVectors, Width>::call(rows, p, width);
    }
    run(p, width);
  }

  static void run(const Product& p, Width width) {
    typename V::F acc[kRows][kVectors];
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) {
        acc[r][v] = p.accumulate ? load<V>(p.c + r * p.c_row + v * V::kLanes, width) : V::zero();
      }
    }
    const float* a = p.a;
    const float* b = p.b;
    for (int64_t k = p.k; k > 0; --k, a += p.a_col, b += p.b_row) {
      typename V::F columns[kVectors];
      for (int v = 0; v < kVectors; ++v) columns[v] = load<V>(b + v * V::kLanes, width);
      for (int r = 0; r < kRows; ++r) {
        const typename V::F factor = V::set1(a[r * p.a_row]);
        for (int v = 0; v < kVectors; ++v) acc[r][v] = V::fma(factor, columns[v], acc[r][v]);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) store<V>(p.c + r * p.c_row + v * V::kLanes, acc[r][v], width);
    }
  }
};

// The product for rows <= V::kTileRows and any n.
template <class V>
void product(int64_t rows, int64_t n, Product p) {
  constexpr int64_t kWide = V::kLanes * V::kTileVectors;
  while (n > 0) {
    const int64_t columns = n >= kWide ? kWide : smaller(n, V::kLanes);
    if (columns == kWide) {
      ProductTile<V, V::kTileRows, V::kTileVectors, Full>::call(rows, p, Full{});
    } else if (columns == V::kLanes) {
      ProductTile<V, V::kTileRows, 1, Full>::call(rows, p, Full{});
    } else {
      ProductTile<V, V::kTileRows, 1, int64_t>::call(rows, p, columns);
    }
    p.b += columns;
    p.c += columns;
    n -= columns;
  }
}

// A panel [depth][width] of a strided matrix: to[k·width + i] = element (i, k), 0 for i >= count.
template <class V, class T>
void pack_panel(const T* from, int64_t stride, int64_t k_stride, int64_t count, int64_t width, int64_t depth,
                float* to) {
  if (count < width) memset(to, 0, static_cast<size_t>(depth * width) * sizeof *to);
  if (stride == 1) {
    for (int64_t k = 0; k < depth; ++k) {
      for (int64_t i = 0; i < count; ++i) to[k * width + i] = static_cast<float>(from[k * k_stride + i]);
    }
  } else {
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t k = 0; k < depth; ++k) to[k * width + i] = static_cast<float>(from[i * stride + k * k_stride]);
    }
  }
}

template <class V>
void pack_panel(const MatrixInput& x, int64_t at, int64_t stride, int64_t k_stride, int64_t count, int64_t width,
                int64_t depth, float* to) {
  if (x.dtype == DType::i8) {
    pack_panel<V>(static_cast<const int8_t*>(x.data) + at, stride, k_stride, count, width, depth, to);
  } else {
    pack_panel<V>(static_cast<const float*>(x.data) + at, stride, k_stride, count, width, depth, to);
  }
}

template <class V>
struct Matmul {
  static constexpr int64_t kWidth = V::kLanes * V::kTileVectors;
  static constexpr int64_t kDepth = 256;  // a B panel of 16 or 32 KiB and an A panel stay in the first-level cache
  static constexpr int64_t kBlock = 120;  // rows of A that stay in the second-level cache: 120 KiB
  static constexpr int64_t kRows = 960;   // the largest tile of a task
  static constexpr int64_t kColumns = 512;
  static_assert(kBlock % V::kTileRows == 0 && kColumns % kWidth == 0);
  static_assert((kBlock + kColumns) * kDepth * sizeof(float) <= kScratchBytes);

  // The part of C that a task computes.
  struct Tile {
    int64_t batch, row, rows, column, columns;
  };

  static void pack_a(const MatmulArgs& args, const Tile& t, int64_t row, int64_t rows, int64_t k, int64_t depth,
                     float* to) {
    for (int64_t r = 0; r < rows; r += V::kTileRows, to += V::kTileRows * depth) {
      const int64_t count = smaller(V::kTileRows, rows - r);
      const int64_t at = t.batch * args.a.batch_stride + (t.row + row + r) * args.a.row_stride + k * args.a.col_stride;
      pack_panel<V>(args.a, at, args.a.row_stride, args.a.col_stride, count, count, depth, to);
    }
  }

  static void pack_b(const MatmulArgs& args, const Tile& t, int64_t k, int64_t depth, float* to) {
    for (int64_t j = 0; j < t.columns; j += kWidth, to += kWidth * depth) {
      const int64_t at = t.batch * args.b.batch_stride + k * args.b.row_stride + (t.column + j) * args.b.col_stride;
      pack_panel<V>(args.b, at, args.b.col_stride, args.b.row_stride, smaller(kWidth, t.columns - j), kWidth, depth,
                    to);
    }
  }

  // Rows [row, row + rows) of the tile for one block of k, from packed panels.
  static void multiply(const MatmulArgs& args, const Tile& t, int64_t row, int64_t rows, int64_t depth, const float* a,
                       const float* b, bool accumulate) {
    for (int64_t j = 0; j < t.columns; j += kWidth) {
      for (int64_t r = 0; r < rows; r += V::kTileRows) {
        const int64_t count = smaller(V::kTileRows, rows - r);
        float* const c = args.c + t.batch * args.c_batch_stride + (t.row + row + r) * args.c_row_stride + t.column + j;
        product<V>(count, smaller(kWidth, t.columns - j),
                   {depth, a + r * depth, 1, count, b + j * depth, kWidth, c, args.c_row_stride, accumulate});
      }
    }
  }

  static void compute(const MatmulArgs& args, const Tile& t, std::byte* scratch) {
    float* const b = reinterpret_cast<float*>(scratch);
    float* const a = b + kColumns * kDepth;
    int64_t k = 0;
    do {  // once for k = 0, too: C becomes 0
      const int64_t depth = smaller(kDepth, args.k - k);
      pack_b(args, t, k, depth, b);
      for (int64_t row = 0; row < t.rows; row += kBlock) {
        const int64_t rows = smaller(kBlock, t.rows - row);
        pack_a(args, t, row, rows, k, depth, a);
        multiply(args, t, row, rows, depth, a, b, args.accumulate || k > 0);
      }
      k += kDepth;
    } while (k < args.k);
  }
};

template <class V>
void matmul(const Exec& exec, const MatmulArgs& args) noexcept {
  using M = Matmul<V>;
  if (args.m == 0 || args.n == 0) return;
  // Few enough tiles that packing is shared, enough of them for all threads.
  int64_t rows = smaller(M::kRows, round_up(args.m, V::kTileRows));
  int64_t columns = smaller(M::kColumns, round_up(args.n, M::kWidth));
  const auto tasks = [&] { return args.batch * ceil_div(args.m, rows) * ceil_div(args.n, columns); };
  while (exec.threads > 1 && tasks() < 2 * exec.threads && rows * columns > 64 * 64) {
    if (rows > columns) {
      rows = round_up(rows / 2, V::kTileRows);
    } else {
      columns = round_up(columns / 2, M::kWidth);
    }
  }
  const int64_t across = ceil_div(args.n, columns);
  const int64_t each = ceil_div(args.m, rows) * across;
  parallel_with_scratch(
      exec, args.batch * each, rows * columns * (args.k + 8) / 8, [&](std::byte* scratch, int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
          const int64_t row = task % each / across * rows, column = task % across * columns;
          M::compute(args, {task / each, row, smaller(rows, args.m - row), column, smaller(columns, args.n - column)},
                     scratch);
        }
      });
}
