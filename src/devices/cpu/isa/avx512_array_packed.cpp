// SPDX-License-Identifier: Apache-2.0
// The kernels of packed tensors on AVX-512 F, BW, VL, DQ and VNNI.
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

constexpr ArrayPackedKernels kAvx512ArrayPacked = array_packed_kernels();
static_assert(complete(kAvx512ArrayPacked));

}  // namespace tern::cpu
