// SPDX-License-Identifier: Apache-2.0
// Ternary products on NEON with dot products: sdot.
#include <arm_neon.h>
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
#include "devices/cpu/generic/dot_vectors.inl"
#include "devices/cpu/generic/ternary_dot_tile.inl"
#include "devices/cpu/isa/neon_dot.inl"
// clang-format on

}  // namespace

constexpr TernaryKernels kNeonDotTernary = ternary_kernels<TernaryDotTile<NeonDot>>();
static_assert(complete(kNeonDotTernary));

}  // namespace tern::cpu
