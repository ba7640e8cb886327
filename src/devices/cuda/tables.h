// SPDX-License-Identifier: Apache-2.0
// The families of the CUDA device's kernel table, each from a file of its own.
#pragma once

#include "device/array_kernels.h"
#include "device/kernels.h"
#include "device/linalg_kernels.h"
#include "device/mixed_kernels.h"

namespace tern::cuda {

extern const PointwiseKernels kPointwise;
extern const RowKernels kRows;
extern const MatmulKernels kMatmul;
extern const CodedKernels kCoded;
extern const TernaryKernels kTernary;
extern const AttentionKernels kAttention;
extern const ScoreKernels kScores;
extern const ProbeKernels kProbe;
extern const MixedKernels kMixed;
extern const ArrayKernels kArrays;
extern const LinalgKernels kLinalg;

}  // namespace tern::cuda
