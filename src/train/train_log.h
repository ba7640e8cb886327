// SPDX-License-Identifier: Apache-2.0
// log.jsonl: a line per step, whole or absent.
#pragma once

#include <cstdint>
#include <string>

#include "tern/train.h"

namespace tern {

class TrainLog {
 public:
  // Creates the file, or keeps the lines of an existing one up to the step `last` and drops what follows, in one step.
  // Throws Error naming the path.
  TrainLog(std::string path, int64_t last);
  ~TrainLog();
  TrainLog(const TrainLog&) = delete;
  TrainLog& operator=(const TrainLog&) = delete;

  // The step of the last line; 0 without any.
  int64_t last_step() const { return last_step_; }

  // Hands the line to the system before it returns, so that it outlives this process. When the disk is full or fails,
  // takes back what was written of it and throws Error.
  void append(const StepReport& report);
  // Flushes to the disk.
  void sync();

 private:
  std::string path_;
  int descriptor_ = -1;
  int64_t last_step_ = 0;
};

}  // namespace tern
