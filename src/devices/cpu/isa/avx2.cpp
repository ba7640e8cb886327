// SPDX-License-Identifier: Apache-2.0
// The float kernels on AVX2, FMA, F16C and BMI2. Everything but the table has internal linkage (docs/architecture.md).
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/cache_size.h"
#include "device/kernels.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

// Each uses those above it.
// clang-format off
#include "devices/cpu/isa/avx2_vector.inl"
#include "devices/cpu/generic/kernels.inl"
// clang-format on

}  // namespace

constexpr FloatKernels kAvx2Floats = float_kernels<V>();
static_assert(complete(kAvx2Floats));

}  // namespace tern::cpu
