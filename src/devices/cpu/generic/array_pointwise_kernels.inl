// SPDX-License-Identifier: Apache-2.0
// The pointwise kernels of arrays, which compilers vectorize for the instruction set that includes this.

// Each uses those above it.
// clang-format off
#include "devices/cpu/generic/parallel.inl"
#include "devices/cpu/generic/ahead.inl"
#include "devices/cpu/generic/lanes.inl"
#include "devices/cpu/generic/runs.inl"
#include "devices/cpu/generic/array_types.inl"
#include "devices/cpu/generic/array_limits.inl"
#include "devices/cpu/generic/array_elements.inl"
#include "devices/cpu/generic/array_convert.inl"
#include "devices/cpu/generic/array_blocks.inl"
#include "devices/cpu/generic/array_fused.inl"
#include "devices/cpu/generic/array_vector_math.inl"
#include "devices/cpu/generic/several.inl"
#include "devices/cpu/generic/power.inl"
#include "devices/cpu/generic/array_function_runs.inl"
#include "devices/cpu/generic/array_unary.inl"
#include "devices/cpu/generic/array_binary.inl"
// clang-format on

constexpr ArrayPointwiseKernels array_pointwise_kernels() {
  ArrayPointwiseKernels t = {};
  t.copy = array_copy;
  t.saturate = array_saturate;
  t.array_unary = array_unary;
  t.array_binary = array_binary;
  t.array_select = array_select;
  return t;
}
