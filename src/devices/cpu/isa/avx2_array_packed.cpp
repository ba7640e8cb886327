// SPDX-License-Identifier: Apache-2.0
// The kernels of packed tensors on AVX2, FMA, F16C and BMI2.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "devices/cpu/isa/array_tables.h"

namespace tern::cpu {
namespace {

// Each uses those above it.
// clang-format off
#include "devices/cpu/isa/bmi2_fields.inl"
#include "devices/cpu/generic/array_packed_kernels.inl"
// clang-format on

}  // namespace

constexpr ArrayPackedKernels kAvx2ArrayPacked = array_packed_kernels();
static_assert(complete(kAvx2ArrayPacked));

}  // namespace tern::cpu
