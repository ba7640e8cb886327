// SPDX-License-Identifier: Apache-2.0
// Drawing the next token from a row of logits.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_set>
#include <vector>

#include "tern/engine.h"

namespace tern {

// A token that may be drawn, with its probability among all that may be.
struct Candidate {
  int32_t id;
  double probability;
};

// The filters of SamplingOptions in their documented order, computed in double. Its only state are the tokens seen.
class Sampler {
 public:
  // Throws Error naming the option that is out of range.
  explicit Sampler(const SamplingOptions& options);

  // From now on the repetition penalty counts these tokens as seen.
  void observe(std::span<const int32_t> ids) { seen_.insert(ids.begin(), ids.end()); }

  // The tokens that pass every filter; their probabilities sum to 1. Greedy is the one token with the largest logit,
  // the lowest id among equals; where a filter cuts between equals, it keeps the lower ids. Throws Error when there are
  // no logits, one is NaN or +Inf, or all are -Inf.
  std::vector<Candidate> candidates(std::span<const float> logits) const;

  // Draws from candidates(logits) with the random number that (seed, index) names: the same arguments, the same token.
  int32_t sample(std::span<const float> logits, uint64_t index) const;

 private:
  SamplingOptions options_;
  std::unordered_set<int32_t> seen_;
};

}  // namespace tern
