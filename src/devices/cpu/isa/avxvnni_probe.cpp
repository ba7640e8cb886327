// SPDX-License-Identifier: Apache-2.0
// The probe kernels on AVX-VNNI: vpdpbusd on 256 bits, as in avxvnni_ternary.cpp.
#include <immintrin.h>
#include <stdint.h>

#include "device/kernels.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

#include "devices/cpu/generic/probe.inl"

struct Int8Peak {
  typedef uint32_t Sums __attribute__((vector_size(32)));
  static constexpr int kSums = 10;
  static constexpr int64_t kProducts = kSums * 32;

  static uint32_t run(int64_t steps) {
    Sums sums[kSums] = {};
    __m256i u = _mm256_set1_epi8(2);
    const __m256i q = _mm256_set1_epi8(3);
    for (int64_t step = 0; step < steps; ++step) {
      for (Sums& sum : sums) {
        asm volatile("" : "+x"(u));  // a value of its own for every product
        sum = reinterpret_cast<Sums>(_mm256_dpbusd_avx_epi32(reinterpret_cast<__m256i>(sum), u, q));
      }
    }
    Sums all = {};
    for (const Sums& sum : sums) all += sum;
    return static_cast<uint32_t>(all[0]);
  }
};

}  // namespace

constexpr ProbeKernels kAvxVnniProbe = probe_kernels<Int8Peak>();
static_assert(complete(kAvxVnniProbe));

}  // namespace tern::cpu
