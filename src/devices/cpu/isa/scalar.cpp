// SPDX-License-Identifier: Apache-2.0
// The float kernels on baseline x86-64, no intrinsics. Everything but the table has internal linkage (docs/architecture.md).
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
#include "devices/cpu/isa/scalar_vector.inl"
#include "devices/cpu/generic/kernels.inl"
// clang-format on

}  // namespace

constexpr FloatKernels kScalarFloats = float_kernels<V>();
static_assert(complete(kScalarFloats));

}  // namespace tern::cpu
