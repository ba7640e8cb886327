// SPDX-License-Identifier: Apache-2.0
#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <set>

namespace tern {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// The filters as the public header words them, each over the whole vocabulary, with a full sort.
std::map<int32_t, double> reference(const std::vector<float>& logits, const std::set<int32_t>& seen,
                                    const SamplingOptions& o) {
  std::vector<double> score(logits.begin(), logits.end());
  for (const int32_t id : seen) {
    double& s = score[static_cast<size_t>(id)];
    s = s > 0 ? s / o.repetition_penalty : s * o.repetition_penalty;
  }
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto at = [&](int32_t id) { return score[static_cast<size_t>(id)]; };
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return at(a) > at(b); });
  if (o.temperature == 0) return {{order[0], 1.0}};
  if (o.top_k > 0) order.resize(std::min(order.size(), static_cast<size_t>(o.top_k)));

  std::vector<double> weight;
  for (const int32_t id : order) weight.push_back(std::exp((at(id) - at(order[0])) / o.temperature));
  const double all = std::accumulate(weight.begin(), weight.end(), 0.0);
  size_t kept = order.size();
  if (o.top_p < 1) {
    double sum = 0;
    for (kept = 0; kept < order.size() && sum < o.top_p * all; ++kept) sum += weight[kept];
  }
  std::map<int32_t, double> out;
  double sum = 0;
  for (size_t i = 0; i < kept; ++i) {
    if (weight[i] < o.min_p * weight[0] || weight[i] == 0) continue;
    out[order[i]] = weight[i];
    sum += weight[i];
  }
  for (auto& [id, probability] : out) probability /= sum;
  return out;
}

void expect_reference(const std::vector<float>& logits, const std::set<int32_t>& seen, const SamplingOptions& options) {
  Sampler sampler(options);
  const std::vector<int32_t> ids(seen.begin(), seen.end());
  sampler.observe(ids);
  const std::map<int32_t, double> expected = reference(logits, seen, options);
  const std::vector<Candidate> got = sampler.candidates(logits);
  ASSERT_EQ(got.size(), expected.size());
  auto next = expected.begin();
  for (const Candidate& candidate : got) {
    EXPECT_EQ(candidate.id, next->first);
    EXPECT_NEAR(candidate.probability, next->second, 1e-12);
    ++next;
  }
}

std::vector<float> random_logits(size_t count, std::mt19937& random) {
  std::vector<float> logits(count);
  std::normal_distribution<float> normal(0, 3);
  for (float& x : logits) x = normal(random);
  return logits;
}

TEST(Sampler, CandidatesEqualTheNaiveReference) {
  std::mt19937 random(1);
  const auto pick = [&](auto... values) {
    const std::common_type_t<decltype(values)...> all[] = {values...};
    return all[random() % sizeof...(values)];
  };
  for (int round = 0; round < 500; ++round) {
    const auto count = static_cast<size_t>(pick(1, 2, 3, 17, 101));
    const std::vector<float> logits = random_logits(count, random);
    SamplingOptions options;
    options.temperature = pick(0.0, 0.3, 1.0, 1.7);
    options.top_k = pick(0, 1, 2, 5, 1000);
    options.top_p = pick(1e-9, 0.2, 0.5, 0.93, 1.0);
    options.min_p = pick(0.0, 0.01, 0.3, 1.0);
    options.repetition_penalty = pick(0.7, 1.0, 1.3, 4.0);
    std::set<int32_t> seen;
    for (size_t i = random() % 5; i > 0; --i) seen.insert(static_cast<int32_t>(random() % count));
    expect_reference(logits, seen, options);
  }
}

TEST(Sampler, CutsBetweenEqualsByLowestId) {
  const std::vector<float> equal = {1, 2, 2, 2, 2, 1};
  for (const double temperature : {0.0, 1.0}) {
    for (const int64_t top_k : {1, 2, 3}) {
      SamplingOptions options{.temperature = temperature, .top_k = top_k};
      expect_reference(equal, {}, options);
    }
  }
  expect_reference(equal, {}, {.temperature = 1.0, .top_p = 0.3});
  EXPECT_EQ(Sampler({}).sample(equal, 0), 1);
}

TEST(Sampler, DrawsFollowTheProbabilities) {
  const std::vector<float> logits = {0.5f, -1.0f, 2.0f, 2.0f, -kInf, 0.0f, 1.0f, -0.5f, -3.0f, 1.5f};
  for (const auto& options :
       {SamplingOptions{.temperature = 1.0, .seed = 1}, SamplingOptions{.temperature = 2.5, .top_k = 6, .seed = 2},
        SamplingOptions{.temperature = 1.5, .top_p = 0.9, .min_p = 0.2, .seed = 3}}) {
    constexpr int kDraws = 200'000;
    const std::map<int32_t, double> expected = reference(logits, {}, options);
    const Sampler sampler(options);
    std::map<int32_t, int> counts;
    for (int i = 0; i < kDraws; ++i) ++counts[sampler.sample(logits, static_cast<uint64_t>(i))];
    double chi_square = 0;
    for (const auto& [id, count] : counts) ASSERT_TRUE(expected.contains(id)) << id << " drawn " << count << " times";
    for (const auto& [id, probability] : expected) {
      const double mean = probability * kDraws;
      chi_square += (counts[id] - mean) * (counts[id] - mean) / mean;
    }
    // The 1 - 1e-6 quantile by Wilson and Hilferty's approximation.
    const auto freedom = static_cast<double>(expected.size() - 1);
    const double quantile = freedom * std::pow(1 - 2 / (9 * freedom) + 4.75 * std::sqrt(2 / (9 * freedom)), 3);
    EXPECT_LT(chi_square, quantile);
  }
}

TEST(Sampler, SeedAndIndexNameTheDraw) {
  std::mt19937 random(2);
  const std::vector<float> logits = random_logits(50, random);
  const auto draws = [&](uint64_t seed) {
    const Sampler sampler({.temperature = 1.0, .seed = seed});
    std::vector<int32_t> ids;
    for (uint64_t i = 0; i < 100; ++i) ids.push_back(sampler.sample(logits, i));
    return ids;
  };
  EXPECT_EQ(draws(7), draws(7));
  EXPECT_NE(draws(7), draws(8));
}

TEST(Sampler, PenalizesSeenTokensOnceAndIgnoresUnknownOnes) {
  Sampler sampler({.repetition_penalty = 2.0});
  const std::vector<int32_t> seen = {0, 0, 0, -1, 99};
  sampler.observe(seen);
  EXPECT_EQ(sampler.sample(std::vector<float>{4.0f, 1.9f}, 0), 0);
  EXPECT_EQ(sampler.sample(std::vector<float>{4.0f, 2.1f}, 0), 1);
  EXPECT_EQ(sampler.sample(std::vector<float>{-1.0f, -1.9f}, 0), 1);
  EXPECT_EQ(sampler.sample(std::vector<float>{-1.0f, -2.1f}, 0), 0);
}

TEST(Sampler, ExtremesStayFinite) {
  const float largest = std::numeric_limits<float>::max();
  const std::vector<float> logits = {largest, -largest, 0, -kInf};
  for (const double temperature : {1e-300, 1.0, 1e300}) {
    const Sampler sampler({.temperature = temperature});
    double sum = 0;
    for (const Candidate& candidate : sampler.candidates(logits)) sum += candidate.probability;
    EXPECT_NEAR(sum, 1.0, 1e-12);
  }
  EXPECT_EQ(Sampler({.temperature = 1.0}).sample(std::vector<float>{-kInf, -5.0f, -kInf}, 3), 1);
}

TEST(Sampler, RefusesBadLogits) {
  const std::vector<std::vector<float>> all = {{}, {kNan}, {1, kNan, 2}, {1, kInf}, {-kInf, -kInf}};
  for (const std::vector<float>& logits : all) {
    EXPECT_THROW(Sampler({}).sample(logits, 0), Error);
    EXPECT_THROW(Sampler({.temperature = 1.0}).sample(logits, 0), Error);
  }
}

TEST(Sampler, RefusesOptionsOutOfRange) {
  constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();
  const std::vector<SamplingOptions> all = {{.temperature = -0.1},
                                            {.temperature = kNotANumber},
                                            {.temperature = double{kInf}},
                                            {.top_k = -1},
                                            {.top_p = 0.0},
                                            {.top_p = 1.01},
                                            {.top_p = kNotANumber},
                                            {.min_p = -0.1},
                                            {.min_p = 1.1},
                                            {.min_p = kNotANumber},
                                            {.repetition_penalty = 0.0},
                                            {.repetition_penalty = -1.0},
                                            {.repetition_penalty = kNotANumber}};
  for (const SamplingOptions& options : all) EXPECT_THROW(Sampler{options}, Error);
}

}  // namespace
}  // namespace tern
