// SPDX-License-Identifier: Apache-2.0
// The random numbers of arrays on AVX-512 F, BW, VL, DQ and VNNI.
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

constexpr ArrayRandomKernels kAvx512ArrayRandom = array_random_kernels();
static_assert(complete(kAvx512ArrayRandom));

}  // namespace tern::cpu
