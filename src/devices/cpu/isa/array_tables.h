// SPDX-License-Identifier: Apache-2.0
// The kernels of arrays, by instruction set, as tables.h has those of models. They are loops that a compiler makes
// vectors of, so sets share them where it would make nothing else.
#pragma once

#include "device/array_kernels.h"

namespace tern::cpu {

// Not compiled for any set: all share it.
extern const ArrayIndexKernels kArrayIndex;
extern const ArraySearchKernels kArraySearch;

extern const ArrayPointwiseKernels kScalarArrayPointwise;  // nothing beyond the architecture's baseline
extern const ArrayReduceKernels kScalarArrayReduce;
extern const ArraySortKernels kScalarArraySort;
extern const ArrayRandomKernels kScalarArrayRandom;
extern const ArrayMatmulKernels kScalarArrayMatmul;
extern const ArrayPackedKernels kScalarArrayPacked;

extern const ArrayPointwiseKernels kAvx2ArrayPointwise;  // x86-64: AVX2, FMA, F16C, BMI2
extern const ArrayReduceKernels kAvx2ArrayReduce;
extern const ArrayRandomKernels kAvx2ArrayRandom;
extern const ArrayMatmulKernels kAvx2ArrayMatmul;
extern const ArrayPackedKernels kAvx2ArrayPacked;

extern const ArrayPointwiseKernels kAvx512ArrayPointwise;  // x86-64: AVX-512 F, BW, VL, DQ, VNNI
extern const ArrayReduceKernels kAvx512ArrayReduce;
extern const ArraySortKernels kAvx512ArraySort;
extern const ArrayRandomKernels kAvx512ArrayRandom;
extern const ArrayMatmulKernels kAvx512ArrayMatmul;
extern const ArrayPackedKernels kAvx512ArrayPacked;

// The families of sets that share all of them.
struct ArrayTables {
  const ArrayPointwiseKernels* pointwise;
  const ArrayReduceKernels* reduce;
  const ArraySortKernels* sort;
  const ArrayRandomKernels* random;
  const ArrayMatmulKernels* matmul;
  const ArrayPackedKernels* packed;
};

constexpr ArrayTables kScalarArrays = {&kScalarArrayPointwise, &kScalarArrayReduce, &kScalarArraySort,
                                       &kScalarArrayRandom, &kScalarArrayMatmul, &kScalarArrayPacked};

}  // namespace tern::cpu
