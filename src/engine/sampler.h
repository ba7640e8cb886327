// SPDX-License-Identifier: Apache-2.0
// Drawing the next token from a row of logits, or from the few of them that decide.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "tern/engine.h"

namespace tern {

// A token that may be drawn, with its probability among all that may be.
struct Candidate {
  int32_t id;
  double probability;
};

// A token's logit, after the repetition penalty.
struct ScoredToken {
  int32_t id;
  double score;
};

// Orders tokens best first; a total order, so no result depends on how a standard library sorts. Every filter keeps a
// beginning of this order.
inline bool better(const ScoredToken& a, const ScoredToken& b) {
  return a.score > b.score || (a.score == b.score && a.id < b.id);
}

// Tokens with exact scores, which need not be all.
struct KnownTokens {
  std::vector<ScoredToken> tokens;  // in any order
  // Every token that may be drawn and has at least this score is among them; -Inf: all are.
  double floor = -std::numeric_limits<double>::infinity();
  // Between these lies Σ exp((score - best score) / temperature) over all tokens that may be drawn. Needed by a top-p
  // without top-k.
  double least_total = 0, most_total = std::numeric_limits<double>::infinity();
};

// The filters of SamplingOptions in their documented order, computed in double. Its only state are the tokens seen.
class Sampler {
 public:
  // Throws Error naming the option that is out of range.
  explicit Sampler(const SamplingOptions& options);

  // From now on the repetition penalty counts these tokens as seen.
  void observe(std::span<const int32_t> ids);

  // The tokens that pass every filter, in ascending order of ids; their probabilities sum to 1. Greedy is the one token
  // with the largest logit, the lowest id among equals; where a filter cuts between equals, it keeps the lower ids.
  // `allowed` (bit i % 64 of word i / 64 for each token; empty for all) takes the others out first. Throws Error when
  // there are no logits, an allowed one is NaN or +Inf, or all of them are -Inf.
  std::vector<Candidate> candidates(std::span<const float> logits, std::span<const uint64_t> allowed = {}) const;

  // Draws from candidates(logits, allowed) with the random number that (seed, index) names: the same arguments, the
  // same token.
  int32_t sample(std::span<const float> logits, uint64_t index, std::span<const uint64_t> allowed = {}) const;

  // The candidates that all scores would give, bit for bit, or nothing when the known ones do not decide.
  std::optional<std::vector<Candidate>> candidates(KnownTokens known) const;
  // Draws from them.
  int32_t draw(std::span<const Candidate> candidates, uint64_t index) const;
  // The random number in [0, 1) that decides.
  double number(uint64_t index) const;

  const SamplingOptions& options() const { return options_; }
  // The tokens below `end` whose logits the penalty changes, ascending.
  std::vector<int32_t> penalized(int64_t end) const;
  // The same in bits, bit i % 64 of word i / 64; words that are missing are 0.
  std::span<const uint64_t> penalized_bits() const { return seen_; }
  bool is_penalized(int32_t id) const;
  // The score of one of them.
  double penalized_score(float logit) const;

 private:
  SamplingOptions options_;
  std::vector<uint64_t> seen_;  // bits; none without a penalty
};

}  // namespace tern
