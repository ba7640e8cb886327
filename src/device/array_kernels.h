// SPDX-License-Identifier: Apache-2.0
// Kernels of arrays of any dtype, beyond what models need (kernels.h): a table that a device has or has not
// (Kernels::array). The rules of kernels.h hold.
#pragma once

#include "device/array_index_kernels.h"
#include "device/array_matmul_kernels.h"
#include "device/array_random_kernels.h"
#include "device/array_reduce.h"
#include "device/kernels.h"

namespace tern {

struct ArrayPointwiseKernels {
  // Any of the 15 dtypes to any. Between real numbers as in kernels.h; a complex number becomes a real one by its real
  // part, and bool by being != 0; from f64 to narrower floats rounds to nearest even, once.
  Kernel<CopyArgs> copy;
};

struct ArrayKernels : ArrayPointwiseKernels,
                      ArrayIndexKernels,
                      ArrayReduceKernels,
                      ArrayRandomKernels,
                      ArrayMatmulKernels {};

constexpr bool complete(const ArrayPointwiseKernels& t) { return t.copy; }

}  // namespace tern
