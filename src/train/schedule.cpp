// SPDX-License-Identifier: Apache-2.0
// The learning rate and weight decay of each step.
#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "tern/train.h"

namespace tern {
namespace {

// The line of the first stage or the second, as a factor on the peak.
double line(const TrainConfig& config, int64_t step, int64_t split) {
  if (step > split) {
    const auto left = static_cast<double>(config.steps + 1 - step);
    return config.stage2_begin * left / static_cast<double>(config.steps - split);
  }
  const auto done = static_cast<double>(std::max<int64_t>(0, step - config.warmup_steps));
  const auto length = static_cast<double>(std::max<int64_t>(1, split - config.warmup_steps));
  return 1.0 + (config.stage1_end - 1.0) * done / length;
}

}  // namespace

ScheduledRates scheduled_rates(const TrainConfig& config, int64_t step) {
  check(step >= 1 && step <= config.steps, "schedule", "expected a step in [1, {}], got {}", config.steps, step);
  const int64_t split = std::llround(static_cast<double>(config.steps) * config.stage_split);
  double factor = line(config, step, split);
  if (step < config.warmup_steps) {
    factor = std::min(factor, static_cast<double>(step) / static_cast<double>(config.warmup_steps));
  }
  return {config.lr * factor, step <= split ? config.weight_decay : 0.0};
}

}  // namespace tern
