// SPDX-License-Identifier: Apache-2.0
// The optimizer as the trainer sees it: of one process, or of a group that shares the work.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tern/distributed.h"
#include "tern/train.h"

namespace tern {

// In a group, every function is called by all of its processes.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  // To be called before the last backward() of a step: gradients are exchanged while it runs.
  virtual void begin_last_backward() = 0;
  // The sum of squares of the gradients: over the group, the sum of what its processes get. Waits for the device.
  virtual double gradient_squares() = 0;
  // After gradient_squares(): one step with every gradient multiplied by grad_scale; then the gradients are dropped,
  // and all processes have the same parameters.
  virtual void step(const AdamwOptions& options, double grad_scale) = 0;

  // Writes Adamw's state to a file, whatever the size of the group: rank 0 does.
  virtual void save(const std::string& path) = 0;
  // Takes over the state in a file of rank 0, and that it is the one after `steps` steps. Throws Error naming what does
  // not fit the parameters.
  virtual void load(const std::string& path, int64_t steps) = 0;
};

std::unique_ptr<Optimizer> make_optimizer(std::vector<Parameter> parameters, const Communicator& group);

}  // namespace tern
