// SPDX-License-Identifier: Apache-2.0
// The pointwise kernels of arrays with nothing beyond the architecture's baseline.
#include <stdint.h>
#include <string.h>

#include "devices/cpu/array_math.h"
#include "devices/cpu/isa/array_tables.h"

namespace tern::cpu {
namespace {

// No instructions for f16 (f16c_halves.inl has them).
struct Halves {
  static constexpr bool kByInstruction = false;
};

// a·b + c, rounded once, is an instruction of AArch64's baseline.
struct Fusion {
#ifdef __aarch64__
  static constexpr bool kByInstruction = true;
#else
  static constexpr bool kByInstruction = false;
#endif
};

// Each uses those above it.
// clang-format off
#include "devices/cpu/isa/scalar_vector.inl"
#include "devices/cpu/generic/array_pointwise_kernels.inl"
// clang-format on

}  // namespace

constexpr ArrayPointwiseKernels kScalarArrayPointwise = array_pointwise_kernels();
static_assert(complete(kScalarArrayPointwise));

}  // namespace tern::cpu
