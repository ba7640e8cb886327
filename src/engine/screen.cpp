// SPDX-License-Identifier: Apache-2.0
#include "engine/screen.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "engine/scores.h"

namespace tern {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Rescoring a row reads 16 bits a weight, here and there, where the whole head reads them in one stream: beyond an
// eighth of the rows, or a 64th for a mask that would spare the codes, too, little is left to gain.
constexpr int64_t kMostShare = 8, kFewShare = 64;

// Looks this far below the best for a top-p, in multiples of the temperature: what is further down weighs e^-8 each.
constexpr double kTopPDepth = 8;

// The exact scores of some tokens; nothing when a logit is NaN or +Inf.
std::optional<std::vector<ScoredToken>> exact_scores(const Model& model, const Tensor& hidden,
                                                     std::span<const int64_t> ids, int64_t& rescored) {
  rescored += std::ssize(ids);
  const std::vector<float> logits = model.head_logits(hidden, ids).to_vector<float>();
  if (!all_below_infinity(logits)) return std::nullopt;
  std::vector<ScoredToken> tokens;
  tokens.reserve(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    tokens.push_back({static_cast<int32_t>(ids[i]), static_cast<double>(logits[i])});
  }
  return tokens;
}

// The tokens whose scores the penalty changes have no bounds: they are rescored always.
std::optional<std::vector<ScoredToken>> penalized_scores(const Model& model, const Tensor& hidden,
                                                         const Sampler& sampler, std::span<const uint64_t> allowed,
                                                         size_t most, int64_t& rescored) {
  std::vector<int64_t> ids;
  for (const int32_t id : sampler.penalized(model.config().vocab_size)) {
    if (is_allowed(allowed, id)) ids.push_back(id);
  }
  if (ids.empty()) return std::vector<ScoredToken>();
  if (ids.size() > most) return std::nullopt;
  std::optional<std::vector<ScoredToken>> tokens = exact_scores(model, hidden, ids, rescored);
  if (tokens) {
    for (ScoredToken& token : *tokens) token.score = sampler.penalized_score(static_cast<float>(token.score));
  }
  return tokens;
}

// What a score must reach to matter: the least of so many best scores, less `drop`. No token that the filters keep is
// below it.
struct FloorRule {
  size_t best;
  double drop;
};

FloorRule floor_rule(const SamplingOptions& options) {
  if (options.temperature == 0) return {1, 0};
  if (options.top_k > 0) return {static_cast<size_t>(options.top_k), 0};
  // A little further than min-p asks, for the roundings of exp and log.
  const double min_p_depth = options.min_p > 0 ? -std::log(options.min_p) + 1e-6 : kInfinity;
  const double depth = options.top_p < 1 ? std::min(min_p_depth, kTopPDepth) : min_p_depth;
  return {1, depth * options.temperature};
}

// The tokens with the best lower bounds, as many as set the floor. With their exact scores in its place the floor is
// nearer to what it can be by a bound's width, which leaves a tenth of the rows (models/head.cpp).
std::vector<int64_t> leaders(const FloorRule& rule, std::span<const float> low) {
  BestTokens best(rule.best);
  best.add(low);
  std::vector<int64_t> ids;
  for (const ScoredToken& token : best.take()) ids.push_back(token.id);
  std::sort(ids.begin(), ids.end());  // ascending, as the weights lie
  return ids;
}

// From lower bounds of the scores: those of the best are at most the best.
double floor_of(const FloorRule& rule, std::span<const float> low, std::span<const ScoredToken> known) {
  if (rule.best == 1) {
    auto best = static_cast<double>(largest_of(low));
    for (const ScoredToken& token : known) best = std::max(best, token.score);
    return best - rule.drop;
  }
  BestTokens best(rule.best);
  best.add(low);
  for (const ScoredToken& token : known) best.add(token);
  const std::vector<ScoredToken> found = best.take();
  return found.size() < rule.best ? -kInfinity
                                  : std::max_element(found.begin(), found.end(), better)->score - rule.drop;
}

// The tokens whose score may be at least `floor`: where a bound is NaN, nothing is known of it. Nothing if they are
// more than `most`.
std::optional<std::vector<int64_t>> survivors(std::span<const float> high, double floor, size_t most) {
  constexpr size_t kBlock = 64;
  std::vector<int64_t> ids;
  using Float = std::numeric_limits<float>;
  // At most the floor, and above the -Inf of tokens that are out.
  const float limit = std::max(std::nextafter(static_cast<float>(floor), -Float::infinity()), Float::lowest());
  for (size_t begin = 0; begin < high.size(); begin += kBlock) {
    const auto block = high.subspan(begin, std::min(kBlock, high.size() - begin));
    int any = 0;
    for (const float bound : block) any |= !(bound < limit);
    if (any == 0) continue;
    for (size_t i = 0; i < block.size(); ++i) {
      if (!(block[i] < limit)) ids.push_back(static_cast<int64_t>(begin + i));
    }
    if (ids.size() > most) return std::nullopt;
  }
  return ids;
}

// At most Σ exp((score - best) / temperature) over bounds above -Inf.
double most_weight(std::span<const float> high, double best, double temperature) {
  double sum = 0;
  for (const float bound : high) {
    const double exponent = (static_cast<double>(bound) - best) / temperature;
    sum += exponent < -80 ? 1e-34 : std::exp(exponent);
  }
  return sum * (1 + 1e-9);
}

double known_weight(std::span<const ScoredToken> tokens, double best, double temperature) {
  double sum = 0;
  for (const ScoredToken& token : tokens) sum += std::exp((token.score - best) / temperature);
  return sum;
}

bool needs_total(const SamplingOptions& options) {
  return options.temperature > 0 && options.top_k == 0 && options.top_p < 1;
}

double best_of(std::span<const ScoredToken> tokens) {
  double best = -kInfinity;
  for (const ScoredToken& token : tokens) best = std::max(best, token.score);
  return best;
}

// The total is between these sums; sums of the same weights in another order differ by less than the margin.
void set_total(KnownTokens& known, double least, double most) {
  known.least_total = least * (1 - 1e-9);
  known.most_total = most * (1 + 1e-9);
}

}  // namespace

bool can_screen(const Sampler& sampler) {
  const SamplingOptions& o = sampler.options();
  return o.temperature == 0 || o.top_k > 0 || o.top_p < 1 || o.min_p > 0;
}

std::optional<std::vector<Candidate>> screened_candidates(const Model& model, const Tensor& hidden,
                                                          std::span<float> low, std::span<float> high,
                                                          const Sampler& sampler, std::span<const uint64_t> allowed,
                                                          int64_t& rescored) {
  const SamplingOptions& options = sampler.options();
  const size_t most = high.size() / kMostShare + 1;
  if (options.top_k > 0 && static_cast<uint64_t>(options.top_k) > most) return std::nullopt;
  std::optional<std::vector<ScoredToken>> penalized = penalized_scores(model, hidden, sampler, allowed, most, rescored);
  if (!penalized) return std::nullopt;
  KnownTokens known = {std::move(*penalized)};
  constexpr float kNothing = -std::numeric_limits<float>::infinity();
  for (const std::span<float> bounds : {low, high}) {
    forbid(bounds, allowed);
    for (const ScoredToken& token : known.tokens) bounds[static_cast<size_t>(token.id)] = kNothing;
  }
  // The exact scores of more tokens; their bounds have no more to say.
  const auto rescore = [&](const std::vector<int64_t>& ids) {
    if (ids.empty()) return true;
    const std::optional<std::vector<ScoredToken>> exact = exact_scores(model, hidden, ids, rescored);
    if (!exact) return false;
    known.tokens.insert(known.tokens.end(), exact->begin(), exact->end());
    for (const int64_t id : ids) low[static_cast<size_t>(id)] = high[static_cast<size_t>(id)] = kNothing;
    return true;
  };
  const FloorRule rule = floor_rule(options);
  if (!rescore(leaders(rule, low))) return std::nullopt;
  known.floor = floor_of(rule, low, known.tokens);
  if (!std::isfinite(known.floor)) return std::nullopt;
  const std::optional<std::vector<int64_t>> ids = survivors(high, known.floor, most);
  if (!ids || !rescore(*ids)) return std::nullopt;
  if (needs_total(options)) {
    const double best = best_of(known.tokens), sum = known_weight(known.tokens, best, options.temperature);
    set_total(known, sum, sum + most_weight(high, best, options.temperature));
  }
  return sampler.candidates(std::move(known));
}

std::optional<std::vector<Candidate>> few_candidates(const Model& model, const Tensor& hidden, const Sampler& sampler,
                                                     std::span<const uint64_t> allowed, int64_t& rescored) {
  const int64_t vocabulary = model.config().vocab_size;
  int64_t count = 0;
  for (const uint64_t word : allowed) count += std::popcount(word);
  if (count == 0 || count > vocabulary / kFewShare + 1) return std::nullopt;
  std::vector<int64_t> ids;
  for (int64_t id = 0; id < vocabulary; ++id) {
    if (allowed[static_cast<size_t>(id / 64)] == 0) {
      id |= 63;
    } else if (is_allowed(allowed, id)) {
      ids.push_back(id);
    }
  }
  std::optional<std::vector<ScoredToken>> tokens = exact_scores(model, hidden, ids, rescored);
  if (!tokens) return std::nullopt;
  for (ScoredToken& token : *tokens) {
    if (sampler.is_penalized(token.id)) token.score = sampler.penalized_score(static_cast<float>(token.score));
  }
  const double best = best_of(*tokens);
  if (best == -kInfinity) return std::nullopt;
  KnownTokens known = {std::move(*tokens)};
  const double sum =
      sampler.options().temperature > 0 ? known_weight(known.tokens, best, sampler.options().temperature) : 0;
  set_total(known, sum, sum);
  return sampler.candidates(std::move(known));
}

bool can_search(const Sampler& sampler) {
  return can_screen(sampler) && floor_rule(sampler.options()).best <= static_cast<size_t>(kMostLeaders);
}

ScoreSearch search_for(const Sampler& sampler, std::span<const uint64_t> allowed) {
  const SamplingOptions& options = sampler.options();
  const FloorRule rule = floor_rule(options);
  return {.allowed = allowed,
          .penalized = sampler.penalized_bits(),
          .penalty = options.repetition_penalty,
          .leaders = static_cast<int64_t>(rule.best),
          .drop = rule.drop,
          .temperature = needs_total(options) ? options.temperature : 0};
}

int64_t most_found(int64_t vocabulary) {
  constexpr int64_t kMost = 4096;  // the host sorts them
  return std::min(vocabulary / kMostShare + 1 + kMostLeaders, kMost);
}

std::optional<std::vector<Candidate>> found_candidates(const Sampler& sampler, const FoundScores& found,
                                                       bool by_bounds) {
  const SamplingOptions& options = sampler.options();
  if (!found.decided) return std::nullopt;
  KnownTokens known = {{}, found.least - floor_rule(options).drop};
  for (const FoundScore& token : found.tokens) {
    const auto value = static_cast<double>(token.value);
    if (!(value < kInfinity)) return std::nullopt;
    known.tokens.push_back({token.id, sampler.is_penalized(token.id) ? sampler.penalized_score(token.value) : value});
  }
  const double best = best_of(known.tokens);
  if (best == -kInfinity) return std::nullopt;
  if (needs_total(options)) {
    const double sum = known_weight(known.tokens, best, options.temperature);
    const double rest = found.rest * std::exp((found.least - best) / options.temperature);
    set_total(known, by_bounds ? sum : sum + rest, sum + rest);
  }
  return sampler.candidates(std::move(known));
}

bool can_draw(const Sampler& sampler, int64_t vocabulary) {
  const SamplingOptions& o = sampler.options();
  return o.temperature > 0 && (o.top_k == 0 || o.top_k >= vocabulary) && o.top_p == 1 && o.min_p == 0;
}

ScoreSearch draw_for(const Sampler& sampler, std::span<const uint64_t> allowed, uint64_t index) {
  const SamplingOptions& options = sampler.options();
  return {.allowed = allowed,
          .penalized = sampler.penalized_bits(),
          .penalty = options.repetition_penalty,
          .temperature = options.temperature,
          .number = sampler.number(index)};
}

// Every sum of n weights, here, on the device or in Sampler, is off by n roundings of 2^-53 at most, and there are four
// of them: the device's, its total, the sampler's total and its sum of probabilities. A weight is off by the roundings
// of its exponent, at most 745 in magnitude where exp is not 0: 3 · 745 · 2^-53 on either side, and those of exp.
std::optional<int32_t> drawn_token(const DrawnScore& drawn, double number, int64_t vocabulary) {
  if (drawn.id < 0 || !(drawn.total < kInfinity)) return std::nullopt;
  const double margin = drawn.total * (static_cast<double>(vocabulary) * 0x1p-50 + 0x1p-40);
  const double at = number * drawn.total;
  if (!(drawn.before + margin <= at && at + margin < drawn.through)) return std::nullopt;
  return static_cast<int32_t>(drawn.id);
}

}  // namespace tern
