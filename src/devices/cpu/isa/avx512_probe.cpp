// SPDX-License-Identifier: Apache-2.0
// The probe kernels on AVX-512 VNNI: vpdpbusd, as in avx512_ternary.cpp.
#include <immintrin.h>
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
  typedef int32_t Sum __attribute__((vector_size(64)));
  using Operand = __m512i;
  static constexpr int kSums = 12;
  static constexpr int64_t kProducts = 64;

  static Operand operand(int8_t value) { return _mm512_set1_epi8(value); }
  static void keep(Operand& u) { asm volatile("" : "+v"(u)); }
  static void add(Sum& sum, Operand u, Operand q) {
    sum = reinterpret_cast<Sum>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum), u, q));
  }
  static uint32_t some(const Sum& sum) { return static_cast<uint32_t>(sum[0]); }
};

}  // namespace

constexpr ProbeKernels kAvx512Probe = probe_kernels<ProductChain<Product>>();
static_assert(complete(kAvx512Probe));

}  // namespace tern::cpu
