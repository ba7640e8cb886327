// SPDX-License-Identifier: Apache-2.0
#include "engine/next_step.h"

#include <algorithm>

namespace tern {

bool NextStep::is_open_to(std::span<Sequence* const> sequences, const ModelConfig& config, const KvPool& pool) {
  return std::ranges::all_of(sequences, [&](const Sequence* sequence) {
    const KvSequence& kv = sequence->kept.kv;
    const bool goes_on = sequence->draws && sequence->pending() == 0 && sequence->generation.left() > 1;
    return goes_on && sequence->draft.empty() && kv.length < config.max_position_embeddings &&
           pool.pages_for(kv.length + 1) <= std::ssize(kv.pages);
  });
}

NextStep::NextStep(const Model& model, KvPool& pool, std::span<Sequence* const> sequences, const Tensor& ids) {
  for (const Sequence* sequence : sequences) {
    requests_.push_back(sequence->generation.id());
    before_.push_back(sequence->kept.kv);
  }
  std::vector<KvSequence> behind = before_;
  std::vector<KvSequence*> places;
  for (KvSequence& kv : behind) places.push_back(&kv);
  hidden_ = model.hidden_states(ids, places, pool);
}

void NextStep::set_ids(std::span<const Pick> picks) {
  for (const Pick& pick : picks) ids_.push_back(pick.id);
}

bool NextStep::is(std::span<Sequence* const> sequences, std::span<const SequenceStep> steps) const {
  if (sequences.size() != requests_.size() || ids_.size() != requests_.size()) return false;
  for (size_t i = 0; i < steps.size(); ++i) {
    const KvSequence& kv = *steps[i].kv;
    if (sequences[i]->generation.id() != requests_[i] || steps[i].ids.size() != 1 || steps[i].ids[0] != ids_[i] ||
        kv.length != before_[i].length || kv.pages != before_[i].pages) {
      return false;
    }
  }
  return true;
}

}  // namespace tern
