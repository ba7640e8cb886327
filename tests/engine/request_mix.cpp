// SPDX-License-Identifier: Apache-2.0
#include "engine/request_mix.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

#include "support/test_device.h"
#include "tern/ops.h"

namespace tern::testing {
namespace {

// Flips a few masters: another model that mostly says the same.
Model disturbed(const Model& source, int64_t window, const Device& device) {
  Model model = tiny_model(7, window, 2, device);
  const std::vector<Parameter> from = source.parameters(), to = model.parameters();
  std::mt19937_64 random(3);
  for (size_t i = 0; i < from.size(); ++i) {
    std::vector<float> values = from[i].value.to_vector<float>();
    if (from[i].value.rank() == 2) values[random() % values.size()] *= -1.0f;
    assign(to[i].value.detach(), Tensor::from(values, to[i].value.shape(), device));
  }
  model.requantize();
  return model;
}

const char* const kGrammars[] = {
    R"(root ::= [a-z]{1,7} ("-" [0-9]+)? ".")",
    R"(root ::= "[" (item ("," item)*)? "]"
       item ::= [0-9]{1,3} | root)",
    R"(root ::= "yes" | "no" | "maybe, " root)",
};

SamplingOptions random_sampling(std::mt19937_64& random) {
  SamplingOptions sampling;
  sampling.seed = random() % 5;
  sampling.temperature = std::array{0.0, 0.3, 1.0, 1.7}[random() % 4];
  if (random() % 3 == 0) sampling.top_k = std::array<int64_t, 3>{1, 7, 300}[random() % 3];
  if (random() % 3 == 0) sampling.top_p = 0.8;
  if (random() % 4 == 0) sampling.min_p = 0.05;
  if (random() % 3 == 0) sampling.repetition_penalty = 1.3;
  return sampling;
}

// Some of a few long texts, then something of its own.
std::vector<int32_t> random_prompt(std::mt19937_64& random, int64_t longest) {
  const int64_t size = 1 + static_cast<int64_t>(random() % static_cast<uint64_t>(longest));
  const int64_t shared = static_cast<int64_t>(random() % static_cast<uint64_t>(size + 1));
  std::mt19937_64 family(random() % 3);
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < size; ++i) {
    std::mt19937_64& source = i < shared ? family : random;
    ids.push_back(static_cast<int32_t>(2 + source() % 256));
  }
  return ids;
}

}  // namespace

Model tiny_model(uint64_t seed, int64_t window, int64_t layers, const Device& device) {
  ModelConfig config;
  config.vocab_size = 259;  // one more than the tokenizer has
  config.hidden_size = 32;
  config.intermediate_size = 48;
  config.num_hidden_layers = layers;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.max_position_embeddings = window;
  config.initializer_range = 0.5;
  config.eos_token_ids = {1};
  return Model::create(config, device, seed);
}

Model tiny_model(uint64_t seed, int64_t window, int64_t layers) {
  return tiny_model(seed, window, layers, test_device(2));
}

Tokenizer byte_tokenizer() { return Tokenizer::train({}, {.vocab_size = 258}); }

RequestMix::RequestMix(int threads) : tokenizer_(byte_tokenizer()) {
  const Device device = test_device(threads);
  model_ = tiny_model(5, kWindow, 2, device);
  draft_model_ = disturbed(model_, kWindow, device);
}

Request RequestMix::request(uint64_t index) const {
  std::mt19937_64 random(index + 1);
  Request request;
  request.sampling = random_sampling(random);
  request.max_tokens = static_cast<int64_t>(random() % 50);
  const bool slides = random() % 4 == 0;
  if (slides) {
    request.context = ContextPolicy::slide;
    request.keep = static_cast<int64_t>(random() % 20);
    request.max_tokens += 30;
  }
  request.ids = random_prompt(random, slides ? kWindow + 40 : kWindow);
  request.ignore_eos = random() % 2 == 0;
  if (random() % 3 == 0) request.stop = {"e", "xyz", std::string(1, static_cast<char>('a' + random() % 26))};
  if (random() % 3 == 0) request.top_logprobs = static_cast<int>(random() % 4);
  if (random() % 3 == 0) request.grammar = Grammar::parse(kGrammars[random() % std::size(kGrammars)]);
  return request;
}

const GenerateResult& RequestMix::expected(uint64_t index, KvType kv) {
  const auto [found, is_new] = expected_.try_emplace({index, kv});
  if (is_new) {
    EngineOptions alone;
    alone.kv = kv;
    alone.max_sequences = 1;
    alone.reuse_prefixes = false;
    Engine engine(model_, tokenizer_, alone);
    const RequestId id = engine.submit(request(index));
    engine.run_until_idle();
    found->second = *engine.take(id);
  }
  return found->second;
}

EngineOptions RequestMix::engine_options(uint64_t index, KvType kv) const {
  std::mt19937_64 random(index + 1);
  EngineOptions options;
  options.kv = kv;
  options.page_tokens = std::array<int64_t, 5>{1, 3, 8, 16, 32}[random() % 5];
  options.kv_tokens = kWindow + static_cast<int64_t>(random() % 3) * kWindow;
  options.max_sequences = 1 + static_cast<int64_t>(random() % 9);
  options.prefill_chunk = std::array<int64_t, 5>{1, 7, 16, 64, 512}[random() % 5];
  options.reuse_prefixes = random() % 4 != 0;
  options.speculation.kind = static_cast<Speculation>(random() % 3);
  options.speculation.max_draft = 1 + static_cast<int64_t>(random() % 8);
  if (options.speculation.kind == Speculation::draft_model) {
    options.speculation.draft_model = draft_model_;
  }
  return options;
}

std::string difference_as_beginning(const GenerateResult& got, const GenerateResult& expected) {
  if (got.ids.size() > expected.ids.size() || !std::equal(got.ids.begin(), got.ids.end(), expected.ids.begin())) {
    return fmt::format("tokens {} instead of {}", fmt::join(got.ids, " "), fmt::join(expected.ids, " "));
  }
  if (!expected.text.starts_with(got.text)) return fmt::format("text '{}' instead of '{}'", got.text, expected.text);
  for (size_t i = 0; i < got.logprobs.size(); ++i) {
    const GeneratedToken &a = got.logprobs[i], &b = expected.logprobs[i];
    const auto same = [](const TokenLogprob& x, const TokenLogprob& y) {
      return x.id == y.id && x.logprob == y.logprob;
    };
    if (a.id != b.id || a.logprob != b.logprob || !std::ranges::equal(a.top, b.top, same)) {
      return fmt::format("other log-probabilities of token {}", i);
    }
  }
  return {};
}

std::string difference(const GenerateResult& got, const GenerateResult& expected) {
  if (std::string text = difference_as_beginning(got, expected); !text.empty()) return text;
  if (got.ids.size() != expected.ids.size() || got.text != expected.text ||
      got.logprobs.size() != expected.logprobs.size()) {
    return fmt::format("{} tokens '{}' instead of {} tokens '{}'", got.ids.size(), got.text, expected.ids.size(),
                       expected.text);
  }
  if (got.finish_reason != expected.finish_reason || got.prompt_tokens != expected.prompt_tokens) {
    return fmt::format("end {} after {} tokens of the prompt instead of {} after {}", got.finish_reason,
                       got.prompt_tokens, expected.finish_reason, expected.prompt_tokens);
  }
  return {};
}

}  // namespace tern::testing
