// SPDX-License-Identifier: Apache-2.0
// The probe kernels without vector instructions: a multiplication and an addition at a time, as in scalar_ternary.cpp.
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
  using Sum = uint32_t;
  using Operand = uint32_t;
  static constexpr int kSums = 8;
  static constexpr int64_t kProducts = 1;

  static Operand operand(int8_t value) { return static_cast<Operand>(value); }
  static void keep(Operand& u) { asm volatile("" : "+r"(u)); }
  static void add(Sum& sum, Operand u, Operand q) { sum += u * q; }
  static uint32_t some(Sum sum) { return sum; }
};

}  // namespace

constexpr ProbeKernels kScalarProbe = probe_kernels<ProductChain<Product>>();
static_assert(complete(kScalarProbe));

}  // namespace tern::cpu
