// SPDX-License-Identifier: Apache-2.0
// Awkward inputs for kernel tests, and one run of a kernel on every instruction set and thread count.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "support/cpus.h"

namespace tern::testing {

using Floats = std::vector<float>;

// Sizes around the vector width, primes, and one large enough to be split among threads.
inline const std::vector<int64_t>& awkward_sizes() {
  static const std::vector<int64_t> sizes = {0, 1, 2, 7, 15, 16, 17, 31, 63, 64, 65, 127, 1009, 100003};
  return sizes;
}

inline Floats normal_floats(int64_t count, uint32_t seed, float scale = 1.0f) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, scale);
  Floats x(static_cast<size_t>(count));
  for (float& value : x) value = normal(random);
  return x;
}

// Zeros, infinities, NaN, subnormals and the ends of the range.
inline const Floats& special_floats() {
  using L = std::numeric_limits<float>;
  static const Floats specials = {0.0f,      -0.0f,          1.0f,     -1.0f,     L::infinity(),   -L::infinity(),
                                  L::max(),  L::lowest(),    L::min(), -L::min(), L::denorm_min(), -L::denorm_min(),
                                  0x1p-130f, L::quiet_NaN(), 0.5f,     -2.5f,     16777217.0f,     1e-20f};
  return specials;
}

// Normal numbers of many sizes with a special value now and then.
inline Floats awkward_floats(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  Floats x = normal_floats(count, seed);
  for (float& value : x) {
    value = std::ldexp(value, static_cast<int>(random() % 40) - 20);
    if (random() % 8 == 0) value = special_floats()[random() % special_floats().size()];
  }
  return x;
}

// The result of run(device), which must have the same bits on every device.
template <class Run>
Floats same_everywhere(const Run& run) {
  Floats first;
  bool is_first = true;
  for (const Device& device : cpus()) {
    Floats result = run(device);
    if (is_first) first = result;
    EXPECT_TRUE(same_bits(first, result)) << device.description();
    is_first = false;
  }
  return first;
}

}  // namespace tern::testing
