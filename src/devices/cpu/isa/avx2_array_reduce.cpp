// SPDX-License-Identifier: Apache-2.0
// The reductions of arrays on AVX2, FMA, F16C and BMI2.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "base/cache_size.h"
#include "devices/cpu/isa/array_tables.h"

namespace tern::cpu {
namespace {

// clang-format off
#include "devices/cpu/isa/avx2_nan_marks.inl"
#include "devices/cpu/generic/array_reduce_kernels.inl"
// clang-format on

}  // namespace

constexpr ArrayReduceKernels kAvx2ArrayReduce = array_reduce_kernels();
static_assert(complete(kAvx2ArrayReduce));

}  // namespace tern::cpu
