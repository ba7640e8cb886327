// SPDX-License-Identifier: Apache-2.0
// The kernels of the CPU device, by instruction set; each object is the only symbol its object file defines.
#pragma once

#include "device/kernels.h"

namespace tern::cpu {

// The families that compute in f32.
struct FloatKernels : PointwiseKernels, RowKernels, MatmulKernels, AttentionKernels {};

constexpr bool complete(const FloatKernels& t) {
  return tern::complete(static_cast<const PointwiseKernels&>(t)) && tern::complete(static_cast<const RowKernels&>(t)) &&
         tern::complete(static_cast<const MatmulKernels&>(t)) &&
         tern::complete(static_cast<const AttentionKernels&>(t));
}

extern const FloatKernels kScalarFloats;  // baseline x86-64
extern const FloatKernels kAvx2Floats;    // AVX2, FMA, F16C, BMI2
extern const FloatKernels kAvx512Floats;  // AVX-512 F, BW, VL, DQ

extern const CodedKernels kScalarCoded;  // baseline x86-64
extern const CodedKernels kAvx2Coded;    // AVX2, FMA, F16C
extern const CodedKernels kAvx512Coded;  // AVX-512 F, BW, VL, DQ, VNNI

extern const TernaryKernels kScalarTernary;  // baseline x86-64
extern const TernaryKernels kAvx2Ternary;    // AVX2
extern const TernaryKernels kAvx512Ternary;  // AVX-512 F, BW, VL, DQ, VNNI
extern const TernaryKernels kAmxTernary;     // the same and AMX-TILE, AMX-INT8

}  // namespace tern::cpu
