// SPDX-License-Identifier: Apache-2.0
// The kernels of arrays, by instruction set, as tables.h has those of models. They are loops that a compiler makes
// vectors of, so sets share them where it would make nothing else.
#pragma once

#include "device/array_kernels.h"

namespace tern::cpu {

extern const ArrayPointwiseKernels kScalarArrayPointwise;
extern const ArrayReduceKernels kScalarArrayReduce;
extern const ArraySortKernels kScalarArraySort;

// x86-64
extern const ArrayPointwiseKernels kAvx2ArrayPointwise;
extern const ArrayReduceKernels kAvx2ArrayReduce;
extern const ArrayPointwiseKernels kAvx512ArrayPointwise;
extern const ArrayReduceKernels kAvx512ArrayReduce;
extern const ArraySortKernels kAvx512ArraySort;

// Not compiled for any set: all share it.
extern const ArrayIndexKernels kArrayIndex;
extern const ArraySearchKernels kArraySearch;

}  // namespace tern::cpu
