// SPDX-License-Identifier: Apache-2.0
// Looking through a vocabulary's worth of logits: the largest, those above a floor, the k best.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "engine/sampler.h"

namespace tern {

inline bool is_allowed(std::span<const uint64_t> allowed, int64_t id) {
  return allowed.empty() || (allowed[static_cast<size_t>(id / 64)] >> (id % 64) & 1) != 0;
}

// values[id] = -Inf for each id that is not allowed.
void forbid(std::span<float> values, std::span<const uint64_t> allowed);

// The largest value that is not NaN; -Inf when there is none.
float largest_of(std::span<const float> values);

// True when each value is below +Inf and none is NaN.
bool all_below_infinity(std::span<const float> values);

// The k best of the tokens that are added, k >= 1, without keeping all of them.
class BestTokens {
 public:
  explicit BestTokens(size_t k) : k_(k) {}

  void add(ScoredToken token) {
    if (token.score < least_) return;
    tokens_.push_back(token);
    if (tokens_.size() >= 2 * k_ + kSlack) shrink();
  }
  // Each finite value under the id of its place.
  void add(std::span<const float> values);

  // At most k tokens, in any order.
  std::vector<ScoredToken> take();

 private:
  static constexpr size_t kSlack = 64;
  void shrink();

  size_t k_;
  double least_ = std::numeric_limits<double>::lowest();  // what a token needs to be among them
  std::vector<ScoredToken> tokens_;
};

}  // namespace tern
