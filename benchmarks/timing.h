// SPDX-License-Identifier: Apache-2.0
// What the benchmark programs share: a clock, and figures as median and range.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

namespace tern::benchmarks {

// Seconds since some moment.
inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Spread {
  double median = 0, low = 0, high = 0;
};

// Of at least one value.
inline Spread spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values.front(), values.back()};
}

}  // namespace tern::benchmarks
