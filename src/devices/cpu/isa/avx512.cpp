// SPDX-License-Identifier: Apache-2.0
// The float kernels on AVX-512 with VNNI. Everything but the table has internal linkage (docs/architecture.md).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12 on its own intrinsics (its bug 105593)
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
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
#include "devices/cpu/isa/avx512_vector.inl"
#include "devices/cpu/generic/kernels.inl"
// clang-format on

}  // namespace

constexpr FloatKernels kAvx512Floats = float_kernels<V>();
static_assert(complete(kAvx512Floats));

}  // namespace tern::cpu
