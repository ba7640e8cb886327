// SPDX-License-Identifier: Apache-2.0
// Results depend on nothing but the request: random schedules against each request alone.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "engine/naive_generation.h"
#include "engine/request_mix.h"

namespace tern::testing {
namespace {

// The mix itself, where it can be checked: no end but length or a full window.
TEST(EngineSchedules, AloneIsWhatTheModelSays) {
  RequestMix mix(1);
  int compared = 0;
  for (uint64_t index = 0; index < 120; ++index) {
    const Request request = mix.request(index);
    if (!request.ignore_eos || request.grammar || !request.stop.empty()) continue;
    const int64_t keep = request.context == ContextPolicy::slide ? request.keep : -1;
    EXPECT_EQ(mix.expected(index, KvType::f32).ids,
              naive_generation(mix.model(), request.ids, request.sampling, request.max_tokens, keep));
    ++compared;
  }
  EXPECT_GT(compared, 10);
}

class EngineSchedulesOf : public ::testing::TestWithParam<KvType> {};

// Requests join and are cancelled between steps.
TEST_P(EngineSchedulesOf, AnyBatchIsEachAlone) {
  RequestMix mix(2);
  EngineStatistics sum;
  for (uint64_t round = 0; round < 6; ++round) {
    std::mt19937_64 random(round);
    Engine engine(mix.model(), mix.tokenizer(), mix.engine_options(round, GetParam()));
    std::map<RequestId, uint64_t> submitted;
    while (submitted.size() < 20) {
      for (uint64_t joins = random() % 4; joins > 0; --joins) {
        const uint64_t index = random() % 24;
        submitted.emplace(engine.submit(mix.request(index)), index);
      }
      if (random() % 8 == 0) engine.cancel(random() % (submitted.size() + 1));
      for (uint64_t steps = random() % 6; steps > 0; --steps) engine.step();
    }
    engine.run_until_idle();
    for (const auto& [id, index] : submitted) {
      const GenerateResult result = *engine.take(id);
      const GenerateResult& expected = mix.expected(index, GetParam());
      const bool cancelled = result.finish_reason == "cancelled";
      EXPECT_EQ(cancelled ? difference_as_beginning(result, expected) : difference(result, expected), "")
          << "round " << round << ", request " << index;
    }
    const EngineStatistics statistics = engine.statistics();
    EXPECT_EQ(statistics.free_pages + statistics.cached_pages, statistics.pages);
    sum.preemptions += statistics.preemptions;
    sum.cached_tokens += statistics.cached_tokens;
    sum.accepted_tokens += statistics.accepted_tokens;
    sum.drafted_tokens += statistics.drafted_tokens;
    sum.evicted_pages += statistics.evicted_pages;
  }
  // All of it happened.
  EXPECT_GT(sum.preemptions, 0);
  EXPECT_GT(sum.cached_tokens, 0);
  EXPECT_GT(sum.evicted_pages, 0);
  EXPECT_GT(sum.accepted_tokens, 0);
  EXPECT_GT(sum.drafted_tokens, sum.accepted_tokens);
}

INSTANTIATE_TEST_SUITE_P(, EngineSchedulesOf, ::testing::Values(KvType::f32, KvType::f16, KvType::int8, KvType::int4),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

}  // namespace
}  // namespace tern::testing
