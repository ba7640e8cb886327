// SPDX-License-Identifier: Apache-2.0
// The random numbers of arrays with nothing beyond the architecture's baseline.
#include <stdint.h>
#include <string.h>

#include "base/philox.h"
#include "base/random_numbers.h"
#include "device/array_kernels.h"
#include "devices/cpu/isa/array_tables.h"

namespace tern::cpu {
namespace {

#include "devices/cpu/generic/array_random_kernels.inl"

}  // namespace

constexpr ArrayRandomKernels kScalarArrayRandom = array_random_kernels();
static_assert(complete(kScalarArrayRandom));

}  // namespace tern::cpu
