// SPDX-License-Identifier: Apache-2.0
// What a checkpoint knows of its run: enough to go on exactly, and to refuse to go on as another run.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "tern/train.h"

namespace tern {

struct RunState {
  int64_t step = 0;    // steps done
  int64_t tokens = 0;  // seen so far
  TrainConfig config;
  std::string train_hash, validation_hash;  // XXH3-64 of the ids
  std::string version;                      // of the library
};

// The state of a run that has not begun.
RunState begin_state(const TrainConfig& config, const TrainData& data);

nlohmann::json to_json(const RunState& state);
// Throws Error naming `source` when it is not what to_json gives.
RunState run_state_from_json(const nlohmann::json& json, const std::string& source);

// Throws Error naming the first field in which `now` is another run than `saved`, with both values.
void require_same_run(const RunState& saved, const RunState& now);

}  // namespace tern
