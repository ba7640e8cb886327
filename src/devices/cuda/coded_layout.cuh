// SPDX-License-Identifier: Apache-2.0
// The layout of coded weights: groups of 32 rows, one to each lane of a warp, in blocks of 64 columns.
//
//      codes       [group][block][bits / 2 pieces][32 lanes][4 words]   bits·256 bytes a block
//      multiples   [group][block][32 lanes] int8
//      factors     [group][32 lanes] f32
//
// so that a warp reads a block in bits / 2 loads of 16 bytes a lane, side by side, and a product streams the codes
// once, forward. A block's 64 codes of a row are 16 quads of neighbours, least significant byte first, in its 2·bits
// words:
//
//      8 bits   word w is quad w, each byte the signed u - 128
//      6 bits   the low 6 bits of word w are quad w; quad 12 + t has its bits 0-1, 2-3, 4-5 atop words 3t, 3t+1, 3t+2
//      4 bits   the low half bytes of word w are quad w, the high ones quad w + 8
//
// A quad is an operand of a dot product of signed bytes. Rows beyond the matrix have factor 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "devices/cuda/launch.h"

namespace tern::cuda {

constexpr int kCodedRows = 32;
constexpr int kCodedQuads = kCodedBlock / 4;

constexpr int coded_words(int bits) { return 2 * bits; }
constexpr int coded_pieces(int bits) { return bits / 2; }
constexpr int64_t coded_blocks(int64_t cols) { return ceil_div(cols, kCodedBlock); }
constexpr int64_t coded_groups(int64_t rows) { return ceil_div(rows, kCodedRows); }

// With s for the bytes of quads as stored, Σ q·(2u + 1 - 2^bits) = 2·Σ q·s + coded_offset·Σ q.
constexpr int coded_offset(int bits) { return bits == 8 ? 1 : 1 - (1 << bits); }
// What is stored of the code c = u - 2^(bits-1).
constexpr int stored_code(int bits, int code) { return bits == 8 ? code : code + (1 << (bits - 1)); }

// Where the three parts of a packed matrix begin.
template <class Byte>
struct CodedParts {
  template <class T>
  using Like = std::conditional_t<std::is_const_v<Byte>, const T, T>;

  Like<uint32_t>* words;
  Like<int8_t>* multiples;
  Like<float>* factors;

  CodedParts(Byte* packed, int64_t rows, int64_t cols, int bits) {
    const int64_t lanes = coded_groups(rows) * coded_blocks(cols) * kCodedRows;
    const int64_t code_bytes = lanes * coded_words(bits) * int64_t{sizeof(uint32_t)};
    words = reinterpret_cast<Like<uint32_t>*>(packed);
    multiples = reinterpret_cast<Like<int8_t>*>(packed + code_bytes);
    factors = reinterpret_cast<Like<float>*>(packed + code_bytes + lanes);
  }
};
static_assert(kCodedRows % alignof(float) == 0);

inline size_t coded_bytes(int64_t rows, int64_t cols, int bits) noexcept {
  const int64_t lanes = coded_groups(rows) * coded_blocks(cols) * kCodedRows;
  return static_cast<size_t>(lanes * (coded_words(bits) * int64_t{sizeof(uint32_t)} + 1) +
                             coded_groups(rows) * kCodedRows * int64_t{sizeof(float)});
}

// The first of the 4 words that `lane` has of a piece of a block, which is numbered through all groups.
__device__ constexpr int64_t coded_piece_at(int bits, int64_t block, int piece, int lane) {
  return ((block * coded_pieces(bits) + piece) * kCodedRows + lane) * 4;
}

// Two groups of 16 lanes each have the 16 quads of a block: the word of lane t, for t < coded_words.
template <int kBits>
__device__ uint32_t packed_word(uint32_t quad, int t) {
  if constexpr (kBits == 8) {
    return quad;
  } else if constexpr (kBits == 6) {
    const uint32_t above = __shfl_sync(0xffffffff, quad, 12 + t / 3, kCodedQuads);
    return quad | ((above >> (t % 3 * 2)) & 0x03030303u) << 6;
  } else {
    return quad | __shfl_sync(0xffffffff, quad, t + 8, kCodedQuads) << 4;
  }
}

template <int kBits>
__device__ void unpack_quads(const uint32_t (&words)[coded_words(kBits)], uint32_t (&quads)[kCodedQuads]) {
  if constexpr (kBits == 8) {
#pragma unroll
    for (int w = 0; w < 16; ++w) quads[w] = words[w];
  } else if constexpr (kBits == 6) {
#pragma unroll
    for (int w = 0; w < 12; ++w) quads[w] = words[w] & 0x3f3f3f3fu;
#pragma unroll
    for (int t = 0; t < 4; ++t) {
      quads[12 + t] = ((words[3 * t] >> 6) & 0x03030303u) | ((words[3 * t + 1] >> 4) & 0x0c0c0c0cu) |
                      ((words[3 * t + 2] >> 2) & 0x30303030u);
    }
  } else {
#pragma unroll
    for (int w = 0; w < 8; ++w) {
      quads[w] = words[w] & 0x0f0f0f0fu;
      quads[w + 8] = (words[w] >> 4) & 0x0f0f0f0fu;
    }
  }
}

}  // namespace tern::cuda
