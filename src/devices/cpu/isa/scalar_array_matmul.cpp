// SPDX-License-Identifier: Apache-2.0
// The products of arrays with nothing beyond the architecture's baseline.
#include <stdint.h>
#include <string.h>

#include "device/array_kernels.h"
#include "base/cache_size.h"
#include "devices/cpu/isa/array_tables.h"

namespace tern::cpu {
namespace {

#include "devices/cpu/generic/array_matmul_kernels.inl"

}  // namespace

constexpr ArrayMatmulKernels kScalarArrayMatmul = array_matmul_kernels();
static_assert(complete(kScalarArrayMatmul));

}  // namespace tern::cpu
