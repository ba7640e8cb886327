// SPDX-License-Identifier: Apache-2.0
// Kernels that reduce or accumulate arrays of any dtype along an axis. The rules of kernels.h hold.
#pragma once

#include "device/kernels.h"

namespace tern {

enum class ArrayReduceOp : uint8_t { sum, prod, max, min, argmax, argmin, any, all, count_nonzero, sum_squares };

// Elements along the axis that are taken together, where the axis is the last one and where it is not.
inline constexpr int64_t kReduceRowBlock = 1024, kReduceColumnBlock = 128;

constexpr int64_t reduce_blocks(int64_t extent, int64_t inner) {
  const int64_t block = inner == 1 ? kReduceRowBlock : kReduceColumnBlock;
  return (extent + block - 1) / block;
}

// Bytes of room for one block and output: the widest that an op keeps.
inline constexpr size_t kReducePartialBytes = 16;

// Reduces the middle axis of contiguous x [outer, extent, inner] to y [outer, inner]. By op, for x of `dtype`:
//   sum, prod      y of `result`: an integer or bool to i64 (signed and bool) or u64 (unsigned), wrapping; sums of them
//                  to f64, too; i32 to i32; floats and complex numbers to their own; f32 to f64, too, in f64
//   max, min       y of x's dtype, real numbers but halves, or bool; NaN if any is NaN
//   argmax, argmin y i64, the index of the first of equals; a NaN wins
//   any, all       y bool, of x != 0; any dtype (NaN is not 0; a complex number is 0 where both parts are)
//   count_nonzero  y i64, any dtype
//   sum_squares    y f64: Σ (x - center)², center f64 [outer, inner], in f64; f32 and f64
// Results that are floats, of sum, prod and sum_squares, are divided by `divisor`. extent > 0 for max, min, argmax,
// argmin. Floats are taken in the order `blocks`: an output's elements in blocks of kReduceRowBlock (inner is 1) or
// kReduceColumnBlock; two blocks that follow each other meet, two of these pairs, and so on, and what has no partner
// meets the longer ones before it at the end, from the shortest up. Within a block: where inner is 1, lanes of 256
// bytes (32 for f64, 64 for f32; complex sums as their reals, alternately), lane l takes the elements k ≡ l ascending,
// then lanes fold by halves; where it is not, and complex products: ascending.
struct ArrayReduceArgs {
  ArrayReduceOp op;
  DType dtype, result;
  int64_t outer, extent, inner;
  const void* x;
  const double* center = nullptr;
  double divisor = 1;
  void* y;
  // outer · inner · reduce_blocks() · kReducePartialBytes bytes, 64-byte aligned, that let several threads share an
  // output. Or null.
  void* room = nullptr;
};

enum class ScanOp : uint8_t { sum, prod };

// y[o, k, i] = x[o, 0, i] op … op x[o, k, i] for x [outer, extent, inner]; contiguous but for y's stride between outer
// indices. One dtype: f32, f64, i64, u64 (which wrap), c64, c128. One after the other, but for sums where inner is 1:
// there each block of kScanRowBlock elements has running sums of its own, to which the last result of the block before
// is added. Sums of numbers >= 0 never decrease so, either.
inline constexpr int64_t kScanRowBlock = 1024;
struct ArrayScanArgs {
  ScanOp op;
  DType dtype;
  int64_t outer, extent, inner, y_stride;
  const void* x;
  void* y;
};

struct ArrayReduceKernels {
  Kernel<ArrayReduceArgs> reduce;
  Kernel<ArrayScanArgs> scan;
};

constexpr bool complete(const ArrayReduceKernels& t) { return t.reduce && t.scan; }

}  // namespace tern
