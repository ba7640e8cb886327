// SPDX-License-Identifier: Apache-2.0
// The probe kernels on NEON: smlal, as in neon_ternary.cpp.
#include <arm_neon.h>
#include <stdint.h>

#include "device/kernels.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

// Each uses those above it.
// clang-format off
#include "devices/cpu/generic/parallel.inl"
#include "devices/cpu/generic/probe.inl"
// clang-format on

struct Product {
  using Sum = int16x8_t;
  using Operand = int8x8_t;
  static constexpr int kSums = 16;
  static constexpr int64_t kProducts = 8;

  static Operand operand(int8_t value) { return vdup_n_s8(value); }
  static void keep(Operand& u) { asm volatile("" : "+w"(u)); }
  static void add(Sum& sum, Operand u, Operand q) { sum = vmlal_s8(sum, u, q); }
  static uint32_t some(const Sum& sum) { return static_cast<uint32_t>(vgetq_lane_s16(sum, 0)); }
};

}  // namespace

constexpr ProbeKernels kNeonProbe = probe_kernels<ProductChain<Product>>();
static_assert(complete(kNeonProbe));

}  // namespace tern::cpu
