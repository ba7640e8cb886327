// SPDX-License-Identifier: Apache-2.0
// The pointwise kernels of arrays with nothing beyond the architecture's baseline.
#include <stdint.h>
#include <string.h>

#include "base/cache_size.h"
#include "devices/cpu/array_math.h"
#include "devices/cpu/isa/array_tables.h"

namespace tern::cpu {
namespace {

// No conversions but those that compilers find (f16c_halves.inl and avx2_ and avx512_truncation.inl have others).
struct Halves {
  static constexpr bool kByInstruction = false;
};
using Truncation = Halves;

// Each uses those above it.
// clang-format off
#include "devices/cpu/isa/scalar_vector.inl"
#include "devices/cpu/generic/array_pointwise_kernels.inl"
// clang-format on

}  // namespace

constexpr ArrayPointwiseKernels kScalarArrayPointwise = array_pointwise_kernels();
static_assert(complete(kScalarArrayPointwise));

}  // namespace tern::cpu
