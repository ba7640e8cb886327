// SPDX-License-Identifier: Apache-2.0
// The products of arrays, which compilers vectorize for the instruction set that includes this.

// Each uses those above it.
// clang-format off
#include "devices/cpu/generic/parallel.inl"
#include "devices/cpu/generic/array_types.inl"
#include "devices/cpu/generic/ahead.inl"
#include "devices/cpu/generic/array_lanes.inl"
#include "devices/cpu/generic/array_matmul.inl"
// clang-format on

constexpr ArrayMatmulKernels array_matmul_kernels() {
  ArrayMatmulKernels t = {};
  t.array_matmul = array_matmul;
  return t;
}
