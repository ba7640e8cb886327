// SPDX-License-Identifier: Apache-2.0
// TrainConfig::validate.
#include <cmath>

#include "base/check.h"
#include "tern/train.h"

namespace tern {
namespace {

constexpr int64_t kLargestCount = int64_t{1} << 40;

void check_count(const char* name, int64_t value, int64_t low) {
  check(value >= low && value <= kLargestCount, "config", "{}: expected a number in [{}, {}], got {}", name, low,
        kLargestCount, value);
}

void check_number(const char* name, double value, double low, double high) {
  check(value >= low && value <= high, "config", "{}: expected a number in [{}, {}], got {}", name, low, high, value);
}

void check_below_one(const char* name, double value) {
  check(value >= 0 && value < 1, "config", "{}: expected a number in [0, 1), got {}", name, value);
}

// All tokens of the run must be countable.
void check_tokens(const TrainConfig& c) {
  int64_t tokens = c.sequence_length;
  const bool overflow = __builtin_mul_overflow(tokens, c.batch_size, &tokens) ||
                        __builtin_mul_overflow(tokens, c.accumulate, &tokens) ||
                        __builtin_mul_overflow(tokens, c.steps, &tokens);
  check(!overflow, "config", "expected a run of fewer than 2^63 tokens, got {} x {} x {} x {}", c.sequence_length,
        c.batch_size, c.accumulate, c.steps);
}

}  // namespace

void TrainConfig::validate() const {
  constexpr double kLargest = 1e6;
  model.validate();
  check_count("sequence_length", sequence_length, 1);
  check(sequence_length <= model.max_position_embeddings, "config",
        "sequence_length: expected at most max_position_embeddings = {}, got {}", model.max_position_embeddings,
        sequence_length);
  check_count("batch_size", batch_size, 1);
  check_count("accumulate", accumulate, 1);
  check_count("steps", steps, 1);
  check_tokens(*this);
  check_number("lr", lr, 0, kLargest);
  check_count("warmup_steps", warmup_steps, 0);
  check_number("stage_split", stage_split, 0, 1);
  check_number("stage1_end", stage1_end, 0, kLargest);
  check_number("stage2_begin", stage2_begin, 0, kLargest);
  check_number("weight_decay", weight_decay, 0, kLargest);
  check_below_one("beta1", beta1);
  check_below_one("beta2", beta2);
  check(eps > 0 && std::isfinite(eps), "config", "eps: expected a positive number, got {}", eps);
  check(clip >= 0 && std::isfinite(clip), "config", "clip: expected a number of at least 0, got {}", clip);
  check_below_one("validation_share", validation_share);
  check_count("eval_every", eval_every, 0);
  check_count("eval_tokens", eval_tokens, 2);
  check_count("checkpoint_every", checkpoint_every, 0);
  check_count("keep_checkpoints", keep_checkpoints, 1);
}

}  // namespace tern
