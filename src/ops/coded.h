// SPDX-License-Identifier: Apache-2.0
// Products with a weight matrix in small codes, and bounds on the exact products (device/kernels.h, "coded matmul").
#pragma once

#include "tern/tensor.h"

namespace tern {

// A matrix [rows, cols] in its device's layout of codes.
struct CodedWeight {
  Tensor bytes;        // u8
  Tensor error, norm;  // f32 [rows]: at least ‖w - ŵ‖ and ‖w‖ of each row
  int64_t rows = 0, cols = 0;
  int bits = 0;

  bool defined() const { return bits != 0; }
};

// w [rows, cols] of f32, bf16 or f16, cols < 2^24; bits 4, 6 or 8.
CodedWeight code_weight(const Tensor& w, int bits);

// x̂·ŵᵀ for f32 x [..., cols]: activations in two planes, about 15 bits. Not differentiable.
Tensor coded_linear(const Tensor& x, const CodedWeight& w);

// low <= linear(x, w) <= high, proven, as f32 [..., rows] each; where one is NaN, nothing is known. On devices that look
// through scores themselves (ops/scores.h) leaders are CodedLinearArgs::leaders, as bytes; elsewhere undefined.
struct LinearBounds {
  Tensor low, high, leaders = {};
};
LinearBounds linear_bounds(const Tensor& x, const CodedWeight& w);
// Rows of x up to which these bounds take a device less time than linear(x, w).
int64_t most_bounded_rows(const Device& device);

// The elements ids i64 [count] of linear(x, w) for f32 x [cols]: f32 [count], the same bits. Throws Error for an id out
// of range.
Tensor linear_rows(const Tensor& x, const Tensor& w, const Tensor& ids);

}  // namespace tern
