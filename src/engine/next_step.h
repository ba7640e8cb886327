// SPDX-License-Identifier: Apache-2.0
// A device that finds the next tokens by itself need not stand still while the host looks at them: the pass that they
// go into is launched behind their search. Mostly the host then wants just this pass; else it is forgotten, and what it
// wrote, behind the ends of its sequences, is written anew by the pass that is run instead.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/sequence.h"
#include "tern/model.h"

namespace tern {

// The hidden states of a step that is not planned yet: one token more of each of some sequences.
class NextStep {
 public:
  // Whether each of these, as they are after the pass of the current step, may take one token more without a new page.
  static bool is_open_to(std::span<Sequence* const> sequences, const ModelConfig& config, const KvPool& pool);

  // Launches the pass. ids i64 [sequences] are on the device: what is drawn for each.
  NextStep(const Model& model, KvPool& pool, std::span<Sequence* const> sequences, const Tensor& ids);

  // What the ids are, now that the host knows.
  void set_ids(std::span<const Pick> picks);

  // Whether this is the pass of these steps.
  bool is(std::span<Sequence* const> sequences, std::span<const SequenceStep> steps) const;
  const Tensor& hidden() const { return hidden_; }

 private:
  std::vector<RequestId> requests_;
  std::vector<KvSequence> before_;  // what it goes behind
  std::vector<int32_t> ids_;
  Tensor hidden_;
};

}  // namespace tern
