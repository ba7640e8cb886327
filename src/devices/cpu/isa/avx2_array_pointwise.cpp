// SPDX-License-Identifier: Apache-2.0
// The pointwise kernels of arrays on AVX2, FMA, F16C and BMI2.
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
#include "devices/cpu/isa/f16c_halves.inl"
#include "devices/cpu/isa/avx2_truncation.inl"
#include "devices/cpu/isa/avx2_vector.inl"
#include "devices/cpu/generic/array_pointwise_kernels.inl"
// clang-format on

}  // namespace

constexpr ArrayPointwiseKernels kAvx2ArrayPointwise = array_pointwise_kernels();
static_assert(complete(kAvx2ArrayPointwise));

}  // namespace tern::cpu
