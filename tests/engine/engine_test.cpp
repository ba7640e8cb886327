// SPDX-License-Identifier: Apache-2.0
#include "tern/engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <stdexcept>
#include <thread>

#include "engine/naive_generation.h"
#include "engine/request_mix.h"
#include "support/fails_with.h"
#include "tern/ops.h"

namespace tern {
namespace {

using testing::fails_with;

constexpr int64_t kWindow = 64;

class EngineTest : public ::testing::Test {
 protected:
  static EngineOptions exact() {
    EngineOptions options;
    options.kv = KvType::f32;
    options.page_tokens = 4;
    return options;
  }

  static Request request(std::vector<int32_t> ids, int64_t max_tokens = 12) {
    Request request;
    request.ids = std::move(ids);
    request.max_tokens = max_tokens;
    request.ignore_eos = true;
    request.sampling.temperature = 1.0;
    return request;
  }

  GenerateResult run(Engine& engine, Request request) const {
    const RequestId id = engine.submit(std::move(request));
    engine.run_until_idle();
    return *engine.take(id);
  }

  static std::vector<int32_t> ids(int64_t count, int32_t from = 40) {
    std::vector<int32_t> out(static_cast<size_t>(count));
    std::iota(out.begin(), out.end(), from);
    return out;
  }

  Model model = testing::tiny_model(5, kWindow);
  Tokenizer tokenizer = testing::byte_tokenizer();
};

TEST_F(EngineTest, ABatchGivesWhatEachGivesNaively) {
  Engine engine(model, tokenizer, exact());
  std::vector<Request> requests;
  for (int64_t i = 0; i < 9; ++i) {
    Request one = request(ids(1 + 5 * i, static_cast<int32_t>(30 + i)), 3 + i);
    one.sampling.seed = static_cast<uint64_t>(i);
    one.sampling.repetition_penalty = i % 2 == 0 ? 1.0 : 1.5;
    one.sampling.temperature = i % 3 == 0 ? 0.0 : 1.2;
    requests.push_back(one);
  }
  std::vector<RequestId> submitted;
  for (const Request& one : requests) submitted.push_back(engine.submit(one));
  EXPECT_EQ(engine.take(submitted[0]), std::nullopt);
  engine.run_until_idle();
  for (size_t i = 0; i < requests.size(); ++i) {
    const Request& one = requests[i];
    const GenerateResult result = *engine.take(submitted[i]);
    EXPECT_EQ(result.ids, testing::naive_generation(model, one.ids, one.sampling, one.max_tokens)) << i;
    EXPECT_EQ(result.finish_reason, "length");
    EXPECT_EQ(result.prompt_tokens, std::ssize(one.ids));
    EXPECT_EQ(result.text, tokenizer.decode(result.ids, true));
    EXPECT_GE(result.queue_seconds, 0);
    EXPECT_GT(result.prefill_seconds, 0);
    EXPECT_GT(result.decode_seconds, 0);
  }
  EXPECT_TRUE(fails_with("result is kept", [&] { engine.take(submitted[0]); }));
  EXPECT_TRUE(fails_with("result is kept", [&] { engine.take(999); }));
}

TEST_F(EngineTest, StepsMixPromptsAndDecoding) {
  EngineOptions options = exact();
  options.prefill_chunk = 8;
  Engine engine(model, tokenizer, options);
  engine.submit(request(ids(2), 30));
  engine.step();
  engine.submit(request(ids(40), 1));
  for (int i = 0; i < 4; ++i) engine.step();
  EXPECT_EQ(engine.statistics().generated_tokens, 5);  // the first goes on while the second's prompt goes in
  EXPECT_EQ(engine.statistics().prompt_tokens, 2 + 32);
  engine.run_until_idle();
  EXPECT_EQ(engine.statistics().finished, 2);
}

TEST_F(EngineTest, AShortPromptDoesNotWaitForALongOne) {
  EngineOptions options = exact();
  options.prefill_chunk = 8;
  Engine engine(model, tokenizer, options);
  const RequestId slow = engine.submit(request(ids(60), 1)), quick = engine.submit(request(ids(3, 90), 1));
  engine.step();
  engine.step();
  EXPECT_TRUE(engine.take(quick).has_value());
  EXPECT_FALSE(engine.take(slow).has_value());
}

TEST_F(EngineTest, ReusesWhatAnEarlierRequestLeft) {
  Engine engine(model, tokenizer, exact());
  const GenerateResult first = run(engine, request(ids(21)));
  EXPECT_EQ(first.cached_tokens, 0);
  const GenerateResult again = run(engine, request(ids(21)));
  EXPECT_EQ(again.ids, first.ids);
  EXPECT_EQ(again.cached_tokens, 20);
  std::vector<int32_t> next_turn = ids(21);
  next_turn.insert(next_turn.end(), first.ids.begin(), first.ids.end());
  next_turn.push_back(77);
  const GenerateResult third = run(engine, request(next_turn));
  EXPECT_EQ(third.cached_tokens, 21 + 11);  // all but the last drawn token, which the model never took in
  EXPECT_EQ(third.ids, testing::naive_generation(model, next_turn, request({}).sampling, 12));
}

TEST_F(EngineTest, RequestsThatBeginAlikeComputeTheBeginningOnce) {
  EngineOptions options = exact();
  options.prefill_chunk = 8;
  Engine engine(model, tokenizer, options);
  for (int32_t i = 0; i < 6; ++i) {
    std::vector<int32_t> prompt = ids(40);
    prompt.push_back(100 + i);
    engine.submit(request(prompt, 2));
  }
  engine.run_until_idle();
  EXPECT_LT(engine.statistics().prompt_tokens, 100);  // of 246
  EXPECT_GT(engine.statistics().cached_tokens, 146);
}

TEST_F(EngineTest, ATinyPoolPreemptsTheYoungest) {
  EngineOptions options = exact();
  options.kv_tokens = 40;
  options.reuse_prefixes = false;
  Engine engine(model, tokenizer, options);
  std::vector<RequestId> submitted;
  for (int32_t i = 0; i < 4; ++i) submitted.push_back(engine.submit(request(ids(5, 30 + i), 30)));
  engine.run_until_idle();
  EXPECT_GT(engine.statistics().preemptions, 0);
  EXPECT_EQ(engine.statistics().free_pages, 10);
  for (int32_t i = 0; i < 4; ++i) {
    const GenerateResult result = *engine.take(submitted[static_cast<size_t>(i)]);
    EXPECT_EQ(result.ids, testing::naive_generation(model, ids(5, 30 + i), request({}).sampling, 30));
    if (i == 0) {
      EXPECT_EQ(result.preemptions, 0);
    }
  }
}

TEST_F(EngineTest, WhatCanNeverFitIsRefused) {
  EngineOptions options = exact();
  options.kv_tokens = 30;  // 8 pages: 32 tokens
  Engine engine(model, tokenizer, options);
  EXPECT_EQ(engine.options().kv_tokens, 32);
  EXPECT_TRUE(
      fails_with("kv_tokens = 32 tokens of prompt and output, got 33", [&] { engine.submit(request(ids(10), 24)); }));
  EXPECT_TRUE(fails_with("got 64", [&] { engine.submit(request(ids(10), std::numeric_limits<int64_t>::max())); }));
  EXPECT_TRUE(fails_with("window of 64 tokens, got 65", [&] { engine.submit(request(ids(65), 1)); }));
  EXPECT_TRUE(fails_with("in [0, 259), got 259", [&] { engine.submit(request({3, 259}, 1)); }));
  EXPECT_TRUE(fails_with("in [0, 259), got -1", [&] { engine.submit(request({-1}, 1)); }));
  Request bad = request(ids(3));
  bad.top_logprobs = 260;
  EXPECT_TRUE(fails_with("top_logprobs", [&] { engine.submit(bad); }));
  EXPECT_EQ(engine.statistics().submitted, 0);
  EXPECT_FALSE(engine.step());
  EXPECT_EQ(run(engine, request(ids(10), 23)).ids.size(), 23u);  // exactly full
}

TEST_F(EngineTest, RefusesOptionsOutOfRange) {
  const auto refuses = [&](std::string_view part, auto change) {
    EngineOptions options = exact();
    change(options);
    return fails_with(part, [&] { Engine engine(model, tokenizer, options); });
  };
  EXPECT_TRUE(refuses("page_tokens", [](EngineOptions& o) { o.page_tokens = 0; }));
  EXPECT_TRUE(refuses("kv_tokens", [](EngineOptions& o) { o.kv_tokens = -1; }));
  EXPECT_TRUE(refuses("max_sequences", [](EngineOptions& o) { o.max_sequences = 0; }));
  EXPECT_TRUE(refuses("prefill_chunk", [](EngineOptions& o) { o.prefill_chunk = 0; }));
  EXPECT_TRUE(refuses("max_draft", [](EngineOptions& o) { o.speculation.max_draft = 65; }));
  EXPECT_TRUE(refuses("draft model", [](EngineOptions& o) { o.speculation.kind = Speculation::draft_model; }));
}

TEST_F(EngineTest, SlidesTheWindow) {
  for (const int64_t keep : {int64_t{0}, int64_t{5}, kWindow - 1}) {
    Engine engine(model, tokenizer, exact());
    Request sliding = request(ids(50), keep == kWindow - 1 ? 20 : 90);
    sliding.context = ContextPolicy::slide;
    sliding.keep = keep;
    const GenerateResult result = run(engine, sliding);
    EXPECT_EQ(result.finish_reason, "length");
    EXPECT_EQ(result.ids, testing::naive_generation(model, sliding.ids, sliding.sampling, sliding.max_tokens, keep));
  }
  Engine engine(model, tokenizer, exact());
  Request beyond = request(ids(100), 5);
  beyond.context = ContextPolicy::slide;
  beyond.keep = 4;
  const GenerateResult result = run(engine, beyond);
  EXPECT_EQ(result.ids, testing::naive_generation(model, beyond.ids, beyond.sampling, 5, 4));
  EXPECT_EQ(result.prompt_tokens, 4 + 30);
  beyond.keep = kWindow;
  EXPECT_TRUE(fails_with("keep", [&] { engine.submit(beyond); }));
}

TEST_F(EngineTest, LogprobsAreOfTheModelsOwnDistribution) {
  Engine engine(model, tokenizer, exact());
  Request asking = request(ids(7), 6);
  asking.sampling.temperature = 1.7;
  asking.sampling.top_k = 9;
  asking.sampling.repetition_penalty = 1.4;
  asking.top_logprobs = 3;
  std::vector<int32_t> seen;
  asking.on_token = [&](const GeneratedToken& token) {
    seen.push_back(token.id);
    return true;
  };
  const GenerateResult result = run(engine, asking);
  EXPECT_EQ(seen, result.ids);
  ASSERT_EQ(result.logprobs.size(), 6u);
  std::vector<int32_t> context = asking.ids;
  for (size_t i = 0; i < 6; ++i) {
    const std::vector<float> logits = testing::naive_logits(model, context);
    const GeneratedToken& token = result.logprobs[i];
    EXPECT_EQ(token.id, result.ids[i]);
    EXPECT_NEAR(*token.logprob, testing::naive_logprob(logits, token.id), 1e-9);
    ASSERT_EQ(token.top.size(), 3u);
    EXPECT_EQ(token.top[0].id, std::max_element(logits.begin(), logits.end()) - logits.begin());
    EXPECT_GE(token.top[1].logprob, token.top[2].logprob);
    context.push_back(token.id);
  }
}

TEST_F(EngineTest, CancelsWaitingAndRunningRequests) {
  EngineOptions options = exact();
  options.max_sequences = 1;
  options.prefill_chunk = 8;
  Engine engine(model, tokenizer, options);
  const RequestId running = engine.submit(request(ids(40))), waiting = engine.submit(request(ids(3)));
  engine.step();
  EXPECT_TRUE(engine.cancel(running));
  EXPECT_TRUE(engine.cancel(waiting));
  EXPECT_FALSE(engine.step());
  const GenerateResult result = *engine.take(running);
  EXPECT_EQ(result.finish_reason, "cancelled");
  EXPECT_EQ(result.prompt_tokens, 8);
  EXPECT_EQ(engine.take(waiting)->finish_reason, "cancelled");
  EXPECT_FALSE(engine.cancel(running));
  EXPECT_FALSE(engine.cancel(12345));
  EXPECT_EQ(engine.statistics().running, 0);
}

TEST_F(EngineTest, ACallbackMayCancelWhereGuessesFollowThePrompt) {
  EngineOptions options = exact();
  options.speculation = {.kind = Speculation::draft_model, .max_draft = 4, .draft_model = model};
  Engine engine(model, tokenizer, options);
  for (const int64_t tokens : {1, 2, 3, 4, 5}) {
    Request cancelling = request(ids(tokens));
    cancelling.on_text = [](std::string_view) { return false; };
    const GenerateResult result = run(engine, cancelling);
    EXPECT_EQ(result.finish_reason, "cancelled");
    EXPECT_EQ(result.prompt_tokens, tokens);
  }
  EXPECT_EQ(run(engine, request(ids(5))).finish_reason, "length");
}

TEST_F(EngineTest, ACallbacksTroubleIsItsOwn) {
  Engine engine(model, tokenizer, exact());
  const auto throwing = [](auto&&) -> bool { throw std::runtime_error("mine"); };
  Request bad_text = request(ids(5)), bad_token = request(ids(5)), bad_end = request(ids(5));
  bad_text.on_text = throwing;
  bad_token.on_token = throwing;
  bad_end.on_finish = [](RequestId, GenerateResult) { throw std::runtime_error("mine"); };
  const RequestId a = engine.submit(bad_text), b = engine.submit(bad_token), good = engine.submit(request(ids(5)));
  engine.submit(bad_end);
  engine.run_until_idle();
  for (const RequestId id : {a, b}) {
    const GenerateResult result = *engine.take(id);
    EXPECT_EQ(result.finish_reason, "error");
    EXPECT_THROW(std::rethrow_exception(result.error), std::runtime_error);
  }
  EXPECT_EQ(engine.take(good)->ids, testing::naive_generation(model, ids(5), request({}).sampling, 12));
}

// A NaN in one token's embedding: whoever uses the token fails, nobody else does.
TEST_F(EngineTest, LogitsThatAreNoNumbersHurtOneRequestOnly) {
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.name == "model.embed_tokens.weight") {
      const Tensor first = select(select(parameter.value.detach(), 0, 50), 0, 0);
      assign(first, Tensor::full({}, std::numeric_limits<double>::quiet_NaN(), DType::f32, first.device()));
    }
  }
  model.requantize();
  Engine engine(model, tokenizer, exact());
  // The head is the embedding: token 50's logit is NaN for everybody unless a grammar forbids it.
  Request kept_off = request(ids(5, 60), 3);
  kept_off.grammar = Grammar::parse(R"(root ::= [a-z]+)");
  const RequestId bad = engine.submit(request(ids(5, 60))), good = engine.submit(kept_off);
  engine.run_until_idle();
  EXPECT_EQ(engine.take(bad)->finish_reason, "error");
  EXPECT_EQ(engine.take(good)->finish_reason, "length");
}

TEST_F(EngineTest, AGrammarHolds) {
  const Grammar grammar = Grammar::parse(R"(root ::= "<" [a-c]{2,5} ">" [0-9]+)");
  EngineOptions options = exact();
  options.speculation.kind = Speculation::prompt_lookup;
  for (const EngineOptions& each : {exact(), options}) {
    Engine engine(model, tokenizer, each);
    for (uint64_t seed = 0; seed < 20; ++seed) {
      Request bound = request(ids(4), 40);
      bound.ignore_eos = false;
      bound.sampling.seed = seed;
      bound.grammar = grammar;
      const GenerateResult result = run(engine, bound);
      if (result.finish_reason == "stop") {
        EXPECT_TRUE(grammar.matches(result.text)) << result.text;
      } else {
        EXPECT_TRUE(grammar.matches(result.text + "0")) << result.text;
      }
    }
  }
  Engine engine(model, tokenizer, exact());
  Request finite = request(ids(4), 40);  // ignores eos: ends where nothing may follow
  finite.grammar = Grammar::parse(R"(root ::= "ab" [0-9]{2})");
  const GenerateResult result = run(engine, finite);
  EXPECT_EQ(result.finish_reason, "stop");
  EXPECT_EQ(result.ids.size(), 4u);
  EXPECT_TRUE(finite.grammar->matches(result.text));
}

TEST_F(EngineTest, AGoodDraftModelIsAlwaysRightAndSavesSteps) {
  for (const double temperature : {0.0, 1.0}) {
    EngineOptions options = exact();
    options.speculation = {.kind = Speculation::draft_model, .max_draft = 4, .draft_model = model};
    Engine plain(model, tokenizer, exact()), guessing(model, tokenizer, options);
    Request one = request(ids(5), 40);
    one.sampling.temperature = temperature;
    const GenerateResult expected = run(plain, one), result = run(guessing, one);
    EXPECT_EQ(result.ids, expected.ids);
    EXPECT_EQ(result.accepted_tokens, result.drafted_tokens);
    EXPECT_GE(result.accepted_tokens, 30);
    EXPECT_LT(guessing.statistics().steps, plain.statistics().steps / 3);
  }
}

TEST_F(EngineTest, LooksUpWhatRepeats) {
  EngineOptions options = exact();
  options.speculation.kind = Speculation::prompt_lookup;
  Engine engine(model, tokenizer, options);
  Request one = request(ids(5), 59);
  one.sampling.temperature = 0;
  one.grammar = Grammar::parse(R"(root ::= ("hello ")+)");
  const GenerateResult result = run(engine, one);
  EXPECT_EQ(result.text.substr(0, 12), "hello hello ");
  EXPECT_GT(result.accepted_tokens, 30);
  EXPECT_LT(engine.statistics().steps, 30);
}

TEST_F(EngineTest, ADraftModelMustFit) {
  ModelConfig config = model.config();
  config.vocab_size = 300;
  EngineOptions options = exact();
  options.speculation = {.kind = Speculation::draft_model, .draft_model = Model::create(config, model.device(), 1)};
  EXPECT_TRUE(fails_with("vocabulary of 259 tokens, got 300", [&] { Engine engine(model, tokenizer, options); }));
}

TEST_F(EngineTest, CallbacksMaySubmitAndCancelButNotStep) {
  Engine engine(model, tokenizer, exact());
  std::vector<GenerateResult> results;
  Request second = request(ids(3));
  second.on_finish = [&](RequestId, GenerateResult result) { results.push_back(std::move(result)); };
  Request first = request(ids(5));
  RequestId own = 0;
  first.on_finish = [&](RequestId, GenerateResult result) {
    results.push_back(std::move(result));
    engine.submit(second);
  };
  first.on_token = [&](const GeneratedToken&) {
    EXPECT_TRUE(fails_with("callback", [&] { engine.step(); }));
    EXPECT_TRUE(engine.cancel(own));
    return true;
  };
  own = engine.submit(first);
  engine.run_until_idle();
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].finish_reason, "cancelled");
  EXPECT_EQ(results[0].ids.size(), 1u);
  EXPECT_EQ(results[1].finish_reason, "length");
}

TEST_F(EngineTest, WaitsForWork) {
  Engine engine(model, tokenizer, exact());
  EXPECT_FALSE(engine.wait_for_work(std::chrono::milliseconds(1)));
  std::thread other([&] { engine.submit(request(ids(3))); });
  EXPECT_TRUE(engine.wait_for_work(std::chrono::seconds(60)));
  other.join();
  engine.run_until_idle();
  EXPECT_FALSE(engine.wait_for_work(std::chrono::milliseconds(1)));
}

TEST_F(EngineTest, TheDefaultPoolHoldsFullWindows) {
  Engine engine(model, tokenizer, {});
  EXPECT_EQ(engine.options().kv_tokens, 16 * kWindow);
  EXPECT_GT(engine.kv_bytes(), 0);
}

}  // namespace
}  // namespace tern
