// SPDX-License-Identifier: Apache-2.0
// The kernels of the CPU device, by instruction set; each object is the only symbol its object file defines.
// Those of arrays are in array_tables.h.
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

extern const FloatKernels kScalarFloats;  // nothing beyond the architecture's baseline
extern const CodedKernels kScalarCoded;
extern const TernaryKernels kScalarTernary;

// x86-64
extern const FloatKernels kSse41Floats;  // SSE4.1, SSSE3
extern const CodedKernels kSse41Coded;
extern const TernaryKernels kSse41Ternary;
extern const FloatKernels kAvx2Floats;  // AVX2, FMA, F16C, BMI2
extern const CodedKernels kAvx2Coded;
extern const TernaryKernels kAvx2Ternary;
extern const CodedKernels kAvxVnniCoded;  // AVX2, FMA, F16C, AVX-VNNI
extern const TernaryKernels kAvxVnniTernary;
extern const FloatKernels kAvx512Floats;  // AVX-512 F, BW, VL, DQ, VNNI
extern const CodedKernels kAvx512Coded;
extern const TernaryKernels kAvx512Ternary;
extern const TernaryKernels kAmxTernary;  // the same and AMX-TILE, AMX-INT8

// AArch64
extern const FloatKernels kNeonFloats;  // nothing beyond the baseline
extern const CodedKernels kNeonCoded;
extern const TernaryKernels kNeonTernary;
extern const CodedKernels kNeonDotCoded;  // dot products (ASIMDDP)
extern const TernaryKernels kNeonDotTernary;

// Each on the instructions of its ternary products.
extern const ProbeKernels kScalarProbe, kSse41Probe, kAvx2Probe, kAvxVnniProbe, kAvx512Probe, kAmxProbe;
extern const ProbeKernels kNeonProbe, kNeonDotProbe;

}  // namespace tern::cpu
