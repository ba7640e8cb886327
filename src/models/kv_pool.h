// SPDX-License-Identifier: Apache-2.0
// What a KvPool owns, and what a pass over it must fulfil.
#pragma once

#include <span>
#include <vector>

#include "models/recorded_passes.h"
#include "ops/paged.h"
#include "tern/model.h"

namespace tern {

struct KvPool::State {
  explicit State(PagedKv pages);

  PagedKv kv;
  std::vector<int32_t> references;
  std::vector<int32_t> free;  // the last is the next to go
  RecordedPasses recorded;
};

// Throws Error for anything that Model::hidden_states refuses.
void check_steps(const ModelConfig& config, const Device& device, std::span<const SequenceStep> steps,
                 const PagedKv& kv, std::span<const int32_t> references);

}  // namespace tern
