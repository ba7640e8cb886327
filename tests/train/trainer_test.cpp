// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "support/fails_with.h"
#include "support/temporary_directory.h"
#include "support/test_device.h"
#include "tern/io.h"
#include "tern/train.h"
#include "train/directory_lock.h"
#include "train/tiny_run.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using testing::fails_with;
using testing::outcome_of;
using testing::TemporaryDirectory;
using testing::tiny_config;
using testing::tiny_data;

Model run(const TrainConfig& config, const std::string& directory, bool resume = false,
          const TrainCallbacks& callbacks = {}, const TrainData& data = tiny_data(), int threads = 2) {
  return train(config, data, testing::byte_tokenizer(), testing::test_device(threads), directory, resume, callbacks);
}

// Asks to stop after a number of steps.
TrainCallbacks stop_after(int64_t step) {
  auto last = std::make_shared<int64_t>(0);
  return {[last](const StepReport& report) { *last = report.step; }, {}, [last, step] { return *last >= step; }};
}

// Nats per token of a text of which only the tokens' frequencies are known.
double order_zero_entropy(const std::vector<int32_t>& ids) {
  std::map<int32_t, double> counts;
  for (int32_t id : ids) counts[id] += 1;
  double entropy = 0;
  for (const auto& [id, count] : counts) {
    entropy -= count / static_cast<double>(ids.size()) * std::log(count / static_cast<double>(ids.size()));
  }
  return entropy;
}

TEST(Train, LearnsMoreThanFrequencies) {
  const TemporaryDirectory directory;
  TrainConfig config = tiny_config();
  config.steps = 150;
  config.batch_size = 8;
  config.eval_every = config.checkpoint_every = 0;
  config.eval_tokens = 1000;
  const TrainData data{testing::babble(4000, 1), testing::babble(600, 2), 1.0};
  double first = 0, last = 0;
  TrainCallbacks callbacks;
  callbacks.on_step = [&](const StepReport& report) {
    if (report.step == 1) first = report.loss;
    last = report.loss;
  };
  const Model model = run(config, directory.path(), false, callbacks, data);
  const double entropy = order_zero_entropy(data.train);
  EXPECT_NEAR(first, std::log(256.0), 0.5);  // a fresh model knows nothing
  // Eight words of four to six letters, equally likely: log 8 nats a word are all that cannot be foreseen. A model of
  // letter frequencies cannot pass `entropy`; one that knows the words comes near the other bound.
  const double words = std::log(8.0) / (8 * 1.0 / 8 * (5 + 6 + 5 + 4 + 5 + 4 + 4 + 6) / 8);
  EXPECT_LT(last, (entropy + words) / 2);
  EXPECT_GT(last, 0.5 * words);
  const Evaluation held_out = evaluate(model, data.validation, 600, 33);
  EXPECT_LT(held_out.loss, (entropy + words) / 2);
  EXPECT_DOUBLE_EQ(testing::log_lines(directory.path()).back()["validation_loss"].get<double>(), held_out.loss);
}

TEST(Train, LeavesWhatItPromises) {
  const TemporaryDirectory directory;
  const TrainConfig config = tiny_config();
  std::vector<StepReport> reports;
  const Model model =
      run(config, directory.path(), false, {[&](const StepReport& r) { reports.push_back(r); }, {}, {}});
  EXPECT_EQ(testing::checkpoint_names(directory.path()), (std::vector<std::string>{"step-000008", "step-000012"}));
  const auto lines = testing::log_lines(directory.path());
  ASSERT_EQ(lines.size(), 12u);
  ASSERT_EQ(reports.size(), 12u);
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto step = static_cast<int64_t>(i) + 1;
    EXPECT_EQ(reports[i].step, step);
    EXPECT_EQ(reports[i].steps, 12);
    EXPECT_EQ(reports[i].tokens, step * 64);
    EXPECT_DOUBLE_EQ(reports[i].lr, scheduled_rates(config, step).lr);
    EXPECT_EQ(reports[i].has_validation, step == 5 || step == 10 || step == 12);
    EXPECT_GT(reports[i].grad_norm, 0);
    EXPECT_GT(reports[i].tokens_per_second, 0);
    EXPECT_GT(reports[i].forward_seconds * reports[i].backward_seconds * reports[i].optimizer_seconds, 0);
    EXPECT_EQ(lines[i].dump(), nlohmann::json::parse(to_json(reports[i])).dump());
  }
  EXPECT_EQ(reports.back().seconds_left, 0);
  // The model returned, the one in the directory and the one in the last checkpoint are the same.
  const std::string last = directory.file("checkpoints/step-000012");
  EXPECT_EQ(testing::bytes_of(directory.file("model.safetensors")), testing::bytes_of(last + "/model.safetensors"));
  EXPECT_EQ(Tokenizer::load(last).encode("tern"), testing::byte_tokenizer().encode("tern"));
  const Model loaded = Model::load(directory.path(), model.device());
  EXPECT_EQ(evaluate(loaded, tiny_data().validation, 1, 33).loss, evaluate(model, tiny_data().validation, 1, 33).loss);
  EXPECT_EQ(fs::exists(directory.file("tokenizer.json")), true);
}

TEST(Train, GivesTheSameLossesForAnyThreadCount) {
  const TemporaryDirectory one, three;
  run(tiny_config(), one.path(), false, {}, tiny_data(), 1);
  run(tiny_config(), three.path(), false, {}, tiny_data(), 3);
  EXPECT_EQ(outcome_of(one.path(), tiny_config()), outcome_of(three.path(), tiny_config()));
}

TEST(Train, AccumulatesToTheGradientOfTheWholeBatch) {
  TrainConfig whole = tiny_config(), parts = tiny_config();
  whole.batch_size = 4;
  parts.batch_size = 1;
  parts.accumulate = 4;
  whole.steps = parts.steps = 3;
  const TemporaryDirectory a, b;
  run(whole, a.path());
  run(parts, b.path());
  const auto first = testing::log_lines(a.path())[0], second = testing::log_lines(b.path())[0];
  // The same numbers summed in another order: 128 tokens' losses and gradients in f32.
  EXPECT_NEAR(first["loss"].get<double>(), second["loss"].get<double>(), 1e-5);
  EXPECT_NEAR(first["grad_norm"].get<double>() / second["grad_norm"].get<double>(), 1.0, 1e-4);
  EXPECT_EQ(first["tokens"], second["tokens"]);
}

TEST(Train, StopsAndGoesOnAsIfItHadNot) {
  const TemporaryDirectory straight, stopped;
  run(tiny_config(), straight.path());
  for (const int64_t step : {2, 4, 7, 11}) {
    run(tiny_config(), stopped.path(), true, stop_after(step));
    EXPECT_EQ(testing::log_lines(stopped.path()).size(), static_cast<size_t>(step));
    EXPECT_FALSE(fs::exists(stopped.file("model.safetensors")));
  }
  run(tiny_config(), stopped.path(), true);
  EXPECT_EQ(outcome_of(straight.path(), tiny_config()), outcome_of(stopped.path(), tiny_config()));
  // A finished run has nothing left to do.
  run(tiny_config(), stopped.path(), true);
  EXPECT_EQ(outcome_of(straight.path(), tiny_config()), outcome_of(stopped.path(), tiny_config()));
}

TEST(Train, MayChangeOnResumeWhatDoesNotChangeTheRun) {
  const TemporaryDirectory straight, resumed;
  TrainConfig config = tiny_config();
  config.eval_every = 0;
  run(config, straight.path());
  run(config, resumed.path(), false, stop_after(4));
  config.checkpoint_every = 3;
  config.keep_checkpoints = 10;
  run(config, resumed.path(), true);
  EXPECT_EQ(outcome_of(straight.path(), config), outcome_of(resumed.path(), config));
  EXPECT_EQ(testing::checkpoint_names(resumed.path()).size(), 4u);  // 4, 6, 9, 12
}

TEST(Train, RefusesToResumeAsAnotherRun) {
  const TemporaryDirectory directory;
  run(tiny_config(), directory.path(), false, stop_after(4));
  const auto refused = [&](const TrainConfig& config, const TrainData& data, const char* message) {
    return fails_with(message, [&] { run(config, directory.path(), true, {}, data); });
  };
  TrainConfig config = tiny_config();
  config.batch_size = 3;
  EXPECT_TRUE(refused(config, tiny_data(), "batch_size: expected 2 as when the run began, got 3"));
  config = tiny_config();
  config.lr = 1e-3;
  EXPECT_TRUE(refused(config, tiny_data(), "lr: expected 0.005 as when the run began, got 0.001"));
  config = tiny_config();
  config.model.hidden_size = 32;
  EXPECT_TRUE(refused(config, tiny_data(), "hidden_size: expected 64"));
  config = tiny_config();
  config.steps = 20;
  EXPECT_TRUE(refused(config, tiny_data(), "steps: expected 12"));
  config = tiny_config();
  config.seed = 8;
  EXPECT_TRUE(refused(config, tiny_data(), "seed: expected 7"));
  TrainData data = tiny_data();
  data.train[5] ^= 1;
  EXPECT_TRUE(refused(tiny_config(), data, "training tokens"));
  data = tiny_data();
  data.validation.pop_back();
  EXPECT_TRUE(refused(tiny_config(), data, "validation tokens"));
  EXPECT_EQ(testing::log_lines(directory.path()).size(), 4u);
}

TEST(Train, DoesNotStartOverCheckpoints) {
  const TemporaryDirectory directory;
  run(tiny_config(), directory.path(), false, stop_after(1));
  EXPECT_TRUE(fails_with("step-000001", [&] { run(tiny_config(), directory.path()); }));
  EXPECT_NO_THROW(run(tiny_config(), directory.path(), true));
}

TEST(Train, WarnsOfALogThatLacksSteps) {
  const TemporaryDirectory directory;
  run(tiny_config(), directory.path(), false, stop_after(6));
  fs::remove(directory.file("log.jsonl"));
  std::string warning;
  run(tiny_config(), directory.path(), true, {{}, [&](std::string_view text) { warning = text; }, {}});
  EXPECT_NE(warning.find("expected lines up to step 6, got 0"), std::string::npos) << warning;
  EXPECT_EQ(testing::log_lines(directory.path()).size(), 6u);
}

TEST(Train, IsAloneInItsDirectory) {
  const TemporaryDirectory directory;
  const DirectoryLock lock(directory.path());
  EXPECT_TRUE(fails_with("another run", [&] { run(tiny_config(), directory.path()); }));
}

TEST(Train, StopsAtALossThatIsNotFinite) {
  const TemporaryDirectory directory;
  TrainConfig config = tiny_config();
  config.checkpoint_every = 1;
  config.keep_checkpoints = 100;
  config.warmup_steps = 0;
  config.clip = 0;
  config.lr = 1e6;
  config.weight_decay = 1e6;  // the weights are multiplied by -1e12 at every step
  EXPECT_TRUE(fails_with("try a lower lr", [&] { run(config, directory.path()); }));
  const std::vector<std::string> names = testing::checkpoint_names(directory.path());
  ASSERT_FALSE(names.empty());
  EXPECT_EQ(testing::log_lines(directory.path()).size(), names.size());
  // What was finished before is whole, and leads to the same end.
  EXPECT_TRUE(fails_with("try a lower lr", [&] { run(config, directory.path(), true); }));
  EXPECT_EQ(testing::checkpoint_names(directory.path()), names);
}

TEST(Train, RefusesInputItCannotTrainOn) {
  const TemporaryDirectory directory;
  const auto refused = [&](const TrainConfig& config, const TrainData& data, const char* message) {
    return fails_with(message, [&] { run(config, directory.path(), false, {}, data); });
  };
  TrainData data = tiny_data();
  data.train.resize(32);
  EXPECT_TRUE(refused(tiny_config(), data, "at least 33 tokens"));
  data.train.clear();
  EXPECT_TRUE(refused(tiny_config(), data, "got 0"));
  data = tiny_data();
  data.train.back() = 256;
  EXPECT_TRUE(refused(tiny_config(), data, "training ids in [0, 256) (vocab_size), got 256"));
  data = tiny_data();
  data.validation.back() = -1;
  EXPECT_TRUE(refused(tiny_config(), data, "validation ids"));
  data.validation = {1};
  EXPECT_TRUE(refused(tiny_config(), data, "at least 2 tokens"));
  data = tiny_data();
  data.validation_bytes_per_token = std::nan("");
  EXPECT_TRUE(refused(tiny_config(), data, "validation_bytes_per_token"));
  TrainConfig config = tiny_config();
  config.model.vocab_size = 255;
  EXPECT_TRUE(refused(config, tiny_data(), "vocab_size: expected at least the tokenizer's 256, got 255"));
  config = tiny_config();
  config.batch_size = 0;
  EXPECT_TRUE(refused(config, tiny_data(), "batch_size"));
  EXPECT_EQ(directory.count(), 0u);
  directory.write("file", "");
  EXPECT_TRUE(fails_with("file", [&] { run(tiny_config(), directory.file("file")); }));
}

TEST(Train, DoesWithoutValidation) {
  const TemporaryDirectory directory;
  TrainData data = tiny_data();
  data.validation.clear();
  run(tiny_config(), directory.path(), false, {}, data);
  for (const auto& line : testing::log_lines(directory.path())) EXPECT_FALSE(line.contains("validation_loss"));
}

TEST(Train, TrainsOnASingleWindow) {
  const TemporaryDirectory directory;
  TrainData data = tiny_data();
  data.train.resize(33);
  run(tiny_config(), directory.path(), false, {}, data);
  EXPECT_EQ(testing::log_lines(directory.path()).size(), 12u);
}

TEST(Train, RecomputingDoesNotChangeABit) {
  const TemporaryDirectory kept, again, changed;
  TrainConfig config = tiny_config();
  config.accumulate = 2;
  run(config, kept.path());
  run(config, changed.path(), false, stop_after(4));
  config.recompute = true;
  run(config, again.path());
  run(config, changed.path(), true);
  EXPECT_EQ(outcome_of(kept.path(), config), outcome_of(again.path(), config));
  EXPECT_EQ(outcome_of(kept.path(), config), outcome_of(changed.path(), config));
}

// Of steps that are measured and of steps that are split.
TEST(Train, ReportsPartsThatAddUp) {
  const TemporaryDirectory directory;
  std::vector<StepReport> reports;
  run(tiny_config(), directory.path(), false, {[&](const StepReport& r) { reports.push_back(r); }, {}, {}});
  ASSERT_EQ(reports.size(), 12u);
  for (const StepReport& r : reports) {
    for (const double seconds : {r.quantize_seconds, r.forward_seconds, r.backward_seconds, r.optimizer_seconds}) {
      EXPECT_GT(seconds, 0);
      EXPECT_LT(seconds, 60);
    }
  }
  EXPECT_DOUBLE_EQ(reports[3].backward_seconds / reports[3].forward_seconds,
                   reports[11].backward_seconds / reports[11].forward_seconds);
}

}  // namespace
}  // namespace tern
