// SPDX-License-Identifier: Apache-2.0
// What all processes of a run train with: rank 0's.
#pragma once

#include "tern/distributed.h"
#include "tern/train.h"

namespace tern {

struct SharedInput {
  TrainConfig config;
  TrainData data;
};

// Rank 0 gives its config and data, and gets nothing; the others get them.
SharedInput share_input(const TrainConfig& config, const TrainData& data, const Communicator& group);

// Everyone gets the parameters of rank 0's model, which is of the same shape.
void share_parameters(Model& model, const Communicator& group);

}  // namespace tern
