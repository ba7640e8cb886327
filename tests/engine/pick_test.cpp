// SPDX-License-Identifier: Apache-2.0
#include "engine/pick.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "support/fails_with.h"
#include "support/test_device.h"
#include "tern/ops.h"

namespace tern {
namespace {

using testing::fails_with;

constexpr int64_t kVocabulary = 131, kHidden = 32;

class PickTokens : public ::testing::Test {
 protected:
  PickTokens() {
    ModelConfig config;
    config.vocab_size = kVocabulary;
    config.hidden_size = kHidden;
    config.intermediate_size = 48;
    config.num_hidden_layers = 1;
    config.num_attention_heads = 4;
    config.num_key_value_heads = 2;
    config.initializer_range = 0.5;
    model = Model::create(config, testing::test_device(2), 11);
  }

  Tensor random_hidden(int64_t rows, uint32_t seed) const {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> values(static_cast<size_t>(rows * kHidden));
    for (float& value : values) value = normal(random);
    return Tensor::from(values, {rows, kHidden}, model.device());
  }

  std::vector<float> logits_of(const Tensor& hidden, int64_t row) const {
    return select(model.head_logits(hidden), 0, row).to_vector<float>();
  }

  std::vector<Pick> pick(const Tensor& hidden, const std::vector<PickRequest>& requests) {
    return pick_tokens(model, hidden, requests, statistics);
  }

  Model model;
  PickStatistics statistics;
};

TEST_F(PickTokens, EachRowByItsOwnRequest) {
  const Sampler greedy({}), warm({.temperature = 1.0, .seed = 3}),
      filtered({.temperature = 2.0, .top_k = 5, .seed = 4});
  const Tensor hidden = random_hidden(3, 1);
  const std::vector<PickRequest> requests = {{&greedy, 0}, {&warm, 17}, {&filtered, 5}};
  const std::vector<Pick> picks = pick(hidden, requests);
  ASSERT_EQ(picks.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    const std::vector<float> logits = logits_of(hidden, static_cast<int64_t>(i));
    EXPECT_EQ(picks[i].id, requests[i].sampler->sample(logits, requests[i].index));
    EXPECT_FALSE(picks[i].logprob.has_value());
    EXPECT_TRUE(picks[i].top.empty());
    const Tensor alone = contiguous(slice(hidden, 0, static_cast<int64_t>(i), static_cast<int64_t>(i) + 1));
    EXPECT_EQ(pick(alone, {requests[i]})[0].id, picks[i].id);
  }
  EXPECT_EQ(statistics.rows, 6);
}

TEST_F(PickTokens, NoRowsNoTokens) { EXPECT_TRUE(pick(random_hidden(0, 1), {}).empty()); }

TEST_F(PickTokens, OnlyAllowedTokens) {
  std::mt19937 random(5);
  for (int round = 0; round < 40; ++round) {
    const Tensor hidden = random_hidden(1, static_cast<uint32_t>(round));
    std::vector<uint64_t> mask((kVocabulary + 63) / 64);
    std::vector<float> logits = logits_of(hidden, 0);
    for (size_t i = 0; i < logits.size(); ++i) {
      if (random() % 4 == 0 || i == 77) {
        mask[i / 64] |= uint64_t{1} << (i % 64);
      } else {
        logits[i] = -std::numeric_limits<float>::infinity();
      }
    }
    for (const double temperature : {0.0, 1.0}) {
      const Sampler sampler({.temperature = temperature, .seed = 9});
      EXPECT_EQ(pick(hidden, {{&sampler, 3, mask}})[0].id, sampler.sample(logits, 3));
    }
  }
}

TEST_F(PickTokens, LogprobsAreTheModelsOwn) {
  const Tensor hidden = random_hidden(1, 7);
  const std::vector<float> logits = logits_of(hidden, 0);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
  });
  const auto logprob = [&](int32_t id) { return static_cast<double>(logits[static_cast<size_t>(id)]) - std::log(sum); };
  std::vector<uint64_t> mask((kVocabulary + 63) / 64);
  mask[1] = 1;  // only token 64
  const Sampler sampler({.temperature = 0.5, .top_k = 3});
  for (const int count : {0, 1, 5, static_cast<int>(kVocabulary)}) {
    for (const bool masked : {false, true}) {
      const Pick got = pick(hidden, {{&sampler, 0, masked ? mask : std::vector<uint64_t>{}, count}})[0];
      EXPECT_TRUE(!masked || got.id == 64);
      EXPECT_NEAR(got.logprob.value(), logprob(got.id), 1e-12);
      ASSERT_EQ(got.top.size(), static_cast<size_t>(count));
      for (size_t i = 0; i < got.top.size(); ++i) {
        EXPECT_EQ(got.top[i].id, order[i]);
        EXPECT_NEAR(got.top[i].logprob, logprob(order[i]), 1e-12);
      }
    }
  }
}

TEST_F(PickTokens, RefusesWhatIsNotARequest) {
  const Sampler sampler({});
  const Tensor hidden = random_hidden(1, 1);
  const std::vector<uint64_t> short_mask(2), nothing_allowed(3);
  EXPECT_TRUE(fails_with("hidden row for each", [&] { pick(hidden, {{&sampler}, {&sampler}}); }));
  EXPECT_TRUE(fails_with("sampler", [&] { pick(hidden, {{}}); }));
  EXPECT_TRUE(fails_with("mask", [&] { pick(hidden, {{&sampler, 0, short_mask}}); }));
  EXPECT_TRUE(fails_with("above -Inf", [&] { pick(hidden, {{&sampler, 0, nothing_allowed}}); }));
  EXPECT_TRUE(fails_with("top_logprobs", [&] { pick(hidden, {{&sampler, 0, {}, 132}}); }));
  const Tensor wide = Tensor::zeros({1, kHidden + 1}, DType::f32, model.device());
  EXPECT_TRUE(fails_with("hidden rows", [&] { pick(wide, {{&sampler}}); }));
  std::vector<float> bad(kHidden, std::numeric_limits<float>::quiet_NaN());
  EXPECT_TRUE(fails_with("finite", [&] { pick(Tensor::from(bad, {1, kHidden}, model.device()), {{&sampler}}); }));
}

}  // namespace
}  // namespace tern
