// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "support/test_device.h"
#include "tern/engine.h"
#include "tern/ops.h"

namespace tern {
namespace {

// A random model over the 256 bytes and two special tokens: its text is noise, but always the same noise.
class Generate : public ::testing::Test {
 protected:
  Generate() : tokenizer(Tokenizer::train({}, {.vocab_size = 258})), model(make({1})) {}

  Model make(std::vector<int64_t> eos) const {
    ModelConfig config;
    config.vocab_size = 258;
    config.hidden_size = 32;
    config.intermediate_size = 48;
    config.num_hidden_layers = 2;
    config.num_attention_heads = 4;
    config.num_key_value_heads = 2;
    config.max_position_embeddings = 600;
    config.initializer_range = 0.5;
    config.eos_token_ids = std::move(eos);
    return Model::create(config, testing::test_device(2), 5);
  }

  GenerateResult run(const GenerateOptions& options, std::string_view prompt = "hello") const {
    return generate(model, tokenizer, prompt, options);
  }

  static GenerateOptions tokens(int64_t count, double temperature = 1.0, uint64_t seed = 0) {
    GenerateOptions options;
    options.sampling.temperature = temperature;
    options.sampling.seed = seed;
    options.max_tokens = count;
    options.ignore_eos = true;
    return options;
  }

  Tokenizer tokenizer;
  Model model;
};

// Greedy continuation without a cache: the whole sequence anew for every token.
std::vector<int32_t> naive_greedy(const Model& model, std::vector<int64_t> ids, int count) {
  std::vector<int32_t> out;
  for (int i = 0; i < count; ++i) {
    const auto length = static_cast<int64_t>(ids.size());
    const Tensor logits = model.logits(Tensor::from(ids, {1, length}, model.device()));
    const std::vector<float> last = select(select(logits, 0, 0), 0, length - 1).to_vector<float>();
    ids.push_back(std::max_element(last.begin(), last.end()) - last.begin());
    out.push_back(static_cast<int32_t>(ids.back()));
  }
  return out;
}

TEST_F(Generate, GreedyEqualsRunningTheWholeSequenceForEachToken) {
  std::vector<int64_t> ids = {0};
  for (const int32_t id : tokenizer.encode("hello")) ids.push_back(id);
  const GenerateResult result = run(tokens(20, 0.0));
  EXPECT_EQ(result.ids, naive_greedy(model, ids, 20));
  EXPECT_EQ(result.prompt_tokens, 6);
  EXPECT_EQ(result.finish_reason, "length");
  EXPECT_EQ(result.text, tokenizer.decode(result.ids, /*skip_special=*/true));
}

TEST_F(Generate, ALongPromptGoesInByChunks) {
  const std::string prompt(555, 'x');
  std::vector<int64_t> ids = {0};
  for (const int32_t id : tokenizer.encode(prompt)) ids.push_back(id);
  EXPECT_EQ(generate(model, tokenizer, prompt, tokens(3, 0.0)).ids, naive_greedy(model, ids, 3));
}

TEST_F(Generate, TheSeedNamesTheText) {
  EXPECT_EQ(run(tokens(30, 1.0, 3)).ids, run(tokens(30, 1.0, 3)).ids);
  EXPECT_NE(run(tokens(30, 1.0, 3)).ids, run(tokens(30, 1.0, 4)).ids);
  const std::vector<int32_t> longer = run(tokens(30, 1.0, 3)).ids;
  EXPECT_EQ(run(tokens(10, 1.0, 3)).ids, std::vector<int32_t>(longer.begin(), longer.begin() + 10));
}

TEST_F(Generate, PiecesAreWholeCharactersAndConcatenateToTheText) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    std::string text;
    int calls = 0;
    const auto on_text = [&](std::string_view piece) {
      ++calls;
      EXPECT_TRUE(piece.empty() || (static_cast<unsigned char>(piece[0]) & 0xc0) != 0x80);
      text += piece;
      return true;
    };
    const GenerateResult result = generate(model, tokenizer, "hello", tokens(50, 2.0, seed), on_text);
    EXPECT_EQ(text, result.text);
    EXPECT_GE(calls, 51);
    EXPECT_EQ(result.text, tokenizer.decode(result.ids, /*skip_special=*/true));
  }
}

TEST_F(Generate, EndsAtEosUnlessToldToIgnoreIt) {
  const std::vector<int32_t> ids = run(tokens(20)).ids;
  const auto first = std::find(ids.begin(), ids.end(), ids[7]);
  const Model ending = make({1, ids[7]});
  GenerateOptions options = tokens(20);
  EXPECT_EQ(generate(ending, tokenizer, "hello", options).ids, ids);
  options.ignore_eos = false;
  const GenerateResult result = generate(ending, tokenizer, "hello", options);
  EXPECT_EQ(result.ids, std::vector<int32_t>(ids.begin(), first + 1));
  EXPECT_EQ(result.finish_reason, "stop");
  EXPECT_EQ(result.text, tokenizer.decode(std::span(ids.data(), static_cast<size_t>(first - ids.begin())), true));
}

TEST_F(Generate, EndsAtAStopTokenEvenIfEosIsIgnored) {
  const std::vector<int32_t> ids = run(tokens(20)).ids;
  const auto first = std::find(ids.begin(), ids.end(), ids[7]);
  GenerateOptions options = tokens(20);
  options.stop_ids = {-1, ids[7]};
  const GenerateResult result = run(options);
  EXPECT_EQ(result.ids, std::vector<int32_t>(ids.begin(), first + 1));
  EXPECT_EQ(result.finish_reason, "stop");
  EXPECT_EQ(result.text, tokenizer.decode(std::span(ids.data(), static_cast<size_t>(first - ids.begin())), true));
}

TEST_F(Generate, EndsBeforeAStopText) {
  const std::string text = run(tokens(40)).text;
  GenerateOptions options = tokens(40);
  options.stop = {"certainly not in there", text.substr(text.find_first_of("abcdefghijklmnopqrstuvwxyz", 5), 1)};
  std::string streamed;
  const GenerateResult result = generate(model, tokenizer, "hello", options, [&](std::string_view piece) {
    streamed += piece;
    return true;
  });
  EXPECT_EQ(result.text, text.substr(0, text.find(options.stop[1])));
  EXPECT_EQ(streamed, result.text);
  EXPECT_EQ(result.finish_reason, "stop");
  EXPECT_LT(result.ids.size(), 40u);
}

TEST_F(Generate, EndsWhenTheWindowIsFull) {
  const std::string prompt(597, 'x');
  const GenerateResult result = generate(model, tokenizer, prompt, tokens(100));
  EXPECT_EQ(result.finish_reason, "context");
  EXPECT_EQ(result.prompt_tokens, 598);
  EXPECT_EQ(result.ids.size(), 3u);  // two that the window holds, and the one that follows them
  EXPECT_EQ(generate(model, tokenizer, std::string(599, 'x'), tokens(100)).ids.size(), 1u);
  EXPECT_THROW(generate(model, tokenizer, std::string(600, 'x'), tokens(1)), Error);
}

TEST_F(Generate, CancelsAtAToken) {
  std::string text;
  int calls = 0;
  const GenerateResult result = generate(model, tokenizer, "hello", tokens(40), [&](std::string_view piece) {
    text += piece;
    return ++calls < 6;  // the prompt's one chunk, then tokens
  });
  EXPECT_EQ(calls, 6);
  EXPECT_EQ(result.ids.size(), 5u);
  EXPECT_EQ(result.finish_reason, "cancelled");
  EXPECT_EQ(text, result.text);
}

TEST_F(Generate, CancelsWithinThePrompt) {
  const GenerateResult result =
      generate(model, tokenizer, std::string(500, 'x'), tokens(40), [](std::string_view) { return false; });
  EXPECT_EQ(result.finish_reason, "cancelled");
  EXPECT_LT(result.prompt_tokens, 501);
  EXPECT_TRUE(result.ids.empty());
}

TEST_F(Generate, BosComesOnceAndOnlyWhenAsked) {
  EXPECT_EQ(run(tokens(1), "hello").prompt_tokens, 6);
  EXPECT_EQ(run(tokens(1), "<|begin_of_text|>hello").prompt_tokens, 6);
  GenerateOptions bare = tokens(1);
  bare.add_bos = false;
  EXPECT_EQ(run(bare, "hello").prompt_tokens, 5);
  EXPECT_EQ(run(tokens(1), "").prompt_tokens, 1);
  EXPECT_THROW(run(bare, ""), Error);
}

TEST_F(Generate, NoTokensOnlyTakeThePromptIn) {
  const GenerateResult result = run(tokens(0));
  EXPECT_TRUE(result.ids.empty());
  EXPECT_TRUE(result.text.empty());
  EXPECT_EQ(result.finish_reason, "length");
  EXPECT_GT(result.prefill_tokens_per_second(), 0);
  EXPECT_EQ(result.decode_tokens_per_second(), 0);
}

TEST_F(Generate, RefusesOptionsOutOfRange) {
  EXPECT_THROW(run(tokens(-1)), Error);
  EXPECT_THROW(run(tokens(1, -1.0)), Error);
  GenerateOptions options = tokens(1);
  options.stop = {""};
  EXPECT_THROW(run(options), Error);
}

TEST_F(Generate, AHugeMaxTokensTakesNoMoreMemoryThanTheWindow) {
  GenerateOptions options = tokens(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(run(options, std::string(590, 'x')).finish_reason, "context");
}

}  // namespace
}  // namespace tern
