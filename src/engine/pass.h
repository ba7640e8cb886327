// SPDX-License-Identifier: Apache-2.0
// One step's way through the models: guesses, one pass, draws.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/draft_model.h"
#include "engine/next_step.h"
#include "engine/pick.h"
#include "engine/sequence.h"
#include "tern/model.h"

namespace tern {

class Pass {
 public:
  // draft_model may be null.
  Pass(const Model& model, PageKeeper& keeper, DraftModel* draft_model, Speculation speculation)
      : model_(model), keeper_(keeper), draft_model_(draft_model), speculation_(speculation) {}

  // Runs what is planned. Afterwards each sequence has its draft and its picks and its past is longer by planned and
  // draft tokens, or it has finished: because nothing may follow, or because of an error of its own.
  void run(std::span<const std::shared_ptr<Sequence>> planned, PickStatistics& statistics);

  // How many passes were under way when they were planned.
  int64_t early() const { return early_; }

 private:
  void begin(Sequence& sequence) const;
  int64_t draft_room(Sequence& sequence);
  void guess(std::span<Sequence* const> sequences);
  void guess_with_model(std::span<const DraftModel::Job> jobs);
  void compute(std::span<Sequence* const> sequences, PickStatistics& statistics);
  Tensor hidden_states(std::span<Sequence* const> sequences, std::span<const SequenceStep> steps);
  void start_next_step(std::span<Sequence* const> sequences, const Tensor& ids);
  void compute_each_alone(std::span<Sequence* const> sequences, PickStatistics& statistics);

  const Model& model_;
  PageKeeper& keeper_;
  DraftModel* draft_model_;
  Speculation speculation_;
  std::optional<NextStep> next_step_;  // under way since the last pass
  int64_t early_ = 0;
};

}  // namespace tern
