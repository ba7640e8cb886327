// SPDX-License-Identifier: Apache-2.0
// Gradients summed over the processes of a group while backward goes on.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "distributed/collectives.h"
#include "tern/model.h"
#include "train/shard_plan.h"

namespace tern {

// Takes each parameter's gradient when backward has finished it, and starts the reduction of the buckets that are full,
// straight from the gradients' memory; each process receives what it owns. Buckets start in order, so all processes
// start the same ones.
class GradientReducer {
 public:
  // The plan is that of the parameters; it, the parameters and the group outlive this.
  GradientReducer(const std::vector<Parameter>& parameters, const ShardPlan& plan, Collectives& group);
  ~GradientReducer();
  GradientReducer(const GradientReducer&) = delete;
  GradientReducer& operator=(const GradientReducer&) = delete;

  // From now until finish(), a parameter's gradient leaves it as soon as a backward() has finished it: to be called
  // before the last backward() of a step. A gradient there from earlier ones counts.
  void begin();
  // Takes the gradients that the last backward() did not come to, starts what is left and waits for all.
  void finish();

  // After finish(): the sums of what this process owns, laid end to end as the plan says, f32, and whether a parameter
  // had a gradient, which is the same in all processes.
  const Tensor& sums() const { return sums_; }
  bool has_gradient(size_t parameter) const { return taken_[parameter]; }

 private:
  struct Bucket {
    std::vector<Tensor> gradients;  // of its parts, flat, once they are there
    size_t missing = 0;
  };
  // Where a part of a parameter is.
  struct Place {
    int64_t bucket;
    size_t part;
  };
  struct Running {
    Collectives::Ticket ticket;
    std::vector<Tensor> gradients;
  };

  void take(size_t parameter);
  void start_full();
  void start(int64_t index);
  void wait_for_first();
  void stop_listening();

  const std::vector<Parameter>& parameters_;
  const ShardPlan& plan_;
  Collectives& group_;
  Tensor sums_;
  std::vector<std::vector<Place>> places_;  // by parameter
  std::vector<Bucket> buckets_;
  std::vector<bool> taken_;
  int64_t next_ = 0;  // the bucket to start
  std::deque<Running> running_;
};

}  // namespace tern
