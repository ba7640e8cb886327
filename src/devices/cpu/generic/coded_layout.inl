// SPDX-License-Identifier: Apache-2.0
// The layout of coded weights: groups of 16 rows, one row to each 32-bit lane, in blocks of 64 columns.
//
//      codes       [group][block][4 steps of 16 columns][words][16 lanes]   bits·128 bytes a block
//      multiples   [group][block][16 lanes] int8
//      factors     [group][16 lanes] f32
//
// A step's four quads of columns lie in a lane's words (least significant byte first, one byte for each of four
// columns):
//
//      8 bits   4 words: word v is quad v
//      6 bits   3 words: the low 6 bits of word v are quad v; quad 3 has its bits 0-1, 2-3, 4-5 atop words 0, 1, 2
//      4 bits   2 words: the low half bytes of word v are quad 2v, the high ones quad 2v + 1
//
// so that shifts and masks give four consecutive columns in every lane, one operand of a dot product with the same four
// activations in every lane, and a product streams the codes once, forward. Rows beyond the matrix have multiple 0.

constexpr int64_t kCodedRows = 16;
constexpr int64_t kCodedSteps = kCodedBlock / 16;

constexpr int64_t coded_words(int bits) { return bits / 2; }
constexpr int64_t coded_step_bytes(int bits) { return coded_words(bits) * 64; }
constexpr int64_t coded_block_bytes(int bits) { return kCodedSteps * coded_step_bytes(bits); }
int64_t coded_blocks(int64_t cols) { return ceil_div(cols, kCodedBlock); }
int64_t coded_groups(int64_t rows) { return ceil_div(rows, kCodedRows); }

// Where the three parts of a packed matrix begin.
template <class Byte, class Multiple, class Factor>
struct CodedParts {
  Byte* codes;
  Multiple* multiples;
  Factor* factors;

  CodedParts(Byte* packed, int64_t rows, int64_t cols, int bits)
      : codes(packed),
        multiples(
            reinterpret_cast<Multiple*>(packed + coded_groups(rows) * coded_blocks(cols) * coded_block_bytes(bits))),
        factors(reinterpret_cast<Factor*>(multiples +
                                          round_up(coded_groups(rows) * coded_blocks(cols) * kCodedRows, 64))) {}
};
using CodedWriter = CodedParts<uint8_t, int8_t, float>;
using CodedReader = CodedParts<const uint8_t, const int8_t, const float>;

size_t coded_bytes(int64_t rows, int64_t cols, int bits) noexcept {
  const int64_t blocks = coded_groups(rows) * coded_blocks(cols);
  return static_cast<size_t>(blocks * coded_block_bytes(bits) + round_up(blocks * kCodedRows, 64) +
                             coded_groups(rows) * kCodedRows * int64_t{sizeof(float)});
}

// One row's 64 codes c = u - 2^(bits-1) into its lane of a block, four bytes at a time: u in two's complement of `bits`
// bits is c with the topmost of them flipped.
template <int kBits>
void pack_coded_block(const int8_t* codes, uint8_t* lane) {
  constexpr uint32_t kOnes = 0x01010101u;
  constexpr uint32_t kTop = kOnes << (kBits - 1), kMask = kOnes * ((1u << kBits) - 1);
  for (int64_t step = 0; step < kCodedSteps; ++step, codes += 16, lane += coded_step_bytes(kBits)) {
    uint32_t quads[4], words[4];
    memcpy(quads, codes, sizeof quads);
    for (uint32_t& quad : quads) quad = (quad ^ kTop) & kMask;
    if constexpr (kBits == 8) {
      for (int v = 0; v < 4; ++v) words[v] = quads[v];
    } else if constexpr (kBits == 6) {
      for (int v = 0; v < 3; ++v) words[v] = quads[v] | ((quads[3] >> (2 * v)) & (3 * kOnes)) << 6;
    } else {
      for (int v = 0; v < 2; ++v) words[v] = quads[2 * v] | quads[2 * v + 1] << 4;
    }
    for (int64_t v = 0; v < coded_words(kBits); ++v) memcpy(lane + v * 64, &words[v], sizeof words[v]);
  }
}
