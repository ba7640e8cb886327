// SPDX-License-Identifier: Apache-2.0
// The ternary layouts of every CPU: tiles of 64 bytes that hold 16 rows, one 32-bit lane each, and 16 or 20 columns.
// A code is stored as the digit code + 1, so 0, 1 or 2.
//
// two_bit, 2 bits a weight: byte s of the lane r = bytes 4r … 4r+3 holds four columns of the tile's row r:
//
//      bits        7 6     5 4     3 2     1 0
//      column     12+s     8+s     4+s       s          s = 0 … 3
//
// so (lanes >> 2p) & 3 is, in every lane, four consecutive columns 4p … 4p+3 as bytes, a "quad": one operand of a dot
// product with the same four activations in every lane.
//
// base3, 1.6 bits a weight: byte s of the lane r holds the digits of the five columns s, 4+s, 8+s, 12+s, 16+s as a number in
// base 3, the first column's digit leading, scaled to 256 and rounded up: v = ceil(256·i / 243). Then 3v = 256·digit +
// v', where v' holds the four digits that remain in the same way: five quads of a tile come out one after the other.
// A group of 16 rows ends with 64 bytes more: the sum of its digits for each lane, int32, padding counted.
//
// Tiles lie in ascending columns within a group of 16 rows, and groups in ascending rows, so a matrix-vector product
// streams the matrix once, forward. Rows and columns beyond the matrix hold code 0.

constexpr int64_t kTernaryRows = 16;
constexpr int64_t kTernaryTileBytes = 64;
constexpr int64_t kQuadBytes = 64;  // of one quad of columns as bytes, all lanes

// Quads of columns in a tile.
constexpr int64_t tile_quads(TernaryLayout layout) { return layout == TernaryLayout::base3 ? 5 : 4; }
constexpr int64_t tile_cols(TernaryLayout layout) { return 4 * tile_quads(layout); }

int64_t ternary_tiles(TernaryLayout layout, int64_t cols) {
  return ceil_div(cols, tile_cols(layout));
}
int64_t ternary_groups(int64_t rows) { return ceil_div(rows, kTernaryRows); }

int64_t ternary_group_bytes(TernaryLayout layout, int64_t cols) {
  const int64_t tiles = ternary_tiles(layout, cols) * kTernaryTileBytes;
  return layout == TernaryLayout::base3 ? tiles + kTernaryRows * int64_t{sizeof(int32_t)} : tiles;
}

size_t ternary_packed_bytes(TernaryLayout layout, int64_t rows, int64_t cols) noexcept {
  return static_cast<size_t>(ternary_groups(rows) * ternary_group_bytes(layout, cols));
}

// Four codes as four digits, bytes of a word. The codes -1, 0, 1 end in the bits 11, 00, 01: adding 1 to these two bits,
// modulo 4, is code + 1.
uint32_t digits_of(const int8_t* codes) {
  uint32_t four;
  memcpy(&four, codes, sizeof four);
  return ((four & 0x03030303u) + 0x01010101u) & 0x03030303u;
}

// The inverse: bytewise minus 1; the top bit keeps the borrow within its byte.
void codes_of(uint32_t digits, int8_t* codes) {
  const uint32_t four = ((digits | 0x80808080u) - 0x01010101u) ^ 0x80808080u;
  memcpy(codes, &four, sizeof four);
}

// 16 codes of one row <-> their lane.
struct TwoBitLane {
  static constexpr TernaryLayout kLayout = TernaryLayout::two_bit;

  static uint32_t pack(const int8_t* codes) {
    uint32_t lane = 0;
    for (int p = 0; p < 4; ++p) lane |= digits_of(codes + 4 * p) << (2 * p);
    return lane;
  }
  static void unpack(uint32_t lane, int8_t* codes) {
    for (int p = 0; p < 4; ++p) codes_of((lane >> (2 * p)) & 0x03030303u, codes + 4 * p);
  }
};

// 20 codes of one row <-> their lane.
struct Base3Lane {
  static constexpr TernaryLayout kLayout = TernaryLayout::base3;

  static uint32_t pack(const int8_t* codes) {
    uint32_t index = 0;  // four numbers below 243, bytewise
    for (int p = 0; p < 5; ++p) index = index * 3 + digits_of(codes + 4 * p);
    uint32_t lane = 0;
    for (int s = 0; s < 4; ++s) lane |= scaled((index >> (8 * s)) & 0xffu) << (8 * s);
    return lane;
  }
  static void unpack(uint32_t lane, int8_t* codes) {
    for (int p = 0; p < 5; ++p, codes += 4) {
      uint32_t digits = 0, rest = 0;
      for (int s = 0; s < 4; ++s) {
        const uint32_t triple = ((lane >> (8 * s)) & 0xffu) * 3;
        digits |= (triple >> 8) << (8 * s);
        rest |= (triple & 0xffu) << (8 * s);
      }
      codes_of(digits, codes);
      lane = rest;
    }
  }

 private:
  // ceil(256·i / 243) for i < 243.
  static uint32_t scaled(uint32_t i) { return (256 * i + 242) / 243; }
};

// Packs one row into its lane of each tile of its group.
template <class Lane>
void pack_ternary_row(const int8_t* codes, int64_t cols, uint8_t* lane) {
  constexpr int64_t kCols = tile_cols(Lane::kLayout);
  const int64_t whole = cols / kCols;
  for (int64_t t = 0; t < whole; ++t) {
    const uint32_t bits = Lane::pack(codes + t * kCols);
    memcpy(lane + t * kTernaryTileBytes, &bits, sizeof bits);
  }
  if (whole * kCols < cols) {
    int8_t tail[kCols] = {};
    memcpy(tail, codes + whole * kCols, static_cast<size_t>(cols - whole * kCols));
    const uint32_t bits = Lane::pack(tail);
    memcpy(lane + whole * kTernaryTileBytes, &bits, sizeof bits);
  }
}

// A lane of zero codes, for the rows that a last group lacks.
template <class Lane>
void pack_ternary_padding(int64_t cols, uint8_t* lane) {
  const int8_t zeros[tile_cols(Lane::kLayout)] = {};
  const uint32_t bits = Lane::pack(zeros);
  for (int64_t t = 0; t < ternary_tiles(Lane::kLayout, cols); ++t) memcpy(lane + t * kTernaryTileBytes, &bits, sizeof bits);
}

// Σ digits of a row, padding counted.
int32_t sum_of_digits(const int8_t* codes, int64_t cols, int64_t padded_cols) {
  int32_t sum = 0;
  for (int64_t i = 0; i < cols; ++i) sum += codes[i];
  return sum + static_cast<int32_t>(padded_cols);
}

template <class Lane>
void unpack_ternary_row(const uint8_t* lane, int64_t cols, int8_t* codes) {
  constexpr int64_t kCols = tile_cols(Lane::kLayout);
  for (int64_t col = 0; col < cols; col += kCols, lane += kTernaryTileBytes) {
    uint32_t bits;
    memcpy(&bits, lane, sizeof bits);
    if (col + kCols <= cols) {
      Lane::unpack(bits, codes + col);
    } else {
      int8_t tail[kCols];
      Lane::unpack(bits, tail);
      memcpy(codes + col, tail, static_cast<size_t>(cols - col));
    }
  }
}

template <class Lane>
void pack_ternary_rows(const Exec& exec, const TernaryPackArgs& args) {
  const int64_t group_bytes = ternary_group_bytes(Lane::kLayout, args.cols);
  const int64_t padded_cols = ternary_tiles(Lane::kLayout, args.cols) * tile_cols(Lane::kLayout);
  uint8_t* const first = args.packed + args.row_begin / kTernaryRows * group_bytes;
  const int64_t rows = ternary_groups(args.row_count) * kTernaryRows;
  parallel_for(exec, rows, args.cols / 4, kTernaryRows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      uint8_t* const group = first + row / kTernaryRows * group_bytes;
      uint8_t* const lane = group + row % kTernaryRows * 4;
      const bool there = row < args.row_count;
      const int8_t* const codes = there ? args.codes + row * args.cols : nullptr;
      if (there) {
        pack_ternary_row<Lane>(codes, args.cols, lane);
      } else {
        pack_ternary_padding<Lane>(args.cols, lane);
      }
      if constexpr (Lane::kLayout == TernaryLayout::base3) {
        const int32_t sum = sum_of_digits(codes, there ? args.cols : 0, padded_cols);
        memcpy(lane + ternary_tiles(Lane::kLayout, args.cols) * kTernaryTileBytes, &sum, sizeof sum);
      }
    }
  });
}

template <class Lane>
void unpack_ternary_rows(const Exec& exec, const TernaryUnpackArgs& args) {
  const int64_t group_bytes = ternary_group_bytes(Lane::kLayout, args.cols);
  const uint8_t* const first = args.packed + args.row_begin / kTernaryRows * group_bytes;
  parallel_for(exec, args.row_count, args.cols / 4, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const uint8_t* const lane = first + row / kTernaryRows * group_bytes + row % kTernaryRows * 4;
      unpack_ternary_row<Lane>(lane, args.cols, args.codes + row * args.cols);
    }
  });
}

void ternary_pack(const Exec& exec, const TernaryPackArgs& args) noexcept {
  args.layout == TernaryLayout::base3 ? pack_ternary_rows<Base3Lane>(exec, args) : pack_ternary_rows<TwoBitLane>(exec, args);
}

void ternary_unpack(const Exec& exec, const TernaryUnpackArgs& args) noexcept {
  args.layout == TernaryLayout::base3 ? unpack_ternary_rows<Base3Lane>(exec, args)
                                      : unpack_ternary_rows<TwoBitLane>(exec, args);
}
