// SPDX-License-Identifier: Apache-2.0
#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "base/random.h"

namespace tern {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A token on its way through the filters: first its logit, then its probability up to a factor.
struct Scored {
  int32_t id;
  double score;
};

// Orders tokens best first; a total order, so no result depends on how a standard library sorts.
bool better(const Scored& a, const Scored& b) { return a.score > b.score || (a.score == b.score && a.id < b.id); }

std::vector<Scored> scored(std::span<const float> logits) {
  check(!logits.empty(), "sample", "expected logits, got none");
  std::vector<Scored> tokens(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    check(logits[i] < kInfinity, "sample", "expected finite logits, got {} for token {}", logits[i], i);
    tokens[i] = {static_cast<int32_t>(i), static_cast<double>(logits[i])};
  }
  return tokens;
}

void penalize(std::vector<Scored>& tokens, const std::unordered_set<int32_t>& seen, double penalty) {
  if (penalty == 1.0) return;
  for (const int32_t id : seen) {
    if (id < 0 || static_cast<size_t>(id) >= tokens.size()) continue;
    double& logit = tokens[static_cast<size_t>(id)].score;
    logit = logit > 0 ? logit / penalty : logit * penalty;
  }
}

const Scored& best(const std::vector<Scored>& tokens) {
  const Scored& first = *std::min_element(tokens.begin(), tokens.end(), better);
  check(first.score > -kInfinity, "sample", "expected a logit above -Inf, got none");
  return first;
}

// Logits to probabilities up to a factor: 1 for the best token.
void exponentiate(std::vector<Scored>& tokens, double temperature) {
  const double largest = best(tokens).score;
  for (Scored& token : tokens) token.score = std::exp((token.score - largest) / temperature);
}

void keep_top_k(std::vector<Scored>& tokens, int64_t k) {
  if (k == 0 || static_cast<size_t>(k) >= tokens.size()) return;
  std::nth_element(tokens.begin(), tokens.begin() + k, tokens.end(), better);
  tokens.resize(static_cast<size_t>(k));
}

double total(const std::vector<Scored>& tokens) {
  double sum = 0;
  for (const Scored& token : tokens) sum += token.score;
  return sum;
}

// Takes the best tokens off a heap until they have the share p: a full sort of a large vocabulary would be wasted.
void keep_top_p(std::vector<Scored>& tokens, double p) {
  if (p >= 1.0) return;
  const double wanted = p * total(tokens);
  const auto worse = [](const Scored& a, const Scored& b) { return better(b, a); };
  std::make_heap(tokens.begin(), tokens.end(), worse);
  auto rest = tokens.end();
  for (double sum = 0; sum < wanted && rest != tokens.begin(); sum += rest->score) {
    std::pop_heap(tokens.begin(), rest--, worse);
  }
  tokens.erase(tokens.begin(), rest);
}

void keep_min_p(std::vector<Scored>& tokens, double share) {
  if (share == 0) return;
  const double limit = share * best(tokens).score;
  std::erase_if(tokens, [&](const Scored& token) { return token.score < limit; });
}

std::vector<Candidate> normalized(std::vector<Scored>& tokens) {
  std::erase_if(tokens, [](const Scored& token) { return token.score == 0; });
  const auto by_id = [](const Scored& a, const Scored& b) { return a.id < b.id; };
  if (!std::is_sorted(tokens.begin(), tokens.end(), by_id)) std::sort(tokens.begin(), tokens.end(), by_id);
  const double sum = total(tokens);
  std::vector<Candidate> out;
  out.reserve(tokens.size());
  for (const Scored& token : tokens) out.push_back({token.id, token.score / sum});
  return out;
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

std::vector<Candidate> Sampler::candidates(std::span<const float> logits) const {
  std::vector<Scored> tokens = scored(logits);
  penalize(tokens, seen_, options_.repetition_penalty);
  if (options_.temperature == 0) return {{best(tokens).id, 1.0}};
  exponentiate(tokens, options_.temperature);
  keep_top_k(tokens, options_.top_k);
  keep_top_p(tokens, options_.top_p);
  keep_min_p(tokens, options_.min_p);
  return normalized(tokens);
}

int32_t Sampler::sample(std::span<const float> logits, uint64_t index) const {
  const std::vector<Candidate> all = candidates(logits);
  const double u = Random(options_.seed, index).uniform();
  double sum = 0;
  for (const Candidate& candidate : all) {
    sum += candidate.probability;
    if (u < sum) return candidate.id;
  }
  return all.back().id;  // rounding left the sum below u
}

}  // namespace tern
