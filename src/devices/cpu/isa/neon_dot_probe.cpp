// SPDX-License-Identifier: Apache-2.0
// The probe kernels on NEON: sdot, as in neon_dot_ternary.cpp.
#include <arm_neon.h>
#include <stdint.h>

#include "device/kernels.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

#include "devices/cpu/generic/probe.inl"

struct Int8Peak {
  typedef uint32_t Sums __attribute__((vector_size(16)));
  static constexpr int kSums = 16;
  static constexpr int64_t kProducts = kSums * 16;

  static uint32_t run(int64_t steps) {
    Sums sums[kSums] = {};
    int8x16_t u = vdupq_n_s8(2);
    const int8x16_t q = vdupq_n_s8(3);
    for (int64_t step = 0; step < steps; ++step) {
      for (Sums& sum : sums) {
        asm volatile("" : "+w"(u));  // a value of its own for every product
        sum = reinterpret_cast<Sums>(vdotq_s32(reinterpret_cast<int32x4_t>(sum), u, q));
      }
    }
    Sums all = {};
    for (const Sums& sum : sums) all += sum;
    return static_cast<uint32_t>(all[0]);
  }
};

}  // namespace

constexpr ProbeKernels kNeonDotProbe = probe_kernels<Int8Peak>();
static_assert(complete(kNeonDotProbe));

}  // namespace tern::cpu
