// SPDX-License-Identifier: Apache-2.0
// Gradients summed over the processes of a group while backward goes on.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "distributed/collectives.h"
#include "tern/model.h"
#include "train/flat_space.h"

namespace tern {

// Takes each parameter's gradient when backward has finished it, copies it to its place in the buckets and starts the
// reduction of those that are full; each process receives its share. Buckets start in order, so all processes start the
// same ones.
class GradientReducer {
 public:
  // The space is that of the parameters; it, the parameters and the group outlive this.
  GradientReducer(const std::vector<Parameter>& parameters, const FlatSpace& space, Collectives& group);
  ~GradientReducer();
  GradientReducer(const GradientReducer&) = delete;
  GradientReducer& operator=(const GradientReducer&) = delete;

  // From now until finish(), a parameter's gradient leaves it as soon as a backward() has finished it: to be called
  // before the last backward() of a step. A gradient there from earlier ones counts.
  void begin();
  // Takes the gradients that the last backward() did not come to, starts what is left and waits for all.
  void finish();

  // After finish(): the sums of this process's shares, one after the other (FlatSpace::share_begin), and whether a
  // parameter had a gradient, which is the same in all processes.
  const Tensor& shares() const { return shares_; }
  bool has_gradient(size_t parameter) const { return taken_[parameter]; }

 private:
  // Of a parameter in a bucket.
  struct Part {
    int64_t bucket;
    int64_t begin, place;  // in the parameter, in the bucket
    int64_t count;
  };
  struct Bucket {
    Tensor memory;        // once a part is there
    int64_t pieces = 0;   // parameters in it
    int64_t missing = 0;  // those not taken yet
  };
  struct Running {
    Collectives::Ticket ticket;
    Tensor memory;
  };

  void take(size_t parameter);
  void start_full();
  Tensor room();
  void stop_listening();

  const std::vector<Parameter>& parameters_;
  const FlatSpace& space_;
  Collectives& group_;
  Tensor shares_;
  std::vector<std::vector<Part>> parts_;  // by parameter
  std::vector<Bucket> buckets_;
  std::vector<bool> taken_;
  int64_t next_ = 0;  // the bucket to start
  std::deque<Running> running_;
  std::vector<Tensor> free_;
};

}  // namespace tern
