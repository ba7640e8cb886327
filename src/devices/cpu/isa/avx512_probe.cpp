// SPDX-License-Identifier: Apache-2.0
// The probe kernels on AVX-512 VNNI: vpdpbusd.
#include <immintrin.h>
#include <stdint.h>

#include "device/kernels.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

#include "devices/cpu/generic/probe.inl"

struct Int8Peak {
  typedef int32_t Int32 __attribute__((vector_size(64)));
  static constexpr int kSums = 12;
  static constexpr int64_t kProducts = kSums * 64;

  static uint32_t run(int64_t steps) {
    Int32 sums[kSums] = {};
    __m512i u = _mm512_set1_epi8(2);
    const __m512i q = _mm512_set1_epi8(3);
    for (int64_t step = 0; step < steps; ++step) {
      for (Int32& sum : sums) {
        asm volatile("" : "+v"(u));  // a value of its own for every product
        sum = reinterpret_cast<Int32>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum), u, q));
      }
    }
    uint32_t all = 0;
    for (const Int32& sum : sums) all += static_cast<uint32_t>(sum[0]);
    return all;
  }
};

}  // namespace

constexpr ProbeKernels kAvx512Probe = probe_kernels<Int8Peak>();
static_assert(complete(kAvx512Probe));

}  // namespace tern::cpu
