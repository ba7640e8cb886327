// SPDX-License-Identifier: Apache-2.0
// Sorting on AVX2.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "devices/cpu/isa/array_tables.h"

namespace tern::cpu {
namespace {

// Each uses those above it.
// clang-format off
#include "devices/cpu/generic/array_sort_kernels.inl"
#include "devices/cpu/isa/avx2_key_lanes.inl"
#include "devices/cpu/generic/vector_networks.inl"
#include "devices/cpu/generic/quick_sort.inl"
#include "devices/cpu/generic/vector_rows.inl"
// clang-format on

}  // namespace

constexpr ArraySortKernels kAvx2ArraySort = {.sort_rows = array_sort_rows<VectorSort>};
static_assert(complete(kAvx2ArraySort));

}  // namespace tern::cpu
