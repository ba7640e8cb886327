// SPDX-License-Identifier: Apache-2.0
// Ternary products on AVX-512 VNNI.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include <type_traits>

#include "device/kernels.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

// Each uses those above it.
// clang-format off
#include "devices/cpu/generic/parallel.inl"
#include "devices/cpu/generic/ternary_layout.inl"
#include "devices/cpu/generic/ternary_matmul.inl"
#include "devices/cpu/isa/avx512_ternary.inl"
// clang-format on

}  // namespace

constexpr TernaryKernels kAvx512Ternary = ternary_kernels<Avx512Tile>();
static_assert(complete(kAvx512Ternary));

}  // namespace tern::cpu
