// SPDX-License-Identifier: Apache-2.0
// What sorting is made of, for the instruction set that includes this.

// Each uses those above it.
// clang-format off
#include "devices/cpu/generic/parallel.inl"
#include "devices/cpu/generic/array_types.inl"
#include "devices/cpu/generic/sort_keys.inl"
#include "devices/cpu/generic/radix_sort.inl"
#include "devices/cpu/generic/digit_rows.inl"
#include "devices/cpu/generic/array_sort.inl"
// clang-format on
