// SPDX-License-Identifier: Apache-2.0
// The reductions of arrays, which compilers vectorize for the instruction set that includes this.

// Each uses those above it.
// clang-format off
#include "devices/cpu/generic/parallel.inl"
#include "devices/cpu/generic/array_types.inl"
#include "devices/cpu/generic/array_limits.inl"
#include "devices/cpu/generic/ahead.inl"
#include "devices/cpu/generic/array_lanes.inl"
#include "devices/cpu/generic/array_reduce_ops.inl"
#include "devices/cpu/generic/array_reduce.inl"
#include "devices/cpu/generic/array_scan.inl"
// clang-format on

constexpr ArrayReduceKernels array_reduce_kernels() {
  ArrayReduceKernels t = {};
  t.reduce = array_reduce;
  t.scan = array_scan;
  return t;
}
