// SPDX-License-Identifier: Apache-2.0
#include "base/clock_speed.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/platform.h"

namespace tern {
namespace {

constexpr int kRuns = 10;
constexpr int64_t kSteps = 1 << 16;

// kSteps * 64 additions, each of which needs the one before.
uint64_t add_in_a_chain(uint64_t sum, uint64_t step) {
  for (int64_t i = 0; i < kSteps; ++i) {
    for (int j = 0; j < 64; ++j) {
      sum += step;
      keep_in_register(sum);
    }
  }
  return sum;
}

}  // namespace

double measure_clock_mhz() {
  uint64_t sum = 1, step = 3;
  keep_in_register(step);
  double best = 0;
  for (int run = 0; run < kRuns; ++run) {
    const auto start = std::chrono::steady_clock::now();
    sum = add_in_a_chain(sum, step);
    const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
    best = std::max(best, static_cast<double>(kSteps * 64) / spent.count());
  }
  keep_in_register(sum);
  return best;
}

}  // namespace tern
