// SPDX-License-Identifier: Apache-2.0
// Everything that the coded kernels of an instruction set stand on, above its vector policy V and CodedTile.

// Each uses those above it.
// clang-format off
#include "devices/cpu/generic/parallel.inl"
#include "devices/cpu/generic/lanes.inl"
#include "devices/cpu/generic/weights.inl"
#include "devices/cpu/generic/quantize.inl"
#include "devices/cpu/generic/coded_layout.inl"
#include "devices/cpu/generic/coded_rows.inl"
#include "devices/cpu/generic/coded_linear.inl"
// clang-format on
