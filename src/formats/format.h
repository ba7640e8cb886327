// SPDX-License-Identifier: Apache-2.0
// Format: how ternary codes sit in a file. A codec between bytes at rest and the canonical codes (core/codes.h), in
// host memory; it knows no device and no file.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/codes.h"
#include "tern/shape.h"

namespace tern {

// One format; the list is in formats.cpp. Matrices are [rows, cols]; codes are int8, row-major, each -1, 0 or +1. The
// functions here trust shapes and sizes; decode() and encode() below check them first.
struct Format {
  std::string_view name;
  double bits_per_weight;  // nominal: of a large matrix

  // Shape of the u8 tensor that holds a matrix.
  Shape (*packed_shape)(int64_t rows, int64_t cols);
  // Decodes rows [row_begin, row_begin + row_count) into out [row_count, cols]. Throws Error naming row and column for
  // bytes that are no code.
  void (*decode_rows)(std::span<const uint8_t> packed, int64_t rows, int64_t cols, int64_t row_begin, int64_t row_count,
                      int8_t* out);
  // Encodes a whole matrix. Throws Error naming row and column for a value that is no code.
  void (*encode)(std::span<const int8_t> codes, int64_t rows, int64_t cols, std::span<uint8_t> packed);
};

std::span<const Format* const> formats();

// Throws Error naming the formats there are.
const Format& format_from_name(std::string_view name);

// A range of rows of a packed matrix: what a device packs from, tile by tile. Throws Error when `packed` has not the
// size of a [rows, cols] matrix, the range is not within the rows, or `out` is not row_count * cols long.
void decode_rows(const Format& format, std::span<const uint8_t> packed, int64_t rows, int64_t cols, int64_t row_begin,
                 int64_t row_count, std::span<int8_t> out);

// The whole matrix [rows, cols] in the contiguous u8 tensor `packed`, on its device, by way of the host. `scale` is handed through: what a file's scale means is known to the model loader.
TernaryCodes decode(const Format& format, const Tensor& packed, int64_t rows, int64_t cols, float scale);

// The codes as a u8 tensor of the format's shape, on the codes' device, by way of the host. The scale stays behind.
Tensor encode(const Format& format, const TernaryCodes& codes);

}  // namespace tern
