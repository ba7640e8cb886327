// SPDX-License-Identifier: Apache-2.0
// Sorting with nothing beyond the architecture's baseline: by digits, for sets that have nothing better.
#include <stdint.h>
#include <string.h>

#include "devices/cpu/isa/array_tables.h"

namespace tern::cpu {
namespace {

#include "devices/cpu/generic/array_sort_kernels.inl"

}  // namespace

constexpr ArraySortKernels kScalarArraySort = {.sort_rows = array_sort_rows<NoVectorSort>};
static_assert(complete(kScalarArraySort));

}  // namespace tern::cpu
