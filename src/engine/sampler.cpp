// SPDX-License-Identifier: Apache-2.0
#include "engine/sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "engine/scores.h"

namespace tern {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// All scores of a row: the logits that are what they are, and those that the penalty changed.
class Scores {
 public:
  Scores(const Sampler& sampler, std::span<const float> logits, std::span<const uint64_t> allowed) : open_(logits) {
    check(!logits.empty(), "sample", "expected logits, got none");
    const auto count = std::ssize(logits);
    check(allowed.empty() || std::ssize(allowed) == (count + 63) / 64, "sample",
          "expected a mask of {} words for {} logits, got {}", (count + 63) / 64, count, allowed.size());
    std::vector<int32_t> penalized = sampler.penalized(count);
    std::erase_if(penalized, [&](int32_t id) { return !is_allowed(allowed, id); });
    if (!allowed.empty() || !penalized.empty()) {
      copy_.assign(logits.begin(), logits.end());
      forbid(copy_, allowed);
      open_ = copy_;
    }
    check_finite();
    for (const int32_t id : penalized) {
      float& logit = copy_[static_cast<size_t>(id)];
      penalized_.push_back({id, sampler.penalized_score(logit)});
      logit = -std::numeric_limits<float>::infinity();
    }
    const float largest = largest_of(open_);
    const auto at = std::find(open_.begin(), open_.end(), largest);
    best_ = {static_cast<int32_t>(at - open_.begin()), static_cast<double>(largest)};
    for (const ScoredToken& token : penalized_) best_ = better(token, best_) ? token : best_;
    check(best_.score > -kInfinity, "sample", "expected a logit above -Inf, got none");
  }

  const ScoredToken& best() const { return best_; }
  size_t size() const { return open_.size(); }

  // The tokens with at least this score; -Inf gives all that are above it.
  std::vector<ScoredToken> at_least(double floor) const {
    std::vector<ScoredToken> tokens;
    const auto keep = [&](ScoredToken token) {
      if (token.score >= floor && token.score > -kInfinity) tokens.push_back(token);
    };
    for (size_t i = 0; i < open_.size(); ++i) keep({static_cast<int32_t>(i), static_cast<double>(open_[i])});
    for (const ScoredToken& token : penalized_) keep(token);
    return tokens;
  }

  std::vector<ScoredToken> best_of(size_t k) const {
    BestTokens best(k);
    best.add(open_);
    for (const ScoredToken& token : penalized_) {
      if (token.score > -kInfinity) best.add(token);
    }
    return best.take();
  }

  // Σ exp((score - best) / temperature): ascending ids, the penalized ones last.
  double total(double temperature) const {
    double sum = 0;
    const auto add = [&](double score) { sum += std::exp((score - best_.score) / temperature); };
    for (const float logit : open_) add(static_cast<double>(logit));
    for (const ScoredToken& token : penalized_) add(token.score);
    return sum;
  }

 private:
  void check_finite() const {
    if (all_below_infinity(open_)) return;
    const auto bad =
        std::find_if(open_.begin(), open_.end(), [](float logit) { return !(static_cast<double>(logit) < kInfinity); });
    fail("sample", "expected finite logits, got {} for token {}", *bad, bad - open_.begin());
  }

  std::vector<float> copy_;
  std::span<const float> open_;
  std::vector<ScoredToken> penalized_;
  ScoredToken best_;
};

// The first tokens of a sorted list that pass top-k, top-p and min-p, with their weights (1 for the best), or nothing
// when that depends on tokens below the floor.
class Cut {
 public:
  Cut(const SamplingOptions& options, const KnownTokens& known) : options_(options), known_(known) {}

  std::optional<std::vector<ScoredToken>> run() {
    const std::vector<ScoredToken>& tokens = known_.tokens;
    if (tokens.empty() || below(tokens[0])) return std::nullopt;
    const auto k = static_cast<uint64_t>(options_.top_k);
    const bool cuts_at_k = k > 0 && (k <= tokens.size() || complete());
    const size_t end = cuts_at_k ? static_cast<size_t>(std::min<uint64_t>(k, tokens.size())) : tokens.size();
    double least = known_.least_total, most = known_.most_total;
    if (k > 0 && options_.top_p < 1) {
      if (!cuts_at_k || below(tokens[end - 1])) return std::nullopt;
      least = most = 0;
      for (size_t i = 0; i < end; ++i) least += weight(tokens[i].score);
      most = least;
    }
    double sum = 0;
    for (size_t i = 0; i < end; ++i) {
      const double share = weight(tokens[i].score);
      if (below(tokens[i])) return rest_is_out() ? kept() : std::nullopt;
      if (share == 0 || share < options_.min_p) return kept();
      if (options_.top_p < 1 && sum >= options_.top_p * most) return kept();
      if (options_.top_p < 1 && sum >= options_.top_p * least) return std::nullopt;
      kept_.push_back({tokens[i].id, share});
      sum += share;
    }
    const bool ended = cuts_at_k || complete() || rest_is_out() || (options_.top_p < 1 && sum >= options_.top_p * most);
    return ended ? kept() : std::nullopt;
  }

 private:
  double weight(double score) const { return std::exp((score - known_.tokens[0].score) / options_.temperature); }
  bool complete() const { return known_.floor == -kInfinity; }
  // Tokens that are not known may come before it.
  bool below(const ScoredToken& token) const { return token.score < known_.floor; }
  // No token below the floor has a weight that counts; exp is off by less than this margin.
  bool rest_is_out() const {
    const double greatest = weight(known_.floor) * (1 + 1e-12);
    return greatest == 0 || greatest < options_.min_p;
  }
  std::optional<std::vector<ScoredToken>> kept() { return std::move(kept_); }

  const SamplingOptions& options_;
  const KnownTokens& known_;
  std::vector<ScoredToken> kept_;
};

std::vector<Candidate> normalized(std::vector<ScoredToken> tokens) {
  std::sort(tokens.begin(), tokens.end(), [](const ScoredToken& a, const ScoredToken& b) { return a.id < b.id; });
  double sum = 0;
  for (const ScoredToken& token : tokens) sum += token.score;
  std::vector<Candidate> out;
  out.reserve(tokens.size());
  for (const ScoredToken& token : tokens) out.push_back({token.id, token.score / sum});
  return out;
}

// Every token, when no filter cuts: no order is needed.
std::vector<Candidate> all_of(const Scores& scores, double temperature) {
  std::vector<ScoredToken> tokens = scores.at_least(-kInfinity);
  for (ScoredToken& token : tokens) token.score = std::exp((token.score - scores.best().score) / temperature);
  std::erase_if(tokens, [](const ScoredToken& token) { return token.score == 0; });
  return normalized(std::move(tokens));
}

}  // namespace

Sampler::Sampler(const SamplingOptions& options) : options_(options) {
  constexpr const char* op = "sample";
  const auto [temperature, top_k, top_p, min_p, repetition_penalty, seed] = options;
  check(temperature >= 0 && temperature < kInfinity, op, "expected a temperature of at least 0, got {}", temperature);
  check(top_k >= 0, op, "expected a top_k of at least 0, got {}", top_k);
  check(top_p > 0 && top_p <= 1, op, "expected a top_p in (0, 1], got {}", top_p);
  check(min_p >= 0 && min_p <= 1, op, "expected a min_p in [0, 1], got {}", min_p);
  check(repetition_penalty > 0 && repetition_penalty < kInfinity, op, "expected a repetition_penalty above 0, got {}",
        repetition_penalty);
}

void Sampler::observe(std::span<const int32_t> ids) {
  if (options_.repetition_penalty == 1.0) return;
  for (const int32_t id : ids) {
    if (id < 0) continue;
    const auto word = static_cast<size_t>(id / 64);
    if (word >= seen_.size()) seen_.resize(word + 1);
    seen_[word] |= uint64_t{1} << (id % 64);
  }
}

bool Sampler::is_penalized(int32_t id) const {
  const auto word = static_cast<size_t>(id / 64);
  return word < seen_.size() && (seen_[word] >> (id % 64) & 1) != 0;
}

std::vector<int32_t> Sampler::penalized(int64_t end) const {
  std::vector<int32_t> ids;
  for (size_t word = 0; word < seen_.size(); ++word) {
    for (uint64_t bits = seen_[word]; bits != 0; bits &= bits - 1) {
      const auto id = static_cast<int64_t>(64 * word) + std::countr_zero(bits);
      if (id < end) ids.push_back(static_cast<int32_t>(id));
    }
  }
  return ids;
}

double Sampler::penalized_score(float logit) const {
  const auto score = static_cast<double>(logit);
  return score > 0 ? score / options_.repetition_penalty : score * options_.repetition_penalty;
}

std::optional<std::vector<Candidate>> Sampler::candidates(KnownTokens known) const {
  std::sort(known.tokens.begin(), known.tokens.end(), better);
  if (options_.temperature == 0) {
    if (known.tokens.empty() || known.tokens[0].score < known.floor) return std::nullopt;
    return std::vector<Candidate>{{known.tokens[0].id, 1.0}};
  }
  std::optional<std::vector<ScoredToken>> kept = Cut(options_, known).run();
  if (!kept) return std::nullopt;
  return normalized(std::move(*kept));
}

std::vector<Candidate> Sampler::candidates(std::span<const float> logits, std::span<const uint64_t> allowed) const {
  const Scores scores(*this, logits, allowed);
  if (options_.temperature == 0) return {{scores.best().id, 1.0}};
  if (options_.top_k > 0 && static_cast<uint64_t>(options_.top_k) < scores.size()) {
    return *candidates(KnownTokens{scores.best_of(static_cast<size_t>(options_.top_k)), -kInfinity, 0, 0});
  }
  if (options_.top_p == 1 && options_.min_p == 0) return all_of(scores, options_.temperature);
  // How far down the filters reach is not known: look at the best, and further only if they do not decide.
  const bool needs_total = options_.top_p < 1 && options_.top_k == 0;
  const double total = needs_total ? scores.total(options_.temperature) : 0;
  for (const double depth : {4.0, 8.0, 16.0}) {
    const double floor = scores.best().score - depth * options_.temperature;
    if (auto decided = candidates(KnownTokens{scores.at_least(floor), floor, total, total})) return *decided;
  }
  return *candidates(KnownTokens{scores.at_least(-kInfinity), -kInfinity, total, total});
}

double Sampler::number(uint64_t index) const { return Random(options_.seed, index).uniform(); }

int32_t Sampler::draw(std::span<const Candidate> candidates, uint64_t index) const {
  const double u = number(index);
  double sum = 0;
  for (const Candidate& candidate : candidates) {
    sum += candidate.probability;
    if (u < sum) return candidate.id;
  }
  return candidates.back().id;  // rounding left the sum below u
}

int32_t Sampler::sample(std::span<const float> logits, uint64_t index, std::span<const uint64_t> allowed) const {
  return draw(candidates(logits, allowed), index);
}

}  // namespace tern
