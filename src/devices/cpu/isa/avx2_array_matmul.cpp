// SPDX-License-Identifier: Apache-2.0
// The products of arrays on AVX2, FMA, F16C and BMI2.
#include <stdint.h>
#include <string.h>

#include "device/array_kernels.h"
#include "base/cache_size.h"
#include "devices/cpu/isa/array_tables.h"

namespace tern::cpu {
namespace {

#include "devices/cpu/generic/array_matmul_kernels.inl"

}  // namespace

constexpr ArrayMatmulKernels kAvx2ArrayMatmul = array_matmul_kernels();
static_assert(complete(kAvx2ArrayMatmul));

}  // namespace tern::cpu
