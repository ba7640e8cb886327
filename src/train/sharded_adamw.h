// SPDX-License-Identifier: Apache-2.0
// AdamW whose state is cut into one share per process (ZeRO-1, arXiv 1910.02054): each updates its share of the
// parameters, from the sum of everyone's gradients, and gets the others' from them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "train/adamw_state.h"
#include "train/gradient_reducer.h"
#include "train/optimizer.h"
#include "train/shard_plan.h"

namespace tern {

class ShardedAdamw final : public Optimizer {
 public:
  // 64 MiB: long enough that the network's latency does not count, short enough to begin early.
  static constexpr int64_t kBucketElements = (int64_t{64} << 20) / 4;

  // Throws Error for a parameter that is not contiguous f32. Every process gives the same list; what the parameters
  // hold must be the same, too. Smaller buckets are for tests.
  ShardedAdamw(std::vector<Parameter> parameters, Communicator group, int64_t bucket_elements = kBucketElements);

  void begin_last_backward() override { reducer_.begin(); }
  double gradient_squares() override;
  void step(const AdamwOptions& options, double grad_scale) override;
  void save(const std::string& path) override;
  void load(const std::string& path, int64_t steps) override;

 private:
  using Part = ShardPlan::Part;

  // What this process owns of a part.
  ShardPlan::Range own(const Part& part) const { return plan_.own(part, group_.rank()); }
  AdamwState gathered();

  std::vector<Parameter> parameters_;
  std::vector<Tensor> values_;  // of the parameters, flat, outside of any graph
  Communicator group_;
  ShardPlan plan_;
  GradientReducer reducer_;
  Tensor m_, v_;  // of what this process owns, as the plan lays it
  int64_t steps_ = 0;
};

}  // namespace tern
