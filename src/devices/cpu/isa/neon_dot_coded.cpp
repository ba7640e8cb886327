// SPDX-License-Identifier: Apache-2.0
// Products with coded weights on NEON with dot products: sdot.
#include <arm_neon.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "device/kernels.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

// Each uses those above it.
// clang-format off
#include "devices/cpu/isa/neon_vector.inl"
#include "devices/cpu/generic/coded_kernels.inl"
#include "devices/cpu/generic/dot_vectors.inl"
#include "devices/cpu/generic/coded_dot_tile.inl"
#include "devices/cpu/isa/neon_dot.inl"
// clang-format on

}  // namespace

constexpr CodedKernels kNeonDotCoded = coded_kernels<V, CodedDotTile<V, NeonDot>>();
static_assert(complete(kNeonDotCoded));

}  // namespace tern::cpu
