// SPDX-License-Identifier: Apache-2.0
// The Hugging Face layout against an example worked by hand and against its definition, entry by entry.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "formats/format.h"
#include "support/fails_with.h"

namespace tern {
namespace {

using Codes = std::vector<int8_t>;
using Packed = std::vector<uint8_t>;

const Format& hf() { return format_from_name("hf_packed"); }

Codes decode_range(const Packed& packed, int64_t rows, int64_t cols, int64_t begin, int64_t count) {
  Codes out(static_cast<size_t>(count * cols), 99);
  decode_rows(hf(), packed, rows, cols, begin, count, out);
  return out;
}

// The definition: bits 2i, 2i+1 of packed[r, c] are w[r + i*ceil(rows/4), c] + 1.
int8_t definition(const Packed& packed, int64_t rows, int64_t cols, int64_t row, int64_t col) {
  const int64_t quarter = (rows + 3) / 4;
  const int byte = packed[static_cast<size_t>((row % quarter) * cols + col)];
  return static_cast<int8_t>(byte / (1 << 2 * (row / quarter)) % 4 - 1);
}

TEST(HfPacked, MatchesAnExampleByHand) {
  // 8 rows, 2 columns: byte [0, 0] holds rows 0, 2, 4, 6 of column 0 as 0b10'10'00'01 = +1, +1, -1, 0.
  const Packed packed = {0b10100001, 0b00011000, 0b10010000, 0b00001010};
  const Codes codes = {0, -1, -1, 1, -1, 1, -1, 1, 1, 0, 0, -1, 1, -1, 1, -1};
  EXPECT_EQ(decode_range(packed, 8, 2, 0, 8), codes);
}

TEST(HfPacked, RoundTripsAwkwardShapes) {
  Random random(3);
  for (int64_t rows : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 64, 67}) {
    for (int64_t cols : {0, 1, 7, 15, 16, 17, 63, 64, 65, 127}) {
      Codes codes(static_cast<size_t>(rows * cols));
      for (int8_t& code : codes) code = static_cast<int8_t>(static_cast<int>(random.below(3)) - 1);
      const Shape shape = hf().packed_shape(rows, cols);
      EXPECT_EQ(shape, (Shape{(rows + 3) / 4, cols}));
      Packed packed(static_cast<size_t>(shape.numel()), 0xaa);
      hf().encode(codes, rows, cols, packed);
      EXPECT_EQ(decode_range(packed, rows, cols, 0, rows), codes) << rows << "x" << cols;
      for (int64_t i = 0; i < rows * cols; ++i) {
        ASSERT_EQ(definition(packed, rows, cols, i / cols, i % cols), codes[static_cast<size_t>(i)]);
      }
    }
  }
}

TEST(HfPacked, DecodesEveryRangeOfRows) {
  constexpr int64_t kRows = 11, kCols = 5;
  Packed packed(3 * kCols);
  Random random(5);
  for (uint8_t& byte : packed) {
    for (int field = 0; field < 4; ++field) byte = static_cast<uint8_t>(byte << 2 | random.below(3));
  }
  const Codes all = decode_range(packed, kRows, kCols, 0, kRows);
  for (int64_t begin = 0; begin <= kRows; ++begin) {
    for (int64_t count = 0; begin + count <= kRows; ++count) {
      const Codes part(all.begin() + begin * kCols, all.begin() + (begin + count) * kCols);
      EXPECT_EQ(decode_range(packed, kRows, kCols, begin, count), part);
    }
  }
}

TEST(HfPacked, NamesTheInvalidCode) {
  for (int64_t row : {0, 1, 2, 3, 5, 8}) {
    constexpr int64_t kRows = 9, kCols = 67;
    Packed packed(3 * kCols, 0b01010101);
    packed[static_cast<size_t>(row % 3 * kCols + 65)] |= static_cast<uint8_t>(3 << 2 * (row / 3));
    const std::string where = "got 3 at row " + std::to_string(row) + ", column 65";
    EXPECT_TRUE(testing::fails_with(where, [&] { decode_range(packed, kRows, kCols, 0, kRows); }));
    EXPECT_TRUE(testing::fails_with(where, [&] { decode_range(packed, kRows, kCols, row, 1); }));
    EXPECT_NO_THROW(decode_range(packed, kRows, kCols, 0, row));
  }
}

TEST(HfPacked, DoesNotReadTheBitsOfRowsThatAreNone) {
  const Packed packed = {0b11111101, 0b11111101};
  EXPECT_EQ(decode_range(packed, 1, 2, 0, 1), (Codes{0, 0}));
}

TEST(HfPacked, WritesZeroForRowsThatAreNone) {
  const Codes codes = {1, 1, 1, 1, 1};
  Packed packed(2, 0xff);
  hf().encode(codes, 5, 1, packed);
  EXPECT_EQ(packed, (Packed{0b00101010, 0b00001010}));
}

TEST(HfPacked, RefusesToEncodeWhatIsNoCode) {
  for (int value : {-128, -2, 2, 3, 127}) {
    Codes codes(15, 0);
    codes[11] = static_cast<int8_t>(value);
    Packed packed(6);
    EXPECT_TRUE(testing::fails_with("got " + std::to_string(value) + " at row 3, column 2",
                                    [&] { hf().encode(codes, 5, 3, packed); }));
  }
}

}  // namespace
}  // namespace tern
