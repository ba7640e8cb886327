// SPDX-License-Identifier: Apache-2.0
// Products with coded weights on AVX-VNNI: vpdpbusd on 256 bits.
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "device/kernels.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

// Each uses those above it.
// clang-format off
#include "devices/cpu/isa/avx2_vector.inl"
#include "devices/cpu/generic/coded_kernels.inl"
#include "devices/cpu/generic/dot_vectors.inl"
#include "devices/cpu/generic/coded_dot_tile.inl"
#include "devices/cpu/isa/avxvnni_dot.inl"
// clang-format on

}  // namespace

constexpr CodedKernels kAvxVnniCoded = coded_kernels<V, CodedDotTile<V, AvxVnniDot>>();
static_assert(complete(kAvxVnniCoded));

}  // namespace tern::cpu
