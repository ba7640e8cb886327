// SPDX-License-Identifier: Apache-2.0
// hf_packed: Hugging Face's BitNet layout (transformers, integrations/bitnet.py), a uint8 tensor [ceil(out/4), in].
//
// With q = ceil(out/4), the byte at [r, c] holds column c of four rows that lie q apart:
//
//   bit   7     6   5     4   3     2   1     0
//       +---------+---------+---------+---------+
//       | w[r+3q] | w[r+2q] | w[r+q]  |  w[r]   |     each as w+1: 0, 1 or 2; 3 is invalid
//       +---------+---------+---------+---------+
//
// Where r+iq is no row (out is no multiple of 4) the bits are written as 0 and not read.
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "formats/format.h"

namespace tern {
namespace {

constexpr int64_t kPerByte = 4;

int64_t packed_rows(int64_t rows) { return rows / kPerByte + (rows % kPerByte != 0 ? 1 : 0); }

Shape packed_shape(int64_t rows, int64_t cols) { return {packed_rows(rows), cols}; }

// One row from the bits at `shift`, eight columns at a time. Returns nonzero when a code was 3.
template <int shift>
uint64_t decode_row(const uint8_t* packed, int64_t cols, int8_t* out) {
  constexpr uint64_t kOnes = 0x0101010101010101u;
  uint64_t invalid = 0;
  const auto decode_some = [&](int64_t at, size_t count) {
    uint64_t bytes = 0;
    std::memcpy(&bytes, packed + at, count);
    const uint64_t codes = (bytes >> shift) & 3 * kOnes;
    invalid |= codes & codes >> 1;
    // Minus 1 in every byte: the top bit keeps the borrow there.
    bytes = ((codes | 0x80 * kOnes) - kOnes) ^ 0x80 * kOnes;
    std::memcpy(out + at, &bytes, count);
  };
  int64_t at = 0;
  for (; at + 8 <= cols; at += 8) decode_some(at, 8);
  if (at < cols) decode_some(at, static_cast<size_t>(cols - at));
  return invalid;
}

constexpr uint64_t (*kDecodeRow[kPerByte])(const uint8_t*, int64_t, int8_t*) = {&decode_row<0>, &decode_row<2>,
                                                                                &decode_row<4>, &decode_row<6>};

void decode_rows(std::span<const uint8_t> packed, int64_t rows, int64_t cols, int64_t row_begin, int64_t row_count,
                 int8_t* out) {
  const int64_t stride = packed_rows(rows);
  for (int64_t row = row_begin; row < row_begin + row_count; ++row, out += cols) {
    if (kDecodeRow[row / stride](packed.data() + row % stride * cols, cols, out) == 0) continue;
    const int64_t column = std::find(out, out + cols, int8_t{2}) - out;
    fail("hf_packed", "expected codes 0, 1 and 2, got 3 at row {}, column {}", row, column);
  }
}

// Adds one row's codes at `shift`. Returns nonzero when a value was no code.
template <int shift>
unsigned encode_row(const int8_t* codes, int64_t cols, uint8_t* packed) {
  uint8_t invalid = 0;
  for (int64_t c = 0; c < cols; ++c) {
    const auto code = static_cast<uint8_t>(codes[c] + 1);
    invalid = static_cast<uint8_t>(invalid | (code > 2 ? 1 : 0));
    packed[c] = static_cast<uint8_t>(packed[c] | code << shift);
  }
  return invalid;
}

constexpr unsigned (*kEncodeRow[kPerByte])(const int8_t*, int64_t, uint8_t*) = {&encode_row<0>, &encode_row<2>,
                                                                                &encode_row<4>, &encode_row<6>};

void encode(std::span<const int8_t> codes, int64_t rows, int64_t cols, std::span<uint8_t> packed) {
  const int64_t stride = packed_rows(rows);
  std::fill(packed.begin(), packed.end(), uint8_t{0});
  for (int64_t row = 0; row < rows; ++row) {
    const int8_t* from = codes.data() + row * cols;
    if (kEncodeRow[row / stride](from, cols, packed.data() + row % stride * cols) == 0) continue;
    const int8_t* bad = std::find_if(from, from + cols, [](int8_t code) { return code < -1 || code > 1; });
    fail("hf_packed", "expected codes -1, 0 and 1, got {} at row {}, column {}", *bad, row, bad - from);
  }
}

}  // namespace

extern const Format kHfPacked;
const Format kHfPacked = {"hf_packed", 2.0, &packed_shape, &decode_rows, &encode};

}  // namespace tern
