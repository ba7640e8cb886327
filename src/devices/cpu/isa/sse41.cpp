// SPDX-License-Identifier: Apache-2.0
// The float kernels on SSE4.1. Everything but the table has internal linkage (docs/architecture.md).
#include <math.h>
#include <smmintrin.h>
#include <stdint.h>
#include <string.h>

#include "base/cache_size.h"
#include "device/kernels.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

// Each uses those above it.
// clang-format off
#include "devices/cpu/isa/sse41_vector.inl"
#include "devices/cpu/generic/kernels.inl"
// clang-format on

}  // namespace

constexpr FloatKernels kSse41Floats = float_kernels<V>();
static_assert(complete(kSse41Floats));

}  // namespace tern::cpu
