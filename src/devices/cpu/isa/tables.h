// SPDX-License-Identifier: Apache-2.0
// The kernel tables of the CPU device, one per instruction set; each is the only symbol its object file defines.
#pragma once

#include "device/kernels.h"

namespace tern::cpu {

extern const Kernels kScalarKernels;  // baseline x86-64
extern const Kernels kAvx2Kernels;    // AVX2, FMA, F16C, BMI2
extern const Kernels kAvx512Kernels;  // AVX-512 F, BW, VL, DQ, VNNI

}  // namespace tern::cpu
