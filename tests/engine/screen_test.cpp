// SPDX-License-Identifier: Apache-2.0
// The screen against the whole head, on 100,000 hidden states: the same candidates, bit for bit, wherever it decides.
#include "engine/screen.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <iostream>
#include <limits>
#include <random>
#include <string>

#include "engine/pick.h"
#include "engine/random_choice.h"
#include "ops/scores.h"
#include "support/searching_device.h"
#include "support/test_device.h"
#include "tern/ops.h"

namespace tern {
namespace {

using testing::Random;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

using Floats = std::vector<float>;

Floats normals(int64_t count, Random& random) {
  Floats x(static_cast<size_t>(count));
  for (float& value : x) value = random.normal();
  return x;
}

// Rows as a trained head has them, and rows that are hard to tell apart or to bound.
Floats head_weights(int64_t rows, int64_t cols, Random& random) {
  Floats w = normals(rows * cols, random);
  const auto row = [&](int64_t j) { return w.begin() + j * cols; };
  for (int64_t j = 1; j < rows; ++j) {
    const int64_t other = random.below(j);
    switch (random.below(16)) {
      case 0:  // a duplicate
        std::copy_n(row(other), cols, row(j));
        break;
      case 1:  // a near tie
        std::copy_n(row(other), cols, row(j));
        row(j)[random.below(cols)] *= 1.0f + 0x1p-20f;
        break;
      case 2:
        std::fill_n(row(j), cols, 0.0f);
        break;
      case 3:  // one outlier
        row(j)[random.below(cols)] *= 100.0f;
        break;
      case 4:  // small
        std::for_each(row(j), row(j) + cols, [](float& v) { v *= 1e-3f; });
        break;
      default:
        break;
    }
  }
  return w;
}

Floats hidden_state(const Floats& w, int64_t rows, int64_t cols, Random& random) {
  Floats h = normals(cols, random);
  const auto width = static_cast<size_t>(cols);
  switch (random.below(8)) {
    case 0:  // points at a token, as a confident model's do
    case 1: {
      const size_t at = random.below(rows) * width;
      const float share = random.pick(0.3f, 1.0f, 3.0f);
      for (size_t k = 0; k < width; ++k) h[k] = 0.3f * h[k] + share * w[at + k];
      break;
    }
    case 2:  // between two tokens
      for (size_t side = 0; side < 2; ++side) {
        const size_t at = random.below(rows) * width;
        for (size_t k = 0; k < width; ++k) h[k] = (side == 0 ? 0.0f : h[k]) + w[at + k];
      }
      break;
    case 3:  // sparse
      for (float& value : h) value = random.one_in(8) ? value : 0.0f;
      break;
    case 4:  // massive activations
      h[random.below(cols)] *= 1e3f;
      break;
    case 5: {
      const float size = std::ldexp(1.0f, static_cast<int>(random.below(60)) - 40);
      for (float& value : h) value *= size;
      break;
    }
    default:
      break;
  }
  if (random.one_in(500)) h[random.below(cols)] = random.pick(kInf, -kInf, kNan, 3e38f);
  if (random.one_in(500)) std::fill(h.begin(), h.end(), random.pick(0.0f, -0.0f, 1e-42f));
  return h;
}

SamplingOptions some_options(Random& random) {
  SamplingOptions o;
  if (random.one_in(3)) return o;  // greedy
  o.temperature = random.pick(0.2, 1.0, 3.0);
  o.top_k = random.pick(0, 1, 5, 40);
  o.top_p = random.pick(0.3, 0.9, 1.0);
  o.min_p = random.pick(0.0, 0.05, 0.5);
  o.repetition_penalty = random.pick(1.0, 1.0, 1.3, 0.8);
  return o;
}

std::vector<uint64_t> some_mask(int64_t vocabulary, Random& random) {
  std::vector<uint64_t> mask;
  if (!random.one_in(4)) return mask;
  mask.resize(static_cast<size_t>((vocabulary + 63) / 64));
  const int64_t rarity = random.pick(2, 20, 300);
  for (int64_t id = 0; id < vocabulary; ++id) {
    if (random.one_in(rarity)) mask[static_cast<size_t>(id / 64)] |= uint64_t{1} << (id % 64);
  }
  return mask;
}

struct Outcome {
  std::vector<Candidate> candidates;
  std::string error;
};

Outcome by_the_whole_head(const Sampler& sampler, const Floats& logits, const std::vector<uint64_t>& mask) {
  try {
    return {sampler.candidates(logits, mask), ""};
  } catch (const Error& error) {
    return {{}, error.what()};
  }
}

bool same_bits(const std::vector<Candidate>& a, const std::vector<Candidate>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Candidate& x, const Candidate& y) {
    return x.id == y.id && std::bit_cast<uint64_t>(x.probability) == std::bit_cast<uint64_t>(y.probability);
  });
}

ModelConfig config_of(int64_t vocabulary, int64_t hidden) {
  ModelConfig config;
  config.vocab_size = vocabulary;
  config.hidden_size = hidden;
  config.intermediate_size = 48;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  return config;
}

// A screened model with this head.
Model with_head(int64_t vocabulary, int64_t hidden, bool packed, const Floats& w,
                const Device& device = testing::test_device(2)) {
  const ModelConfig config = config_of(vocabulary, hidden);
  Model model = packed ? Model::create_random_packed(config, device, 1) : Model::create(config, device, 1);
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.name == "model.embed_tokens.weight") {
      assign(parameter.value.detach(), Tensor::from(w, {vocabulary, hidden}, device));
    }
  }
  model.set_head(HeadType::screened);
  return model;
}

struct Case {
  int64_t vocabulary, hidden;
  bool packed;  // a head in bf16
  int64_t states;
};

class Screen : public ::testing::TestWithParam<Case> {};

TEST_P(Screen, GivesTheCandidatesOfTheWholeHead) {
  const auto [vocabulary, hidden, packed, states] = GetParam();
  Random random(static_cast<uint32_t>(vocabulary));
  const Floats w = head_weights(vocabulary, hidden, random);
  const Model model = with_head(vocabulary, hidden, packed, w);
  int64_t tried = 0, decided = 0, rescored = 0;
  constexpr int64_t kBatch = 50;
  for (int64_t done = 0; done < states; done += kBatch) {
    Floats all;
    for (int64_t i = 0; i < kBatch; ++i) {
      const Floats h = hidden_state(w, vocabulary, hidden, random);
      all.insert(all.end(), h.begin(), h.end());
    }
    const Tensor batch = Tensor::from(all, {kBatch, hidden}, model.device());
    const LogitBounds bounds = model.head_bounds(batch);
    const Floats low = bounds.low.to_vector<float>(), high = bounds.high.to_vector<float>();
    const Floats logits = model.head_logits(batch).to_vector<float>();
    for (int64_t i = 0; i < kBatch; ++i) {
      const auto row = [&](const Floats& x) {
        return Floats(x.begin() + i * vocabulary, x.begin() + (i + 1) * vocabulary);
      };
      Floats l = row(low), h = row(high);
      const Floats exact = row(logits);
      for (size_t j = 0; j < exact.size(); ++j) {
        ASSERT_TRUE(std::isnan(l[j]) || std::isnan(h[j]) || (l[j] <= exact[j] && exact[j] <= h[j]));
      }
      Sampler sampler(some_options(random));
      std::vector<int32_t> seen;
      for (int64_t s = random.below(20); s > 0; --s) seen.push_back(static_cast<int32_t>(random.below(vocabulary + 1)));
      sampler.observe(seen);
      const std::vector<uint64_t> mask = some_mask(vocabulary, random);
      const Outcome expected = by_the_whole_head(sampler, exact, mask);
      if (!mask.empty()) {
        const auto few = few_candidates(model, select(batch, 0, i), sampler, mask, rescored);
        ASSERT_TRUE(!few || (expected.error.empty() && same_bits(*few, expected.candidates))) << expected.error;
      }
      if (!can_screen(sampler)) continue;
      ++tried;
      const auto screened = screened_candidates(model, select(batch, 0, i), l, h, sampler, mask, rescored);
      if (!screened) continue;
      ++decided;
      ASSERT_TRUE(expected.error.empty()) << expected.error;
      ASSERT_TRUE(same_bits(*screened, expected.candidates)) << done + i;
    }
  }
  std::cout << vocabulary << " x " << hidden << ": decided " << decided << " of " << tried << ", rescored " << rescored
            << "\n";
  EXPECT_GT(decided, tried / 4);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Screen,
                         ::testing::Values(Case{131, 32, false, 30000}, Case{1000, 64, true, 40000},
                                           Case{1009, 104, false, 20000}, Case{4096, 128, true, 8000},
                                           Case{8191, 256, true, 2000}),
                         [](const auto& test) {
                           return std::to_string(test.param.vocabulary) + "x" + std::to_string(test.param.hidden);
                         });

// pick_tokens on a screened model and on the same model with its full head, whose logits the host looks through.
void expect_the_picks_of_the_full_head(const Device& device) {
  constexpr int64_t kVocabulary = 1000, kHidden = 64;
  Random random(5);
  const Floats w = head_weights(kVocabulary, kHidden, random);
  const Model screened = with_head(kVocabulary, kHidden, true, w, device);
  Model full = with_head(kVocabulary, kHidden, true, w, device);
  full.set_head(HeadType::full);
  PickStatistics statistics, none;
  for (int round = 0; round < 1500; ++round) {
    const int64_t rows = 1 + random.below(12);
    Floats all;
    std::vector<Sampler> samplers;
    std::vector<std::vector<uint64_t>> masks;
    for (int64_t i = 0; i < rows; ++i) {
      const Floats h = hidden_state(w, kVocabulary, kHidden, random);
      all.insert(all.end(), h.begin(), h.end());
      samplers.emplace_back(some_options(random));
      std::vector<int32_t> seen;
      for (int64_t s = random.below(20); s > 0; --s) {
        seen.push_back(static_cast<int32_t>(random.below(kVocabulary + 1)));
      }
      samplers.back().observe(seen);
      masks.push_back(some_mask(kVocabulary, random));
    }
    std::vector<PickRequest> requests;
    for (size_t i = 0; i < samplers.size(); ++i) {
      requests.push_back({&samplers[i], random.below(1000), masks[i], random.one_in(10) ? 3 : -1});
    }
    const Tensor hidden = Tensor::from(all, {rows, kHidden}, device);
    std::vector<int32_t> ids;
    const auto outcome = [&](const Model& model, PickStatistics& counted) {
      std::string text;
      ids.clear();
      try {
        for (const Pick& pick : pick_tokens(model, hidden, requests, counted)) {
          ids.push_back(pick.id);
          text += std::to_string(pick.id) + " " + std::to_string(pick.logprob.value_or(1)) + ", ";
          for (const TokenLogprob& token : pick.top) text += std::to_string(token.id) + " ";
        }
      } catch (const Error& error) {
        text = error.what();
      }
      return text;
    };
    const std::string expected = outcome(full, none);
    ASSERT_EQ(outcome(screened, statistics), expected);
    const Floats logits = full.head_logits(hidden).to_vector<float>();
    for (size_t i = 0; i < ids.size(); ++i) {
      const auto row = std::span(logits).subspan(i * kVocabulary, kVocabulary);
      ASSERT_EQ(ids[i], samplers[i].sample(row, requests[i].index, masks[i]));
    }
  }
  EXPECT_GT(statistics.screened, 500);
  EXPECT_GT(statistics.fallbacks, 0);
  EXPECT_GT(statistics.rescored, statistics.screened);
  EXPECT_EQ(none.screened + none.fallbacks, 0);
}

TEST(ScreenedPicks, AreThoseOfTheFullHead) { expect_the_picks_of_the_full_head(testing::test_device(2)); }

TEST(ScreenedPicks, AreThoseOfTheFullHeadWhereTheDeviceLooksForThem) {
  expect_the_picks_of_the_full_head(testing::searching_device(2));
}

TEST(ScreenedPicks, AScreenThatRarelyDecidesIsRarelyTried) {
  // Equal rows, more of them than are worth to be rescored: no bound tells them apart.
  const Model model = with_head(8192, 32, true, Floats(8192 * 32, 1.0f));
  const Sampler greedy({});
  PickStatistics statistics;
  const Tensor hidden = Tensor::full({1, 32}, 1.0, DType::f32, model.device());
  const std::vector<PickRequest> request = {{&greedy}};
  for (int i = 0; i < 320; ++i) EXPECT_EQ(pick_tokens(model, hidden, request, statistics)[0].id, 0);
  // A device that looks for tokens itself finds the first of equals each time.
  const bool searches = searches_scores(model.device());
  EXPECT_EQ(statistics.screened, searches ? 320 : 0);
  EXPECT_EQ(statistics.fallbacks, searches ? 0 : 32 + (320 - 32) / 16);
}

TEST(Heads, ApproximateOnesAreNearAndSayWhatTheyAre) {
  constexpr int64_t kVocabulary = 1000, kHidden = 256;
  Random random(6);
  Model model = with_head(kVocabulary, kHidden, true, normals(kVocabulary * kHidden, random));
  const Tensor hidden = Tensor::from(normals(8 * kHidden, random), {8, kHidden}, model.device());
  EXPECT_EQ(model.head(), HeadType::screened);
  const Floats exact = model.head_logits(hidden).to_vector<float>();
  model.set_head(HeadType::full);
  EXPECT_EQ(model.head_logits(hidden).to_vector<float>(), exact);
  for (const auto& [type, share] : {std::pair{HeadType::int8, 0.006}, {HeadType::int4, 0.095}}) {
    model.set_head(type);
    const Floats near = model.head_logits(hidden).to_vector<float>();
    double difference = 0, size = 0;
    for (size_t i = 0; i < near.size(); ++i) {
      difference += std::pow(static_cast<double>(near[i] - exact[i]), 2);
      size += std::pow(static_cast<double>(exact[i]), 2);
    }
    EXPECT_NEAR(std::sqrt(difference / size), share, share * 0.1);
    const std::vector<int64_t> ids = {1, 2};
    EXPECT_THROW(model.head_logits(select(hidden, 0, 0), ids), Error);
    EXPECT_THROW(model.head_bounds(hidden), Error);
    // Its own tokens, with every kind of request.
    PickStatistics statistics;
    const Sampler greedy({});
    const std::vector<uint64_t> mask((kVocabulary + 63) / 64, 4);
    const std::vector<PickRequest> requests = {{&greedy}, {&greedy, 0, mask}};
    const std::vector<Pick> picks = pick_tokens(model, slice(hidden, 0, 0, 2), requests, statistics);
    EXPECT_EQ(picks[0].id, std::max_element(near.begin(), near.begin() + kVocabulary) - near.begin());
    EXPECT_EQ(picks[1].id % 64, 2);
  }
}

TEST(Heads, TheDefaultIsAScreenForALargePackedOne) {
  const Device device = testing::test_device(2);
  EXPECT_EQ(Model::create_random_packed(config_of(1000, 64), device, 1).head(), HeadType::full);
  const Model large = Model::create_random_packed(config_of(1 << 17, 64), device, 1);
  EXPECT_EQ(large.head(), HeadType::screened);
  EXPECT_GT(large.info().resident_bytes, (int64_t{1} << 17) * 64 * 2 + (int64_t{1} << 17) * 48);
  EXPECT_EQ(Model::create(config_of(1 << 16, 64), device, 1).head(), HeadType::full);
}

TEST(Heads, RequantizingCodesTheHeadAnew) {
  Random random(7);
  Model model = with_head(200, 32, false, normals(200 * 32, random));
  const Floats w = normals(200 * 32, random);
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.name == "model.embed_tokens.weight") {
      assign(parameter.value.detach(), Tensor::from(w, {200, 32}, model.device()));
    }
  }
  model.requantize();
  EXPECT_EQ(model.head(), HeadType::screened);
  const Tensor hidden = Tensor::from(normals(32, random), {1, 32}, model.device());
  const Floats exact = model.head_logits(hidden).to_vector<float>();
  const LogitBounds bounds = model.head_bounds(hidden);
  const Floats low = bounds.low.to_vector<float>(), high = bounds.high.to_vector<float>();
  for (size_t j = 0; j < exact.size(); ++j) EXPECT_TRUE(low[j] <= exact[j] && exact[j] <= high[j]);
}

}  // namespace
}  // namespace tern
