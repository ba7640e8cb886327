// SPDX-License-Identifier: Apache-2.0
// Elements of any dtype that are hard to convert and to compute with, and one run of an array kernel.
#pragma once

#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "device/array_kernels.h"
#include "support/cpus.h"
#include "support/exact_number.h"

namespace tern::testing {

// Zeros, infinities, NaN, the ends of ranges, and what lies half way between neighbours of f16, bf16 and f32, or beside
// it by as little as a double or a 64-bit integer can.
inline std::vector<Real> awkward_reals(uint32_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Real> reals = {
      0.0L, -0.0L, 1,     -1,    0.5L,   -1.5L,     2.5L,       255,
      256,  65504, 65519, 65520, -65536, HUGE_VALL, -HUGE_VALL, std::numeric_limits<Real>::quiet_NaN()};
  for (const int power : {7, 8, 15, 16, 31, 32, 63, 64, 127, 128}) {
    const Real end = std::ldexp(1.0L, power);
    for (const Real x : {end - 1, end, end + 1, end / 2}) reals.insert(reals.end(), {x, -x});
  }
  for (int round = 0; round < 600; ++round) {
    for (const int kept : {8, 11, 24, 53}) {  // bits of a significand; one more is half way to the next
      const Real half = static_cast<Real>(2 * (random() % (uint64_t{1} << kept)) + 1);
      const Real scaled = std::ldexp(half, static_cast<int>(random() % 40) - (random() % 3 == 0 ? 150 : 20));
      const int last = std::ilogb(scaled) - (random() % 2 ? 52 : 23);
      for (const Real x : {scaled, scaled + std::ldexp(1.0L, last), scaled - std::ldexp(1.0L, last)}) {
        reals.push_back(random() % 2 ? x : -x);
      }
    }
    const Real integer = static_cast<Real>(random() >> (random() % 64));
    reals.insert(reals.end(), {integer, -integer});
  }
  return reals;
}

// Elements of a dtype among them and at random; parts of complex numbers are drawn apart.
inline Bytes awkward_elements(DType dtype, int64_t count, uint32_t seed) {
  static const std::vector<Real> reals = awkward_reals(1);
  std::mt19937_64 random(seed);
  Bytes bytes(static_cast<size_t>(count) * size_of(dtype));
  const auto any = [&] {
    const Real x = reals[random() % reals.size()];
    if (is_float(dtype) || is_complex(dtype)) return rounded_to(dtype, x);
    if (dtype == DType::boolean) return static_cast<Real>(x > 1);
    return random() % 2 ? saturated(dtype, x) : wrapped(dtype, std::isfinite(x) ? std::trunc(x) : 3.0L);
  };
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) put(dtype, bytes, i, {any(), any()});
  return bytes;
}

// Calls one kernel of a device's table for arrays.
template <class Family, class Args>
void run_array_kernel(const Device& device, Kernel<Args> Family::*kernel, const Args& args) {
  (device.backend().kernels().array->*kernel)(device.backend().exec(), args);
}

}  // namespace tern::testing
