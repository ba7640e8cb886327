// SPDX-License-Identifier: Apache-2.0
// Kernels of arrays of any dtype, beyond what models need (kernels.h): a table that a device has or has not
// (Kernels::array). The rules of kernels.h hold.
#pragma once

#include "device/array_index.h"
#include "device/array_matmul.h"
#include "device/array_packed.h"
#include "device/array_pointwise.h"
#include "device/array_random.h"
#include "device/array_reduce.h"
#include "device/array_sort.h"
#include "device/kernels.h"

namespace tern {

struct ArrayKernels : ArrayPointwiseKernels,
                      ArrayIndexKernels,
                      ArrayReduceKernels,
                      ArraySortKernels,
                      ArraySearchKernels,
                      ArrayRandomKernels,
                      ArrayMatmulKernels,
                      ArrayPackedKernels {};

}  // namespace tern
