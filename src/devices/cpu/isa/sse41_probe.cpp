// SPDX-License-Identifier: Apache-2.0
// The probe kernels on SSSE3: pmaddubsw and an int16 addition, as in sse41_ternary.cpp.
#include <tmmintrin.h>
#include <stdint.h>

#include "device/kernels.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

#include "devices/cpu/generic/probe.inl"

struct Int8Peak {
  typedef uint16_t Sums __attribute__((vector_size(16)));
  static constexpr int kSums = 8;
  static constexpr int64_t kProducts = kSums * 16;

  static uint32_t run(int64_t steps) {
    Sums sums[kSums] = {};
    __m128i u = _mm_set1_epi8(2);
    const __m128i q = _mm_set1_epi8(3);
    for (int64_t step = 0; step < steps; ++step) {
      for (Sums& sum : sums) {
        asm volatile("" : "+x"(u));  // a value of its own for every product
        sum += reinterpret_cast<Sums>(_mm_maddubs_epi16(u, q));
      }
    }
    Sums all = {};
    for (const Sums& sum : sums) all += sum;
    return static_cast<uint32_t>(all[0]);
  }
};

}  // namespace

constexpr ProbeKernels kSse41Probe = probe_kernels<Int8Peak>();
static_assert(complete(kSse41Probe));

}  // namespace tern::cpu
