// SPDX-License-Identifier: Apache-2.0
// The explicit list of formats, and the checks that all of them share.
#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "base/check.h"
#include "formats/format.h"

namespace tern {

extern const Format kHfPacked;

namespace {

constexpr std::array<const Format*, 1> kFormats = {
    &kHfPacked,
};

void check_matrix(const Format& format, size_t packed, int64_t rows, int64_t cols) {
  int64_t numel;
  check(
      rows >= 0 && cols >= 0 && !__builtin_mul_overflow(std::max<int64_t>(rows, 1), std::max<int64_t>(cols, 1), &numel),
      "format", "expected a matrix that fits into memory, got [{}, {}]", rows, cols);
  const Shape shape = format.packed_shape(rows, cols);
  check(packed == static_cast<size_t>(shape.numel()), "format",
        "expected {} bytes, {} {}, for a matrix [{}, {}], got {}", shape.numel(), format.name, to_string(shape), rows,
        cols, packed);
}

}  // namespace

std::span<const Format* const> formats() { return kFormats; }

const Format& format_from_name(std::string_view name) {
  std::vector<std::string_view> known;
  for (const Format* format : kFormats) {
    if (format->name == name) return *format;
    known.push_back(format->name);
  }
  fail("format", "expected one of {}, got '{}'", fmt::join(known, ", "), name);
}

void decode_rows(const Format& format, std::span<const uint8_t> packed, int64_t rows, int64_t cols, int64_t row_begin,
                 int64_t row_count, std::span<int8_t> out) {
  check_matrix(format, packed.size(), rows, cols);
  check(row_begin >= 0 && row_count >= 0 && row_begin <= rows && row_count <= rows - row_begin, "format",
        "expected a range within {} rows, got {} rows from {} on", rows, row_count, row_begin);
  check(out.size() == static_cast<size_t>(row_count * cols), "format", "expected room for {} codes, got {}",
        row_count * cols, out.size());
  format.decode_rows(packed, rows, cols, row_begin, row_count, out.data());
}

TernaryCodes decode(const Format& format, const Tensor& packed, int64_t rows, int64_t cols, float scale) {
  check(packed.is_contiguous(), "format", "expected a contiguous packed tensor, got a view of shape {}",
        to_string(packed.shape()));
  const std::vector<uint8_t> bytes = packed.to_vector<uint8_t>();
  check_matrix(format, bytes.size(), rows, cols);
  std::vector<int8_t> codes(static_cast<size_t>(rows * cols));
  format.decode_rows(bytes, rows, cols, 0, rows, codes.data());
  return {Tensor::from(codes, {rows, cols}, packed.device()), scale};
}

Tensor encode(const Format& format, const TernaryCodes& codes) {
  const Tensor& matrix = codes.codes;
  check(matrix.rank() == 2 && matrix.is_contiguous(), "format", "expected a contiguous matrix of codes, got shape {}",
        to_string(matrix.shape()));
  const int64_t rows = matrix.size(0), cols = matrix.size(1);
  const Shape shape = format.packed_shape(rows, cols);
  std::vector<uint8_t> packed(static_cast<size_t>(shape.numel()));
  format.encode(matrix.to_vector<int8_t>(), rows, cols, packed);
  return Tensor::from(packed, shape, matrix.device());
}

}  // namespace tern
