// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "support/fails_with.h"
#include "tern/train.h"

namespace tern {
namespace {

using testing::fails_with;

TrainConfig config() {
  TrainConfig c;
  c.steps = 100;
  c.warmup_steps = 10;
  c.lr = 3.0;
  c.stage_split = 0.5;
  c.stage1_end = 0.5;
  c.stage2_begin = 0.25;
  c.weight_decay = 0.1;
  return c;
}

double lr(const TrainConfig& c, int64_t step) { return scheduled_rates(c, step).lr; }

TEST(Schedule, HasTheCornersItPromises) {
  const TrainConfig c = config();
  EXPECT_DOUBLE_EQ(lr(c, 1), 3.0 / 10);
  EXPECT_DOUBLE_EQ(lr(c, 9), 3.0 * 9 / 10);
  EXPECT_DOUBLE_EQ(lr(c, 10), 3.0);
  EXPECT_DOUBLE_EQ(lr(c, 30), 3.0 * 0.75);  // half way from 1 to 0.5
  EXPECT_DOUBLE_EQ(lr(c, 50), 3.0 * 0.5);
  EXPECT_DOUBLE_EQ(lr(c, 51), 3.0 * 0.25);
  EXPECT_DOUBLE_EQ(lr(c, 76), 3.0 * 0.125);
  EXPECT_DOUBLE_EQ(lr(c, 100), 3.0 * 0.25 / 50);
}

TEST(Schedule, DecaysWeightsInTheFirstStageOnly) {
  const TrainConfig c = config();
  EXPECT_EQ(scheduled_rates(c, 1).weight_decay, 0.1);
  EXPECT_EQ(scheduled_rates(c, 50).weight_decay, 0.1);
  EXPECT_EQ(scheduled_rates(c, 51).weight_decay, 0.0);
  EXPECT_EQ(scheduled_rates(c, 100).weight_decay, 0.0);
}

TEST(Schedule, MayHaveOneStageOnly) {
  TrainConfig c = config();
  c.stage_split = 1;
  EXPECT_DOUBLE_EQ(lr(c, 100), 1.5);
  EXPECT_EQ(scheduled_rates(c, 100).weight_decay, 0.1);
  c.stage_split = 0;
  c.warmup_steps = 0;
  EXPECT_DOUBLE_EQ(lr(c, 1), 0.75);
  EXPECT_EQ(scheduled_rates(c, 1).weight_decay, 0.0);
}

TEST(Schedule, WarmsUpIntoWhateverFollows) {
  TrainConfig c = config();
  c.warmup_steps = 0;
  EXPECT_DOUBLE_EQ(lr(c, 1), 3.0 * (1 - 0.5 / 50));
  c.warmup_steps = 60;  // beyond the first stage
  EXPECT_DOUBLE_EQ(lr(c, 50), 3.0 * 50 / 60);
  EXPECT_DOUBLE_EQ(lr(c, 51), 3.0 * 0.25);
  c.warmup_steps = 1000;  // longer than the run
  EXPECT_DOUBLE_EQ(lr(c, 1), 3.0 / 1000);
  EXPECT_DOUBLE_EQ(lr(c, 60), 3.0 * 60 / 1000);
  EXPECT_DOUBLE_EQ(lr(c, 100), 3.0 * 0.25 / 50);
}

TEST(Schedule, ManagesASingleStep) {
  TrainConfig c = config();
  c.steps = 1;
  c.warmup_steps = 1;
  for (const double split : {0.0, 0.4, 0.5, 1.0}) {
    c.stage_split = split;
    EXPECT_GT(lr(c, 1), 0.0) << split;
    EXPECT_LE(lr(c, 1), 3.0) << split;
  }
}

TEST(Schedule, StaysBetweenZeroAndThePeak) {
  for (const int64_t steps : {1, 2, 3, 7, 50, 1000}) {
    for (const int64_t warmup : {0, 1, 2, 25, 5000}) {
      TrainConfig c = config();
      c.steps = steps;
      c.warmup_steps = warmup;
      for (int64_t step = 1; step <= steps; ++step) {
        EXPECT_GT(lr(c, step), 0.0);
        EXPECT_LE(lr(c, step), c.lr);
      }
    }
  }
}

TEST(Schedule, KnowsOnlyTheStepsOfTheRun) {
  EXPECT_TRUE(fails_with("[1, 100], got 0", [] { scheduled_rates(config(), 0); }));
  EXPECT_TRUE(fails_with("got 101", [] { scheduled_rates(config(), 101); }));
}

}  // namespace
}  // namespace tern
