// SPDX-License-Identifier: Apache-2.0
// Products of matrices of arrays (array_kernels.h).
#pragma once

#include "device/kernels.h"

namespace tern {

// c [batch, m, n], contiguous, = a [batch, m, k] · b [batch, k, n], by strides, in elements. dtype f64, c64, c128, an
// integer (modulo 2^bits) or bool (whether any pair is). Sums start at 0 and take products for k ascending, each rounded;
// complex products are (re·re - im·im, re·im + im·re), without a thought for infinities. Where `conjugate` is set, a's
// elements are conjugated.
struct ArrayMatmulArgs {
  DType dtype;
  int64_t batch, m, n, k;
  const void* a;
  int64_t a_batch_stride, a_row_stride, a_col_stride;
  const void* b;
  int64_t b_batch_stride, b_row_stride, b_col_stride;
  void* c;
  int64_t c_batch_stride;
  bool conjugate;
};

struct ArrayMatmulKernels {
  Kernel<ArrayMatmulArgs> array_matmul;
};

constexpr bool complete(const ArrayMatmulKernels& t) { return t.array_matmul; }

}  // namespace tern
