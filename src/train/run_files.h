// SPDX-License-Identifier: Apache-2.0
// The directory of a run: its log, its checkpoints, its result. One process has it.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "tern/train.h"
#include "train/checkpoint_store.h"
#include "train/directory_lock.h"
#include "train/run_state.h"
#include "train/train_log.h"

namespace tern {

class RunFiles {
 public:
  using Fill = std::function<void(const std::string& directory)>;
  using Warn = std::function<void(std::string_view)>;

  // Makes the directory where there is none and locks it. Throws Error when another process has it. The arguments
  // outlive this.
  RunFiles(const std::string& directory, const Tokenizer& tokenizer, const Warn& warn);

  // Throws Error when there are checkpoints.
  void require_none() const;
  // The newest whole checkpoint's state, which has to be of the run that `now` is of; none where there are no
  // checkpoints at all. Warns of damaged ones. Throws Error when all are, and for another run.
  std::optional<RunState> newest(const RunState& now) const;
  // The directory of a checkpoint.
  std::string path(int64_t step) const { return store_.path(step); }

  // Removes what was left half-written, and what the log has of steps after `step`: the run goes on from there.
  void go_on(int64_t step);
  void log(const StepReport& report) { log_->append(report); }
  // A checkpoint with the tokenizer and what `fill` writes, complete or absent; of the older ones the last `keep` - 1
  // stay.
  void write_checkpoint(const RunState& state, int64_t keep, const Fill& fill);
  // The model and the tokenizer, in the directory itself.
  void save_result(const Model& model) const;

 private:
  std::optional<RunState> whole(int64_t step) const;

  const std::string& directory_;
  const Tokenizer& tokenizer_;
  const Warn& warn_;
  DirectoryLock lock_;
  CheckpointStore store_;
  std::optional<TrainLog> log_;
};

}  // namespace tern
