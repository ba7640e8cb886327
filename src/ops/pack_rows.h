// SPDX-License-Identifier: Apache-2.0
// Packing a ternary matrix that never exists as a whole tensor of codes: from a file's rows, or from random numbers;
// and looking at one in pieces. Packing those whose codes need no check.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "tern/ops.h"

namespace tern {

// Writes the codes, each -1, 0 or +1, of rows [row, row + rows) to `codes`, row after row. Called from several threads
// at once; may throw.
using TernaryRows = std::function<void(int64_t row, int64_t rows, std::span<int8_t> codes)>;

// The matrix in the device's layout, as pack_ternary gives it for the same codes. The source is asked once for every
// row, a block at a time, on the device's threads. If it throws, so does this, with what the lowest rows threw.
PackedTernary pack_ternary_rows(int64_t rows, int64_t cols, float scale, const Device& device,
                                const TernaryRows& source);

// pack_ternary of codes that are known to be -1, 0 or +1, i8 [rows, cols], contiguous: reads none of them on the host.
PackedTernary pack_checked_codes(const Tensor& codes, float scale);

// The codes of a matrix, i8 [rows, cols] contiguous, and the same packed.
struct QuantizedTernary {
  Tensor codes;
  PackedTernary packed;
};

// ternary_codes and pack_checked_codes of each, f32 [rows, cols] on one device, by its scale: in few launches on a GPU.
std::vector<QuantizedTernary> quantize_ternary(std::span<const Tensor> matrices, std::span<const float> scales);

// Σ|x| of each of some f32 tensors on one device, in double, as bytes in its memory; and the mean that mean_abs has of
// such a sum.
Tensor magnitude_sums(std::span<const Tensor> tensors);
inline float mean_magnitude(double sum, int64_t count) { return static_cast<float>(sum / static_cast<double>(count)); }

// Calls visit(worker, row, codes) for blocks of a matrix's rows, on its device's threads: i8 codes of the rows from `row`
// on, in memory that the worker's next block takes. 0 <= worker < threads(), and no two calls share one at one time. What
// it throws is thrown here, that of the lowest rows if several do.
using TernaryVisitor = std::function<void(int worker, int64_t row, const Tensor& codes)>;
void for_ternary_rows(const PackedTernary& w, const TernaryVisitor& visit);

// How many codes of the matrix are 0.
int64_t count_zeros(const PackedTernary& w);

}  // namespace tern
