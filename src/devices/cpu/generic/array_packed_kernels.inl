// SPDX-License-Identifier: Apache-2.0
// The kernels of packed tensors, which compilers vectorize for the instruction set that includes this. It has Fields
// (packed_fields.inl) and what array_elements.inl needs.

// Each uses those above it.
// clang-format off
#include "devices/cpu/generic/parallel.inl"
#include "devices/cpu/generic/runs.inl"
#include "devices/cpu/generic/array_types.inl"
#include "devices/cpu/generic/array_limits.inl"
#include "devices/cpu/generic/array_elements.inl"
#include "devices/cpu/generic/packed_codes.inl"
#include "devices/cpu/generic/packed_values.inl"
#include "devices/cpu/generic/array_packed.inl"
// clang-format on

constexpr ArrayPackedKernels array_packed_kernels() {
  ArrayPackedKernels t = {};
  t.pack = array_pack;
  t.unpack = array_unpack;
  t.repack = array_repack;
  return t;
}
