// SPDX-License-Identifier: Apache-2.0
// Steps that a device begins before the host knows their tokens: the same texts.
#include "engine/next_step.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>

#include "engine/request_mix.h"
#include "support/fails_with.h"
#include "support/searching_device.h"
#include "tern/ops.h"

namespace tern {
namespace {

constexpr int64_t kWindow = 96;

// The same model twice: the device looks through scores itself and finds the best tokens, or it does not.
struct Models {
  Device device = testing::searching_device(2);
  Model screened = testing::tiny_model(5, kWindow, 2, device), full = testing::tiny_model(5, kWindow, 2, device);

  Models() { screened.set_head(HeadType::screened); }
};

// Greedy but for some, so that most steps can be begun early.
Request request(uint64_t index) {
  std::mt19937_64 random(index);
  Request request;
  for (uint64_t i = 0; i < 1 + random() % 40; ++i) request.ids.push_back(static_cast<int32_t>(2 + random() % 256));
  request.max_tokens = static_cast<int64_t>(1 + random() % 60);
  request.ignore_eos = random() % 2 == 0;
  if (random() % 2 == 0)
    request.stop_ids = {static_cast<int32_t>(random() % 256), static_cast<int32_t>(random() % 256)};
  if (random() % 3 == 0) request.sampling.repetition_penalty = 1.3;
  if (random() % 4 == 0) request.sampling.temperature = 0.7;
  if (random() % 5 == 0) request.top_logprobs = 1;
  if (random() % 3 == 0) request.context = ContextPolicy::slide;
  if (random() % 4 == 0) request.grammar = Grammar::parse("root ::= [a-z]+ ([0-9] [a-z]+)*");
  return request;
}

GenerateResult alone(const Model& model, const Tokenizer& tokenizer, uint64_t index) {
  EngineOptions options;
  options.kv = KvType::f32;
  options.max_sequences = 1;
  options.reuse_prefixes = false;
  Engine engine(model, tokenizer, options);
  const RequestId id = engine.submit(request(index));
  engine.run_until_idle();
  return *engine.take(id);
}

TEST(NextStep, ABatchOnADeviceThatSearchesIsEachAloneOnOneThatDoesNot) {
  const Models models;
  const Tokenizer tokenizer = testing::byte_tokenizer();
  std::map<uint64_t, GenerateResult> expected;
  int64_t early = 0, steps = 0;
  for (uint64_t round = 0; round < 8; ++round) {
    std::mt19937_64 random(round);
    EngineOptions options;
    options.kv = KvType::f32;
    options.page_tokens = std::array<int64_t, 4>{1, 5, 16, 32}[round % 4];
    options.kv_tokens = kWindow * static_cast<int64_t>(1 + random() % 3);
    options.max_sequences = static_cast<int64_t>(1 + random() % 6);
    options.prefill_chunk = 64;
    options.reuse_prefixes = round % 3 != 0;
    Engine engine(models.screened, tokenizer, options);
    std::map<RequestId, uint64_t> submitted;
    while (submitted.size() < 14) {
      const uint64_t index = random() % 24;
      submitted.emplace(engine.submit(request(index)), index);
      if (random() % 6 == 0) engine.cancel(random() % (submitted.size() + 1));
      for (uint64_t n = random() % 30; n > 0; --n) engine.step();
    }
    engine.run_until_idle();
    for (const auto& [id, index] : submitted) {
      if (!expected.contains(index)) expected[index] = alone(models.full, tokenizer, index);
      const GenerateResult result = *engine.take(id);
      const bool cancelled = result.finish_reason == "cancelled";
      EXPECT_EQ(cancelled ? testing::difference_as_beginning(result, expected[index])
                          : testing::difference(result, expected[index]),
                "")
          << "round " << round << ", request " << index;
    }
    const EngineStatistics statistics = engine.statistics();
    EXPECT_EQ(statistics.free_pages + statistics.cached_pages, statistics.pages);
    early += statistics.early_steps;
    steps += statistics.steps;
  }
  EXPECT_GT(early, steps / 5);
}

// All but those that need a new page, and the first: of its prompt.
TEST(NextStep, OneGreedyTextIsBegunEarlyWithinPages) {
  const Models models;
  EngineOptions options;
  options.kv = KvType::f32;
  options.page_tokens = 16;
  Engine engine(models.screened, testing::byte_tokenizer(), options);
  Request request;
  request.ids = {7, 8, 9};
  request.max_tokens = 61;  // the last is drawn after 63 tokens, in four pages
  request.ignore_eos = true;
  engine.submit(std::move(request));
  engine.run_until_idle();
  EXPECT_EQ(engine.statistics().steps, 61);
  EXPECT_EQ(engine.statistics().fallback_rows, 0);
  EXPECT_EQ(engine.statistics().early_steps, 61 - 1 - 3);
}

TEST(NextStep, AModelTakesIdsThatAreOnTheDevice) {
  const Models models;
  const Model& model = models.full;
  KvPool pool = model.make_kv_pool({.type = KvType::f32, .pages = 8, .page_tokens = 16});
  KvSequence known[2], unknown[2];
  for (KvSequence* s : {&known[0], &known[1], &unknown[0], &unknown[1]}) s->pages = {pool.acquire()};
  for (int step = 0; step < 5; ++step) {
    const int32_t ids[] = {3 + step, 250 - step};
    const SequenceStep steps[] = {{std::span(ids).first(1), &known[0]}, {std::span(ids).last(1), &known[1]}};
    const Tensor on_device = Tensor::from(std::vector<int64_t>{ids[0], ids[1]}, {2}, models.device);
    KvSequence* const sequences[] = {&unknown[0], &unknown[1]};
    EXPECT_EQ(model.hidden_states(steps, pool).to_vector<float>(),
              model.hidden_states(on_device, sequences, pool).to_vector<float>());
    EXPECT_EQ(unknown[1].length, step + 1);
  }
  using testing::fails_with;
  KvSequence* const one[] = {&unknown[0]};
  const Tensor narrow = Tensor::zeros({1}, DType::i32, models.device),
               two = Tensor::zeros({2}, DType::i64, models.device);
  EXPECT_TRUE(fails_with("expected i64 ids [1]", [&] { model.hidden_states(narrow, one, pool); }));
  EXPECT_TRUE(fails_with("expected i64 ids [1]", [&] { model.hidden_states(two, one, pool); }));
  unknown[0].length = 16;
  const Tensor right = Tensor::zeros({1}, DType::i64, models.device);
  EXPECT_TRUE(fails_with("pages", [&] { model.hidden_states(right, one, pool); }));
}

}  // namespace
}  // namespace tern
