// SPDX-License-Identifier: Apache-2.0
// The ternary layout of every x86 instruction set: 2 bits a weight, in tiles of 16 rows x 16 columns that are 64 bytes.
//
// A code is stored as code + 1, so 0, 1 or 2. Byte s of the 32-bit lane r of a tile holds four columns of the tile's
// row r:
//
//      bits        7 6     5 4     3 2     1 0
//      column     12+s     8+s     4+s       s          lane r = bytes 4r … 4r+3, s = 0 … 3
//
// so (lanes >> 2p) & 3 is, in every lane, four consecutive columns 4p … 4p+3 as bytes: one operand of a dot product
// with the same four activations in every lane. Tiles lie in ascending columns within a group of 16 rows, and groups in
// ascending rows, so a matrix-vector product streams the matrix once, forward. Rows and columns beyond the matrix hold
// code 0. Packing is a handful of 32-bit operations per row of a tile because bytes never move between columns mod 4.

constexpr int64_t kTernaryRows = 16;
constexpr int64_t kTernaryCols = 16;
constexpr int64_t kTernaryTileBytes = 64;

int64_t ternary_tiles(int64_t cols) { return (cols + kTernaryCols - 1) / kTernaryCols; }
int64_t ternary_groups(int64_t rows) { return (rows + kTernaryRows - 1) / kTernaryRows; }

size_t ternary_packed_bytes(int64_t rows, int64_t cols) noexcept {
  return static_cast<size_t>(ternary_groups(rows) * ternary_tiles(cols) * kTernaryTileBytes);
}

// 16 codes of one row <-> their lane, four bytes at a time. The codes -1, 0, 1 end in the bits 11, 00, 01: adding 1 to
// these two bits, modulo 4, is code + 1.
uint32_t pack_ternary_lane(const int8_t* codes) {
  uint32_t lane = 0;
  for (int p = 0; p < 4; ++p) {
    uint32_t four;
    memcpy(&four, codes + 4 * p, sizeof four);
    lane |= (((four & 0x03030303u) + 0x01010101u) & 0x03030303u) << (2 * p);
  }
  return lane;
}

void unpack_ternary_lane(uint32_t lane, int8_t* codes) {
  for (int p = 0; p < 4; ++p) {
    // Bytewise minus 1: the top bit keeps the borrow within its byte.
    const uint32_t four = ((((lane >> (2 * p)) & 0x03030303u) | 0x80808080u) - 0x01010101u) ^ 0x80808080u;
    memcpy(codes + 4 * p, &four, sizeof four);
  }
}

// Packs one row into its lane of each tile of its group.
void pack_ternary_row(const int8_t* codes, int64_t cols, uint8_t* lane) {
  const int64_t whole = cols / kTernaryCols;
  for (int64_t t = 0; t < whole; ++t) {
    const uint32_t bits = pack_ternary_lane(codes + t * kTernaryCols);
    memcpy(lane + t * kTernaryTileBytes, &bits, sizeof bits);
  }
  if (whole * kTernaryCols < cols) {
    int8_t tail[kTernaryCols] = {};
    memcpy(tail, codes + whole * kTernaryCols, static_cast<size_t>(cols - whole * kTernaryCols));
    const uint32_t bits = pack_ternary_lane(tail);
    memcpy(lane + whole * kTernaryTileBytes, &bits, sizeof bits);
  }
}

void unpack_ternary_row(const uint8_t* lane, int64_t cols, int8_t* codes) {
  for (int64_t col = 0; col < cols; col += kTernaryCols, lane += kTernaryTileBytes) {
    uint32_t bits;
    memcpy(&bits, lane, sizeof bits);
    if (col + kTernaryCols <= cols) {
      unpack_ternary_lane(bits, codes + col);
    } else {
      int8_t tail[kTernaryCols];
      unpack_ternary_lane(bits, tail);
      memcpy(codes + col, tail, static_cast<size_t>(cols - col));
    }
  }
}

// A lane of 16 zero codes, for the rows that a last group lacks.
void pack_ternary_padding(int64_t cols, uint8_t* lane) {
  for (int64_t t = 0; t < ternary_tiles(cols); ++t) memset(lane + t * kTernaryTileBytes, 0x55, 4);
}

void ternary_pack(const Exec& exec, const TernaryPackArgs& args) noexcept {
  const int64_t group_bytes = ternary_tiles(args.cols) * kTernaryTileBytes;
  uint8_t* const first = args.packed + args.row_begin / kTernaryRows * group_bytes;
  const int64_t rows = ternary_groups(args.row_count) * kTernaryRows;
  parallel_for(exec, rows, args.cols / 4, kTernaryRows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      uint8_t* const lane = first + row / kTernaryRows * group_bytes + row % kTernaryRows * 4;
      if (row < args.row_count) {
        pack_ternary_row(args.codes + row * args.cols, args.cols, lane);
      } else {
        pack_ternary_padding(args.cols, lane);
      }
    }
  });
}

void ternary_unpack(const Exec& exec, const TernaryUnpackArgs& args) noexcept {
  const int64_t group_bytes = ternary_tiles(args.cols) * kTernaryTileBytes;
  const uint8_t* const first = args.packed + args.row_begin / kTernaryRows * group_bytes;
  parallel_for(exec, args.row_count, args.cols / 4, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const uint8_t* const lane = first + row / kTernaryRows * group_bytes + row % kTernaryRows * 4;
      unpack_ternary_row(lane, args.cols, args.codes + row * args.cols);
    }
  });
}
