// SPDX-License-Identifier: Apache-2.0
// The float kernels on NEON, as every AArch64 has it. Everything but the table has internal linkage
// (docs/architecture.md).
#include <arm_neon.h>
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
#include "devices/cpu/isa/neon_vector.inl"
#include "devices/cpu/generic/kernels.inl"
// clang-format on

}  // namespace

constexpr FloatKernels kNeonFloats = float_kernels<V>();
static_assert(complete(kNeonFloats));

}  // namespace tern::cpu
