// SPDX-License-Identifier: Apache-2.0
// The probe kernels without vector instructions: a multiplication and an addition at a time.
#include <stdint.h>

#include "device/kernels.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

#include "devices/cpu/generic/probe.inl"

struct Int8Peak {
  static constexpr int kSums = 8;
  static constexpr int64_t kProducts = kSums;

  static uint32_t run(int64_t steps) {
    uint32_t sums[kSums] = {}, u = 2, q = 3;
    for (int64_t step = 0; step < steps; ++step) {
      for (uint32_t& sum : sums) {
        asm volatile("" : "+r"(u));  // a value of its own for every product
        sum += u * q;
      }
    }
    uint32_t all = 0;
    for (const uint32_t sum : sums) all += sum;
    return all;
  }
};

}  // namespace

constexpr ProbeKernels kScalarProbe = probe_kernels<Int8Peak>();
static_assert(complete(kScalarProbe));

}  // namespace tern::cpu
