// SPDX-License-Identifier: Apache-2.0
// The lossless cheap path from a hidden row to a token: bounds of the logits leave few tokens that can matter, and only
// their logits are computed, with the arithmetic of the whole head.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/sampler.h"
#include "ops/scores.h"
#include "tern/model.h"

namespace tern {

// True when few enough tokens of a vocabulary can matter to the sampler for a screen to be worth a try: it is greedy,
// or has a filter.
bool can_screen(const Sampler& sampler);

// The candidates that Sampler::candidates would give for all logits of `hidden` f32 [hidden_size], bit for bit, or
// nothing when the bounds low and high [vocab], which it may overwrite, do not decide: too many tokens are left, a
// filter's cut is open, or a logit is NaN or infinite. Adds the number of logits computed to `rescored`.
std::optional<std::vector<Candidate>> screened_candidates(const Model& model, const Tensor& hidden,
                                                          std::span<float> low, std::span<float> high,
                                                          const Sampler& sampler, std::span<const uint64_t> allowed,
                                                          int64_t& rescored);

// The same from the allowed tokens alone, for a mask that leaves few; nothing when it does not, or for an infinite
// logit.
std::optional<std::vector<Candidate>> few_candidates(const Model& model, const Tensor& hidden, const Sampler& sampler,
                                                     std::span<const uint64_t> allowed, int64_t& rescored);

// ---- where the device looks through scores itself (ops/scores.h)

// True when it can, for a sampler that a screen is worth a try for.
bool can_search(const Sampler& sampler);
ScoreSearch search_for(const Sampler& sampler, std::span<const uint64_t> allowed);
// How many tokens may be found in a row of a vocabulary.
int64_t most_found(int64_t vocabulary);
// As screened_candidates, from what was found: among all scores themselves, or by bounds of them.
std::optional<std::vector<Candidate>> found_candidates(const Sampler& sampler, const FoundScores& found,
                                                       bool by_bounds);

// The same for a sampler without a filter, which draws among all tokens by their weights: whether it is one, and the
// token that Sampler::sample would draw, or nothing when the number falls too near to the edge of a token for sums that
// are rounded in another order.
bool can_draw(const Sampler& sampler, int64_t vocabulary);
ScoreSearch draw_for(const Sampler& sampler, std::span<const uint64_t> allowed, uint64_t index);
std::optional<int32_t> drawn_token(const DrawnScore& drawn, double number, int64_t vocabulary);

}  // namespace tern
