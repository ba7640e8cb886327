// SPDX-License-Identifier: Apache-2.0
// The probe kernels on NEON with dot products: sdot, as in neon_dot_ternary.cpp.
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
  typedef int32_t Sum __attribute__((vector_size(16)));
  using Operand = int8x16_t;
  static constexpr int kSums = 16;
  static constexpr int64_t kProducts = 16;

  static Operand operand(int8_t value) { return vdupq_n_s8(value); }
  static void keep(Operand& u) { asm volatile("" : "+w"(u)); }
  static void add(Sum& sum, Operand u, Operand q) {
    sum = reinterpret_cast<Sum>(vdotq_s32(reinterpret_cast<int32x4_t>(sum), u, q));
  }
  static uint32_t some(const Sum& sum) { return static_cast<uint32_t>(sum[0]); }
};

}  // namespace

constexpr ProbeKernels kNeonDotProbe = probe_kernels<ProductChain<Product>>();
static_assert(complete(kNeonDotProbe));

}  // namespace tern::cpu
