// SPDX-License-Identifier: Apache-2.0
// Seconds between two moments.
#pragma once

#include <chrono>

namespace tern {

class Stopwatch {
 public:
  // Seconds since construction or the last lap; never 0.
  double lap() {
    const Clock::time_point now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - begin_).count();
    begin_ = now;
    return seconds > 1e-9 ? seconds : 1e-9;
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin_ = Clock::now();
};

}  // namespace tern
