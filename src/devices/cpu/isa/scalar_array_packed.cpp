// SPDX-License-Identifier: Apache-2.0
// The kernels of packed tensors with nothing beyond the architecture's baseline.
#include <stdint.h>
#include <string.h>

#include "devices/cpu/isa/array_tables.h"

namespace tern::cpu {
namespace {

// Each uses those above it.
// clang-format off
#include "devices/cpu/generic/packed_fields.inl"
#include "devices/cpu/generic/array_packed_kernels.inl"
// clang-format on

}  // namespace

constexpr ArrayPackedKernels kScalarArrayPacked = array_packed_kernels();
static_assert(complete(kScalarArrayPacked));

}  // namespace tern::cpu
