// SPDX-License-Identifier: Apache-2.0
// The probe kernels on AVX2: vpmaddubsw and an int16 addition, as in avx2_ternary.cpp.
#include <immintrin.h>
#include <stdint.h>

#include "device/kernels.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

#include "devices/cpu/generic/probe.inl"

struct Int8Peak {
  typedef uint16_t Words __attribute__((vector_size(32)));
  static constexpr int kSums = 8;
  static constexpr int64_t kProducts = kSums * 32;

  static uint32_t run(int64_t steps) {
    Words sums[kSums] = {};
    __m256i u = _mm256_set1_epi8(2);
    const __m256i q = _mm256_set1_epi8(3);
    for (int64_t step = 0; step < steps; ++step) {
      for (Words& sum : sums) {
        asm volatile("" : "+x"(u));  // a value of its own for every product
        sum += reinterpret_cast<Words>(_mm256_maddubs_epi16(u, q));
      }
    }
    Words all = {};
    for (const Words& sum : sums) all += sum;
    return all[0];
  }
};

}  // namespace

constexpr ProbeKernels kAvx2Probe = probe_kernels<Int8Peak>();
static_assert(complete(kAvx2Probe));

}  // namespace tern::cpu
