// SPDX-License-Identifier: Apache-2.0
// AdamW whose state is cut into one share per process (ZeRO-1, arXiv 1910.02054): each updates its share of the
// parameters, from the sum of everyone's gradients, and gets the others' from them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "train/adamw_state.h"
#include "train/flat_space.h"
#include "train/gradient_reducer.h"
#include "train/optimizer.h"

namespace tern {

class ShardedAdamw final : public Optimizer {
 public:
  // 25 MiB: long enough that the network's latency does not count, short enough to begin early.
  static constexpr int64_t kBucketElements = (int64_t{25} << 20) / 4;

  // Throws Error for a parameter that is not contiguous f32. Every process gives the same list; what the parameters
  // hold must be the same, too. Smaller buckets are for tests.
  ShardedAdamw(std::vector<Parameter> parameters, Communicator group, int64_t bucket_elements = kBucketElements);

  void begin_last_backward() override { reducer_.begin(); }
  double gradient_squares() override;
  void step(const AdamwOptions& options, double grad_scale) override;
  void save(const std::string& path) override;
  void load(const std::string& path, int64_t steps) override;

 private:
  // A part of a parameter in this process's shares, laid end to end.
  struct Own {
    size_t parameter;
    int64_t begin, place, count;
  };
  using Piece = FlatSpace::Piece;

  void exchange_parameters();
  AdamwState gathered();

  std::vector<Parameter> parameters_;
  std::vector<Tensor> values_;  // of the parameters, flat, outside of any graph
  Communicator group_;
  FlatSpace space_;
  GradientReducer reducer_;
  std::vector<Own> own_;
  Tensor m_, v_;  // of own_
  int64_t steps_ = 0;
};

}  // namespace tern
