// SPDX-License-Identifier: Apache-2.0
// The probe kernels on AVX2: vpmaddubsw and an int16 addition, as in avx2_ternary.cpp.
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
  typedef uint16_t Sum __attribute__((vector_size(32)));
  using Operand = __m256i;
  static constexpr int kSums = 8;
  static constexpr int64_t kProducts = 32;

  static Operand operand(int8_t value) { return _mm256_set1_epi8(value); }
  static void keep(Operand& u) { asm volatile("" : "+x"(u)); }
  static void add(Sum& sum, Operand u, Operand q) {
    sum += reinterpret_cast<Sum>(_mm256_maddubs_epi16(u, q));
  }
  static uint32_t some(const Sum& sum) { return sum[0]; }
};

}  // namespace

constexpr ProbeKernels kAvx2Probe = probe_kernels<ProductChain<Product>>();
static_assert(complete(kAvx2Probe));

}  // namespace tern::cpu
