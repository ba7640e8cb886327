// SPDX-License-Identifier: Apache-2.0
// The pointwise kernels of arrays on AVX-512 F, BW, VL, DQ and VNNI.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12 on its own intrinsics (its bug 105593)
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "base/cache_size.h"
#include "devices/cpu/array_math.h"
#include "devices/cpu/isa/array_tables.h"

namespace tern::cpu {
namespace {

struct Fusion {  // of a·b + c
  static constexpr bool kByInstruction = true;
};

// Each uses those above it.
// clang-format off
#include "devices/cpu/isa/avx512_halves.inl"
#include "devices/cpu/isa/avx512_truncation.inl"
#include "devices/cpu/isa/avx512_vector.inl"
#include "devices/cpu/generic/array_pointwise_kernels.inl"
// clang-format on

}  // namespace

constexpr ArrayPointwiseKernels kAvx512ArrayPointwise = array_pointwise_kernels();
static_assert(complete(kAvx512ArrayPointwise));

}  // namespace tern::cpu
