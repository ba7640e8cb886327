// SPDX-License-Identifier: Apache-2.0
#include "train/run_files.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "base/check.h"

namespace tern {
namespace {

constexpr const char* kTokenizerFile = "/tokenizer.json";

const std::string& made(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  check(!error, "train", "{}: {}", path, error.message());
  return path;
}

}  // namespace

RunFiles::RunFiles(const std::string& directory, const Tokenizer& tokenizer, const Warn& warn)
    : directory_(directory),
      tokenizer_(tokenizer),
      warn_(warn),
      lock_(made(directory)),
      store_(directory + "/checkpoints") {}

void RunFiles::require_none() const {
  const std::vector<int64_t> steps = store_.steps();
  check(steps.empty(), "train",
        "{}: expected a directory without checkpoints, got one with {}; resume, or train elsewhere", directory_,
        steps.empty() ? "" : store_.path(steps.front()));
}

std::optional<RunState> RunFiles::newest(const RunState& now) const {
  const std::vector<int64_t> steps = store_.steps();
  for (const int64_t step : steps) {
    const std::optional<RunState> saved = whole(step);
    if (!saved) continue;
    require_same_run(*saved, now);
    if (saved->version != now.version && warn_) {
      warn_(
          fmt::format("resuming a run of version {} with version {}: losses may differ", saved->version, now.version));
    }
    return saved;
  }
  check(steps.empty(), "resume", "{}: expected a whole checkpoint, got only damaged ones", directory_);
  return std::nullopt;
}

std::optional<RunState> RunFiles::whole(int64_t step) const {
  try {
    return run_state_from_json(store_.verified_state(step), store_.path(step));
  } catch (const Error& e) {
    if (warn_) warn_(fmt::format("passed over a damaged checkpoint: {}", e.what()));
    return std::nullopt;
  }
}

void RunFiles::go_on(int64_t step) {
  store_.remove_leftovers();
  log_.emplace(directory_ + "/log.jsonl", step);
  if (log_->last_step() != step && warn_) {
    warn_(fmt::format("{}/log.jsonl: expected lines up to step {}, got {}", directory_, step, log_->last_step()));
  }
}

void RunFiles::write_checkpoint(const RunState& state, int64_t keep, const Fill& fill) {
  log_->sync();
  store_.write(state.step, to_json(state), [&](const std::string& directory) {
    fill(directory);
    tokenizer_.save(directory + kTokenizerFile);
  });
  store_.prune(state.step, keep);
}

void RunFiles::save_result(const Model& model) const {
  model.save(directory_, Weights::masters);
  tokenizer_.save(directory_ + kTokenizerFile);
}

}  // namespace tern
