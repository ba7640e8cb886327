// SPDX-License-Identifier: Apache-2.0
// The probe kernels on NEON: smlal, as in neon_ternary.cpp.
#include <arm_neon.h>
#include <stdint.h>

#include "device/kernels.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

#include "devices/cpu/generic/probe.inl"

struct Int8Peak {
  static constexpr int kSums = 16;
  static constexpr int64_t kProducts = kSums * 8;

  static uint32_t run(int64_t steps) {
    int16x8_t sums[kSums] = {};
    int8x8_t u = vdup_n_s8(2);
    const int8x8_t q = vdup_n_s8(3);
    for (int64_t step = 0; step < steps; ++step) {
      for (int16x8_t& sum : sums) {
        asm volatile("" : "+w"(u));  // a value of its own for every product
        sum = vmlal_s8(sum, u, q);
      }
    }
    int16x8_t all = vdupq_n_s16(0);
    for (const int16x8_t& sum : sums) all = vaddq_s16(all, sum);
    return static_cast<uint32_t>(vgetq_lane_s16(all, 0));
  }
};

}  // namespace

constexpr ProbeKernels kNeonProbe = probe_kernels<Int8Peak>();
static_assert(complete(kNeonProbe));

}  // namespace tern::cpu
