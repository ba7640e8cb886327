// SPDX-License-Identifier: Apache-2.0
// The reductions of arrays with nothing beyond the architecture's baseline.
#include <stdint.h>
#include <string.h>

#include "base/cache_size.h"
#include "devices/cpu/isa/array_tables.h"

namespace tern::cpu {
namespace {

// clang-format off
#include "devices/cpu/generic/nan_marks.inl"
#include "devices/cpu/generic/array_reduce_kernels.inl"
// clang-format on

}  // namespace

constexpr ArrayReduceKernels kScalarArrayReduce = array_reduce_kernels();
static_assert(complete(kScalarArrayReduce));

}  // namespace tern::cpu
