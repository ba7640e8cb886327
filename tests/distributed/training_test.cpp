// SPDX-License-Identifier: Apache-2.0
// A run of a group against the same run of one process.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "distributed/group.h"
#include "support/temporary_directory.h"
#include "tern/train.h"
#include "train/tiny_run.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using testing::group;
using testing::group_device;
using testing::outcome_of;
using testing::TemporaryDirectory;
using testing::tiny_data;

// Seven sequences a step, which no group of two or more shares evenly, in micro-batches of unequal sizes.
TrainConfig config() {
  TrainConfig out = testing::tiny_config();
  out.batch_size = 7;
  return out;
}

TrainCallbacks stop_after(int64_t step) {
  auto last = std::make_shared<int64_t>(0);
  return {[last](const StepReport& report) { *last = report.step; }, {}, [last, step] { return *last >= step; }};
}

// Every process of the group calls this; rank 0's directory counts.
Model run(const TrainConfig& config, const std::string& directory, bool resume = false,
          const TrainCallbacks& callbacks = {}) {
  return train(config, tiny_data(), testing::byte_tokenizer(), group_device(), directory, resume, callbacks, group());
}

// Rank 0 alone; the others go on to wait for it.
void run_alone(const TrainConfig& config, const std::string& directory, bool resume = false,
               const TrainCallbacks& callbacks = {}) {
  if (group().rank() != 0) return;
  train(config, tiny_data(), testing::byte_tokenizer(), group_device(), directory, resume, callbacks);
}

bool is_first() { return group().rank() == 0; }

// Sums in another order change the last bits of a loss; a ternary code that flips by that changes more, in few places.
void expect_near_logs(const std::string& one, const std::string& other, double tolerance) {
  const auto a = testing::log_lines(one), b = testing::log_lines(other);
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i]["step"], b[i]["step"]);
    EXPECT_EQ(a[i]["tokens"], b[i]["tokens"]);
    EXPECT_NEAR(a[i]["loss"].get<double>(), b[i]["loss"].get<double>(), tolerance) << i;
    EXPECT_NEAR(a[i]["grad_norm"].get<double>() / b[i]["grad_norm"].get<double>(), 1.0, 10 * tolerance) << i;
    ASSERT_EQ(a[i].contains("validation_loss"), b[i].contains("validation_loss"));
    if (!a[i].contains("validation_loss")) continue;
    EXPECT_NEAR(a[i]["validation_loss"].get<double>(), b[i]["validation_loss"].get<double>(), tolerance) << i;
    EXPECT_NEAR(a[i]["validation_bits_per_byte"].get<double>(), b[i]["validation_bits_per_byte"].get<double>(),
                2 * tolerance);
  }
}

TEST(GroupTraining, GivesTheLossesOfOneProcess) {
  const TemporaryDirectory alone, shared;
  run_alone(config(), alone.path());
  const Model model = run(config(), shared.path());
  if (!is_first()) {
    EXPECT_TRUE(fs::is_empty(shared.path()));  // rank 0 alone has files
  } else {
    expect_near_logs(alone.path(), shared.path(), 1e-3);
    EXPECT_EQ(testing::checkpoint_names(shared.path()), testing::checkpoint_names(alone.path()));
  }
  // Everyone ends with the same model.
  double loss = evaluate(model, tiny_data().validation, 1, 33).loss, all = loss;
  group().all_reduce_sum({&all, 1});
  EXPECT_DOUBLE_EQ(all, loss * group().size());
}

// Processes take the micro-batches that one process takes one after the other: the same sums, but for their order.
TEST(GroupTraining, IsAccumulationSideBySide) {
  const TemporaryDirectory alone, shared;
  TrainConfig together = config(), accumulated = config();
  together.batch_size = 2 * group().size();
  accumulated.batch_size = 2;
  accumulated.accumulate = group().size();
  run_alone(accumulated, alone.path());
  run(together, shared.path());
  if (is_first()) expect_near_logs(alone.path(), shared.path(), 1e-5);
}

TEST(GroupTraining, GivesTheSameBitsEachTime) {
  const TemporaryDirectory first, second, recomputed;
  TrainConfig again = config();
  run(config(), first.path());
  run(config(), second.path());
  again.recompute = true;
  run(again, recomputed.path());
  if (!is_first()) return;
  EXPECT_EQ(outcome_of(first.path(), config()), outcome_of(second.path(), config()));
  EXPECT_EQ(outcome_of(first.path(), config()), outcome_of(recomputed.path(), config()));
}

TEST(GroupTraining, StopsAndGoesOnAsIfItHadNot) {
  const TemporaryDirectory straight, stopped;
  run(config(), straight.path());
  run(config(), stopped.path(), false, stop_after(3));
  run(config(), stopped.path(), true, stop_after(7));
  run(config(), stopped.path(), true);
  run(config(), stopped.path(), true);  // has nothing left to do
  if (!is_first()) return;
  EXPECT_EQ(outcome_of(straight.path(), config()), outcome_of(stopped.path(), config()));
}

// From the group to one process, and back again.
TEST(GroupTraining, GoesOnInAGroupOfAnotherSize) {
  const TemporaryDirectory alone, mixed;
  run_alone(config(), alone.path());
  run(config(), mixed.path(), false, stop_after(3));
  run_alone(config(), mixed.path(), true, stop_after(6));
  run(config(), mixed.path(), true, stop_after(9));
  run_alone(config(), mixed.path(), true);
  group().barrier();
  if (!is_first()) return;
  expect_near_logs(alone.path(), mixed.path(), 1e-3);
}

// Whichever process is asked to stop, all do, at the same step.
TEST(GroupTraining, StopsWhereAnyProcessIsAskedTo) {
  const TemporaryDirectory directory;
  const bool asked = group().rank() == group().size() - 1;
  int64_t steps = 0;
  run(config(), directory.path(), false, {{}, {}, [&] { return ++steps == 4 && asked; }});
  EXPECT_EQ(steps, 4);
  if (!is_first()) return;
  EXPECT_EQ(testing::checkpoint_names(directory.path()).back(), "step-000004");
}

TEST(GroupTraining, AccumulatesInMicroBatches) {
  const TemporaryDirectory whole, parts;
  TrainConfig split = config();
  split.batch_size = 1;
  split.accumulate = 7;
  run(config(), whole.path());
  run(split, parts.path());
  if (!is_first()) return;
  expect_near_logs(whole.path(), parts.path(), 1e-3);
}

}  // namespace
}  // namespace tern
