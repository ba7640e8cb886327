// SPDX-License-Identifier: Apache-2.0
// What a person sees of work that takes its time.
#pragma once

#include <chrono>
#include <string>

#include "tern/train.h"

namespace tern::cli {

// A bar that is redrawn in place, or a line now and then. Both go to standard error, as does a line for every
// validation.
class TrainProgress {
 public:
  // `style` is "bar", "lines" or "auto": a bar where standard error is a terminal.
  explicit TrainProgress(const std::string& style);

  void step(const StepReport& report);
  // Prints a line above the bar.
  void line(const std::string& text);
  // Takes the bar away.
  void finish() { clear(); }

  // Sums over the steps seen, and the last of them.
  int64_t steps = 0;
  double quantize_seconds = 0, forward_seconds = 0, backward_seconds = 0, optimizer_seconds = 0;
  StepReport last;
  StepReport last_validation;  // has_validation false before the first

 private:
  using Clock = std::chrono::steady_clock;

  void add(const StepReport& report);
  void draw(const StepReport& report);
  void clear();

  bool bar_;
  bool drawn_ = false;
  Clock::time_point next_draw_;
};

// A bar on standard error while a model is loaded, taken away when it goes out of scope.
class LoadProgress {
 public:
  // `style` is "bar", "none" or "auto": a bar where standard error is a terminal, after a moment.
  explicit LoadProgress(const std::string& style);
  ~LoadProgress();
  LoadProgress(const LoadProgress&) = delete;
  LoadProgress& operator=(const LoadProgress&) = delete;

  void show(double fraction);

 private:
  using Clock = std::chrono::steady_clock;

  bool bar_;
  bool drawn_ = false;
  Clock::time_point next_draw_;
};

// "[=======>    ]", `width` characters in all, at least 2.
std::string bar(double share, int width);

}  // namespace tern::cli
