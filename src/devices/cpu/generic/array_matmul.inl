// SPDX-License-Identifier: Apache-2.0
// Products of matrices of any dtype. A block of b is copied to scratch in panels as wide as a vector, [k][width]; rows of
// a, four at a time, meet each panel with their sums in registers, in loops that compilers turn into vectors. Complex
// panels are [k][2][width], real parts first.

constexpr int64_t kTileRows = 4;
constexpr int64_t kBlockDepth = 256;  // rows of b in a block: four rows of a are in the first-level cache, and
constexpr int64_t kBlockBytes = 2048;  // so many bytes of each row: the block is in the second-level one
constexpr int64_t kBlockRows = 64;    // rows of a for which it is copied once

// What elements of a dtype are added and multiplied as. Sums in the compiler's vectors stay in registers, where those in
// arrays went by way of memory for each product: 4 GFLOP/s in f64.
template <class T>
struct VectorSum {
  using Element = T;
  using Part = T;
  static constexpr int64_t kParts = 1;
  static constexpr int64_t kOne = kVectorWidth<T>, kWidth = kLaneVectors * kOne;

  struct Sums {
    Vector<T> at[kTileRows][kLaneVectors];
  };

  static void put(T* panel, int64_t lane, T x) { panel[lane] = x; }
  static void get(Sums& sums, int64_t row, int64_t lane, T x) { sums.at[row][lane / kOne][lane % kOne] = x; }
  static T result(const Sums& sums, int64_t row, int64_t lane) { return sums.at[row][lane / kOne][lane % kOne]; }
  static void add_row(Sums& sums, int64_t row, T a, bool, const T* panel) {
    for (int64_t v = 0; v < kLaneVectors; ++v) {
      Vector<T> columns;
      memcpy(&columns, panel + v * kOne, sizeof columns);
      sums.at[row][v] += a * columns;
    }
  }
};

// A narrow integer is multiplied as an unsigned int, which wraps.
template <class T>
struct NarrowSum {
  using Element = T;
  using Part = T;
  static constexpr int64_t kParts = 1;
  static constexpr int64_t kWidth = 64 / static_cast<int64_t>(sizeof(T));

  struct Sums {
    T at[kTileRows][kWidth];
  };

  static void put(T* panel, int64_t lane, T x) { panel[lane] = x; }
  static void get(Sums& sums, int64_t row, int64_t lane, T x) { sums.at[row][lane] = x; }
  static T result(const Sums& sums, int64_t row, int64_t lane) { return sums.at[row][lane]; }
  static void add_row(Sums& sums, int64_t row, T a, bool, const T* panel) {
    for (int64_t j = 0; j < kWidth; ++j) {
      sums.at[row][j] = static_cast<T>(sums.at[row][j] + static_cast<unsigned>(a) * panel[j]);
    }
  }
};

struct BoolSum {
  using Element = Bool;
  using Part = uint8_t;
  static constexpr int64_t kParts = 1;
  static constexpr int64_t kWidth = 64;

  struct Sums {
    uint8_t at[kTileRows][kWidth];
  };

  static void put(uint8_t* panel, int64_t lane, Bool x) { panel[lane] = x.byte != 0; }
  static void get(Sums& sums, int64_t row, int64_t lane, Bool x) { sums.at[row][lane] = x.byte; }
  static Bool result(const Sums& sums, int64_t row, int64_t lane) { return {sums.at[row][lane]}; }
  static void add_row(Sums& sums, int64_t row, Bool a, bool, const uint8_t* panel) {
    const auto is_set = static_cast<uint8_t>(a.byte != 0);
    for (int64_t j = 0; j < kWidth; ++j) sums.at[row][j] = static_cast<uint8_t>(sums.at[row][j] | (is_set & panel[j]));
  }
};

template <class R>
struct ComplexSum {
  using Element = Complex<R>;
  using Part = R;
  static constexpr int64_t kParts = 2;
  static constexpr int64_t kWidth = 64 / static_cast<int64_t>(sizeof(R));

  struct Sums {
    R re[kTileRows][kWidth], im[kTileRows][kWidth];
  };

  static void put(R* panel, int64_t lane, Complex<R> x) { panel[lane] = x.re, panel[kWidth + lane] = x.im; }
  static void get(Sums& sums, int64_t row, int64_t lane, Complex<R> x) {
    sums.re[row][lane] = x.re, sums.im[row][lane] = x.im;
  }
  static Complex<R> result(const Sums& sums, int64_t row, int64_t lane) { return {sums.re[row][lane], sums.im[row][lane]}; }
  static void add_row(Sums& sums, int64_t row, Complex<R> a, bool conjugate, const R* panel) {
    const R im = conjugate ? -a.im : a.im;
    for (int64_t j = 0; j < kWidth; ++j) {
      sums.re[row][j] += a.re * panel[j] - im * panel[kWidth + j];
      sums.im[row][j] += a.re * panel[kWidth + j] + im * panel[j];
    }
  }
};

// A block of c: rows [row, row + rows), columns [col, col + cols), one of the batch.
template <class Sum>
class MatmulBlock {
  using T = typename Sum::Element;
  using Part = typename Sum::Part;
  static constexpr int64_t kWidth = Sum::kWidth, kPanelRow = Sum::kParts * kWidth;

 public:
  static constexpr int64_t kCols = kBlockBytes / static_cast<int64_t>(sizeof(T)) / kWidth * kWidth;

  MatmulBlock(const ArrayMatmulArgs& args, std::byte* scratch, int64_t batch, int64_t row, int64_t col)
      : args_(args),
        panels_(reinterpret_cast<Part*>(scratch)),
        a_(static_cast<const T*>(args.a) + batch * args.a_batch_stride + row * args.a_row_stride),
        b_(static_cast<const T*>(args.b) + batch * args.b_batch_stride + col * args.b_col_stride),
        c_(static_cast<T*>(args.c) + batch * args.c_batch_stride + row * args.n + col),
        rows_(smaller(kBlockRows, args.m - row)),
        cols_(smaller(kCols, args.n - col)) {}

  void run() {
    int64_t begin = 0;
    do {
      const int64_t depth = smaller(kBlockDepth, args_.k - begin);
      copy_panels(begin, depth);
      for (int64_t row = 0; row < rows_; row += kTileRows) {
        for (int64_t panel = 0; panel * kWidth < cols_; ++panel) tile(begin, depth, row, panel);
      }
      begin += depth;
    } while (begin < args_.k);
  }

 private:
  void copy_panels(int64_t begin, int64_t depth) {
    const T* const b = b_ + begin * args_.b_row_stride;
    for (int64_t col = 0; col < round_up(cols_, kWidth); ++col) {
      Part* const panel = panels_ + col / kWidth * depth * kPanelRow;
      for (int64_t k = 0; k < depth; ++k) {
        const T zero = {};
        Sum::put(panel + k * kPanelRow, col % kWidth,
                 col < cols_ ? b[k * args_.b_row_stride + col * args_.b_col_stride] : zero);
      }
    }
  }

  // Continues the sums of up to kTileRows rows with one panel.
  void tile(int64_t begin, int64_t depth, int64_t row, int64_t panel) {
    const int64_t rows = smaller(kTileRows, rows_ - row), cols = smaller(kWidth, cols_ - panel * kWidth);
    T* const c = c_ + row * args_.n + panel * kWidth;
    typename Sum::Sums sums = {};
    for (int64_t r = 0; begin > 0 && r < rows; ++r) {
      for (int64_t j = 0; j < cols; ++j) Sum::get(sums, r, j, c[r * args_.n + j]);
    }
    const T* a[kTileRows];  // rows that are missing repeat the last
    for (int64_t r = 0; r < kTileRows; ++r) {
      a[r] = a_ + (row + smaller(r, rows - 1)) * args_.a_row_stride + begin * args_.a_col_stride;
    }
    const Part* from = panels_ + panel * depth * kPanelRow;
    for (int64_t k = 0; k < depth; ++k, from += kPanelRow) {
      for (int64_t r = 0; r < kTileRows; ++r) Sum::add_row(sums, r, a[r][k * args_.a_col_stride], args_.conjugate, from);
    }
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t j = 0; j < cols; ++j) c[r * args_.n + j] = Sum::result(sums, r, j);
    }
  }

  const ArrayMatmulArgs& args_;
  Part* const panels_;
  const T* const a_;
  const T* const b_;
  T* const c_;
  const int64_t rows_, cols_;
};

template <class Sum>
void matmul_of(const Exec& exec, const ArrayMatmulArgs& args) {
  using Block = MatmulBlock<Sum>;
  const int64_t row_blocks = ceil_div(args.m, kBlockRows), col_blocks = ceil_div(args.n, Block::kCols);
  const int64_t cost = smaller(args.m, kBlockRows) * smaller(args.n, Block::kCols) * (args.k + 1);
  parallel_with_scratch(exec, args.batch * row_blocks * col_blocks, cost,
                        [&](std::byte* scratch, int64_t begin, int64_t end) {
                          for (int64_t i = begin; i < end; ++i) {
                            const int64_t row = i % row_blocks * kBlockRows;
                            const int64_t col = i / row_blocks % col_blocks * Block::kCols;
                            Block(args, scratch, i / row_blocks / col_blocks, row, col).run();
                          }
                        });
}

void array_matmul(const Exec& exec, const ArrayMatmulArgs& args) noexcept {
  switch (args.dtype) {
    case DType::f64:
      return matmul_of<VectorSum<double>>(exec, args);
    case DType::c64:
      return matmul_of<ComplexSum<float>>(exec, args);
    case DType::c128:
      return matmul_of<ComplexSum<double>>(exec, args);
    case DType::boolean:
      return matmul_of<BoolSum>(exec, args);
    default:
      break;
  }
  // Modulo 2^bits signs make no difference.
  switch (size_of(args.dtype)) {
    case 1:
      return matmul_of<NarrowSum<uint8_t>>(exec, args);
    case 2:
      return matmul_of<NarrowSum<uint16_t>>(exec, args);
    case 4:
      return matmul_of<VectorSum<uint32_t>>(exec, args);
    default:
      return matmul_of<VectorSum<uint64_t>>(exec, args);
  }
}
