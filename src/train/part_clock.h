// SPDX-License-Identifier: Apache-2.0
// How long the parts of a training step take, on a device that may work while the host goes on.
#pragma once

#include <cstdint>

#include "tern/device.h"
#include "tern/train.h"
#include "train/stopwatch.h"

namespace tern {

// The end of a part is only known where the host waits for it, which costs a GPU; so some steps are measured, and the
// time of the others is split in the shares of the last one that was.
class PartClock {
 public:
  explicit PartClock(const Device& device) : device_(device) {}

  // A step begins.
  void begin() {
    measures_ = ++steps_ <= kFirst || steps_ % kEvery == 0;
    wait();
    watch_.lap();
  }

  // The time since the last call belongs to this part; a part may have several.
  void end_part(StepReport& report, double StepReport::*part) {
    wait();
    report.*part += watch_.lap();
  }

  // The step has ended, with its last part.
  void end(StepReport& report) {
    if (measures_) {
      measured_ = report;
      return;
    }
    const double factor = seconds(report) / seconds(measured_);
    for (double StepReport::*part : kParts) report.*part = measured_.*part * factor;
  }

  static double seconds(const StepReport& report) {
    double sum = 0;
    for (double StepReport::*part : kParts) sum += report.*part;
    return sum;
  }

 private:
  static constexpr int64_t kFirst = 3, kEvery = 32;
  static constexpr double StepReport::*kParts[] = {&StepReport::quantize_seconds, &StepReport::forward_seconds,
                                                   &StepReport::backward_seconds, &StepReport::optimizer_seconds};

  void wait() const {
    if (measures_) device_.synchronize();
  }

  const Device& device_;
  Stopwatch watch_;
  int64_t steps_ = 0;
  bool measures_ = false;
  StepReport measured_;
};

}  // namespace tern
