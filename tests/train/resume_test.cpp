// SPDX-License-Identifier: Apache-2.0
// Runs that are killed, starved of disk or find their checkpoints damaged, and must end as a run that never stopped.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>

#include "base/random.h"
#include "support/temporary_directory.h"
#include "tern/train.h"
#include "train/tiny_run.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using testing::Outcome;
using testing::outcome_of;
using testing::TemporaryDirectory;
using testing::tiny_config;
using testing::tiny_data;

void run(const TrainConfig& config, const std::string& directory, const TrainCallbacks& callbacks = {}) {
  train(config, tiny_data(), testing::byte_tokenizer(), Device::open("cpu", {2, ""}), directory, true, callbacks);
}

// What a child process came to: its exit code, or minus the signal that ended it.
constexpr int kFinished = 0, kError = 1;

int wait_for(pid_t child) {
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

// Runs body in a child, whose exit code is kError when that throws.
pid_t start_child(const std::function<void()>& body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child != 0) return child;
  int code = kFinished;
  try {
    body();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "child: %s\n", e.what());
    code = kError;
  }
  ::_exit(code);
}

int in_child(const std::function<void()>& body) { return wait_for(start_child(body)); }

// The outcome of a run that nothing happens to.
Outcome undisturbed(const TrainConfig& config) {
  const TemporaryDirectory directory;
  EXPECT_EQ(in_child([&] { run(config, directory.path()); }), kFinished);
  return outcome_of(directory.path(), config);
}

TEST(Resume, SurvivesSigkillAfterAnyStep) {
  const TrainConfig config = tiny_config();
  const Outcome expected = undisturbed(config);
  const TemporaryDirectory directory;
  for (const int64_t step : {1, 3, 5, 6, 8, 9, 12}) {
    const TrainCallbacks killer{[step](const StepReport& report) {
                                  if (report.step == step) std::raise(SIGKILL);
                                },
                                {},
                                {}};
    EXPECT_EQ(in_child([&] { run(config, directory.path(), killer); }), -SIGKILL) << step;
    EXPECT_EQ(testing::log_lines(directory.path()).size(), static_cast<size_t>(step));
  }
  EXPECT_EQ(in_child([&] { run(config, directory.path()); }), kFinished);
  EXPECT_EQ(outcome_of(directory.path(), config), expected);
}

bool has_torn_checkpoint(const std::string& directory) {
  const std::vector<std::string> names = testing::checkpoint_names(directory);
  return std::any_of(names.begin(), names.end(),
                     [](const std::string& name) { return name.find(".tmp-") != name.npos; });
}

struct Kills {
  int all = 0, writing = 0;  // of them while a checkpoint was written
};

// Kills a run at random moments until it has ended as one that nothing happened to.
Kills kill_at_random(const TrainConfig& config, uint64_t seed, int attempts) {
  const auto start = std::chrono::steady_clock::now();
  const Outcome expected = undisturbed(config);
  const std::chrono::duration<double, std::micro> whole = std::chrono::steady_clock::now() - start;
  const TemporaryDirectory directory;
  Random random(seed);
  Kills kills;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const pid_t child = start_child([&] { run(config, directory.path()); });
    ::usleep(static_cast<useconds_t>(random.uniform() * 0.15 * whole.count()));
    ::kill(child, SIGKILL);
    const int outcome = wait_for(child);
    EXPECT_TRUE(outcome == -SIGKILL || outcome == kFinished) << outcome;
    kills.all += outcome == -SIGKILL;
    kills.writing += has_torn_checkpoint(directory.path());
  }
  EXPECT_EQ(in_child([&] { run(config, directory.path()); }), kFinished);
  EXPECT_EQ(outcome_of(directory.path(), config), expected);
  EXPECT_FALSE(has_torn_checkpoint(directory.path()));
  return kills;
}

TEST(Resume, SurvivesSigkillAtRandomMoments) {
  TrainConfig config = tiny_config();
  config.steps = 60;
  config.checkpoint_every = 7;
  EXPECT_GT(kill_at_random(config, 1, 10).all, 0);
}

TEST(Resume, SurvivesSigkillWhileCheckpointsAreWritten) {
  TrainConfig config = tiny_config();
  config.steps = 30;
  config.checkpoint_every = 1;
  config.keep_checkpoints = 1;
  const Kills kills = kill_at_random(config, 2, 20);
  EXPECT_GT(kills.writing, 0);
  std::printf("%d kills, %d while a checkpoint was written\n", kills.all, kills.writing);
}

// No file may grow beyond `bytes` from here on: writing fails as on a full disk.
void limit_file_size(rlim_t bytes) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{bytes, bytes};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
}

std::string contents_of(const std::string& directory) {
  std::string out;
  std::vector<fs::path> paths;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const fs::path& path : paths) {
    out += path.string() + "\n";
    if (fs::is_regular_file(path)) out += testing::bytes_of(path.string());
  }
  return out;
}

TEST(Resume, LosesNothingToAFullDisk) {
  const TrainConfig config = tiny_config();
  const Outcome expected = undisturbed(config);
  const TemporaryDirectory directory;
  EXPECT_EQ(
      in_child([&] {
        int64_t last = 0;
        run(config, directory.path(), {[&](const StepReport& r) { last = r.step; }, {}, [&] { return last == 5; }});
      }),
      kFinished);
  const std::string checkpoint = directory.file("checkpoints/step-000005");
  const auto model = fs::file_size(checkpoint + "/model.safetensors");
  const auto optimizer = fs::file_size(checkpoint + "/optimizer.safetensors");
  const auto log = fs::file_size(directory.file("log.jsonl"));
  ASSERT_LT(log + 2000, model);
  const std::string before = contents_of(directory.file("checkpoints"));
  for (const auto limit : {log, log + 100, log + 500, model / 2, model - 1, model, optimizer - 1}) {
    EXPECT_EQ(in_child([&] {
                limit_file_size(limit);
                run(config, directory.path());
              }),
              kError)
        << limit;
    EXPECT_EQ(contents_of(directory.file("checkpoints")), before) << limit;
    EXPECT_GE(testing::log_lines(directory.path()).size(), 5u) << limit;  // every line parses
  }
  EXPECT_EQ(in_child([&] { run(config, directory.path()); }), kFinished);
  EXPECT_EQ(outcome_of(directory.path(), config), expected);
}

enum class Damage { truncated, flipped, removed, emptied };

void damage(const std::string& path, Damage kind) {
  std::string content = testing::bytes_of(path);
  if (kind == Damage::removed) {
    fs::remove(path);
    return;
  }
  if (kind == Damage::truncated) content.resize(content.size() - 1);
  if (kind == Damage::emptied) content.clear();
  if (kind == Damage::flipped) content[content.size() / 2] ^= 0x20;
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

TEST(Resume, PassesOverDamagedCheckpoints) {
  TrainConfig config = tiny_config();
  config.checkpoint_every = 6;
  const Outcome expected = undisturbed(config);
  const TemporaryDirectory whole;
  EXPECT_EQ(in_child([&] {
              int64_t last = 0;
              run(config, whole.path(), {[&](const StepReport& r) { last = r.step; }, {}, [&] { return last == 8; }});
            }),
            kFinished);
  ASSERT_EQ(testing::checkpoint_names(whole.path()), (std::vector<std::string>{"step-000006", "step-000008"}));
  for (const char* file :
       {"model.safetensors", "optimizer.safetensors", "config.json", "tokenizer.json", "trainer.json"}) {
    for (const Damage kind : {Damage::truncated, Damage::flipped, Damage::removed, Damage::emptied}) {
      if (kind == Damage::truncated && std::string(file) == "trainer.json") continue;  // loses a line feed only
      const TemporaryDirectory directory;
      fs::copy(whole.path(), directory.path(), fs::copy_options::recursive);
      damage(directory.file("checkpoints/step-000008/") + file, kind);
      const std::string damaged = contents_of(directory.file("checkpoints/step-000008"));
      std::string warnings;
      std::vector<int64_t> steps;
      run(config, directory.path(),
          {[&](const StepReport& r) { steps.push_back(r.step); },
           [&](std::string_view text) { warnings += text; },
           {}});
      EXPECT_NE(warnings.find("damaged checkpoint"), std::string::npos) << warnings;
      EXPECT_NE(warnings.find(file), std::string::npos) << warnings;
      EXPECT_EQ(steps.front(), 7);
      EXPECT_EQ(contents_of(directory.file("checkpoints/step-000008")), damaged) << "left for inspection";
      EXPECT_EQ(outcome_of(directory.path(), config), expected) << file << static_cast<int>(kind);
    }
  }
}

TEST(Resume, RefusesWhenEveryCheckpointIsDamaged) {
  const TrainConfig config = tiny_config();
  const TemporaryDirectory directory;
  run(config, directory.path());
  for (const std::string& name : testing::checkpoint_names(directory.path())) {
    damage(directory.file("checkpoints/" + name + "/model.safetensors"), Damage::flipped);
  }
  const std::string before = contents_of(directory.path());
  int warnings = 0;
  try {
    run(config, directory.path(), {{}, [&](std::string_view) { ++warnings; }, {}});
    FAIL() << "expected an error";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("only damaged ones"), std::string::npos) << e.what();
  }
  EXPECT_EQ(warnings, 2);
  EXPECT_EQ(contents_of(directory.path()), before);
}

}  // namespace
}  // namespace tern
