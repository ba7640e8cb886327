// SPDX-License-Identifier: Apache-2.0
// The random numbers of arrays, which compilers vectorize for the instruction set that includes this.

// Each uses those above it.
// clang-format off
#include "devices/cpu/generic/parallel.inl"
#include "devices/cpu/generic/array_types.inl"
#include "devices/cpu/generic/array_random.inl"
// clang-format on

constexpr ArrayRandomKernels array_random_kernels() {
  ArrayRandomKernels t = {};
  t.random = random;
  t.random_integers = random_integers;
  t.random_chance = random_chance;
  return t;
}
