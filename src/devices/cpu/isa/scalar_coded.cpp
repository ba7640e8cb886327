// SPDX-License-Identifier: Apache-2.0
// CodedTile without vector instructions.
#include <stdint.h>
#include <string.h>

#include "device/kernels.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

// Each uses those above it.
// clang-format off
#include "devices/cpu/isa/scalar_vector.inl"
#include "devices/cpu/generic/coded_kernels.inl"
// clang-format on

struct CodedTile {
  static constexpr int kScreenPlanes = 1;
  static constexpr int64_t kScreenRows = 4;
  static constexpr bool kUnpacks = false;

  template <int kBits, int kPlanes>
  static void dot(const uint8_t* codes, const int8_t* q, int64_t plane, V::I* sums) {
    for (int p = 0; p < kPlanes; ++p) sums[p] = V::set1_i(0);
    for (int64_t step = 0; step < kCodedSteps; ++step, codes += coded_step_bytes(kBits), q += 16) {
      for (int64_t lane = 0; lane < kCodedRows; ++lane) {
        uint8_t u[16];
        unpack<kBits>(codes + lane * 4, u);
        for (int p = 0; p < kPlanes; ++p) {
          for (int k = 0; k < 16; ++k) sums[p].v[lane] += u[k] * q[p * plane + k];
        }
      }
    }
  }

 private:
  template <int kBits>
  static void unpack(const uint8_t* lane, uint8_t* u) {
    for (int s = 0; s < 4; ++s) {
      uint8_t words[4] = {};
      for (int64_t v = 0; v < coded_words(kBits); ++v) words[v] = lane[v * 64 + s];
      if constexpr (kBits == 8) {
        for (int v = 0; v < 4; ++v) u[4 * v + s] = words[v];
      } else if constexpr (kBits == 6) {
        for (int v = 0; v < 3; ++v) u[4 * v + s] = words[v] & 0x3f;
        u[12 + s] = static_cast<uint8_t>(words[0] >> 6 | words[1] >> 6 << 2 | words[2] >> 6 << 4);
      } else {
        for (int v = 0; v < 4; ++v) u[4 * v + s] = (words[v / 2] >> (v % 2 * 4)) & 15;
      }
    }
  }
};

}  // namespace

constexpr CodedKernels kScalarCoded = coded_kernels<V, CodedTile>();
static_assert(complete(kScalarCoded));

}  // namespace tern::cpu
