// SPDX-License-Identifier: Apache-2.0
// A mix of requests with a known right answer each: what the request gives when it has the engine to itself.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "tern/engine.h"

namespace tern::testing {

// A random model over the 256 bytes and two special tokens, with a window of `window` tokens.
Model tiny_model(uint64_t seed, int64_t window, int64_t layers = 2);
Model tiny_model(uint64_t seed, int64_t window, int64_t layers, const Device& device);
Tokenizer byte_tokenizer();

class RequestMix {
 public:
  // threads: of the device.
  explicit RequestMix(int threads);

  const Model& model() const { return model_; }
  // Right often, but not always: the model itself, its weights a little disturbed.
  const Model& draft_model() const { return draft_model_; }
  const Tokenizer& tokenizer() const { return tokenizer_; }

  // Request number `index` of the mix, without callbacks: prompts of odd lengths that begin alike, all kinds of
  // sampling, stop texts, grammars, log-probabilities, both context policies.
  Request request(uint64_t index) const;

  // Its result alone in an engine without batching, reuse and speculation. Cached; not thread-safe.
  const GenerateResult& expected(uint64_t index, KvType kv);

  // Engine options number `index`: pools from roomy to hardly enough for one request, all chunk sizes and speculations.
  EngineOptions engine_options(uint64_t index, KvType kv) const;

  // The largest number of tokens that a request of the mix keeps.
  static constexpr int64_t kWindow = 96;

 private:
  Tokenizer tokenizer_;
  Model model_, draft_model_;
  std::map<std::pair<uint64_t, KvType>, GenerateResult> expected_;
};

// Empty if both are the same text, tokens, log-probabilities and end; else what differs.
std::string difference(const GenerateResult& got, const GenerateResult& expected);
// The same for a request that was cut short: got is a beginning of expected.
std::string difference_as_beginning(const GenerateResult& got, const GenerateResult& expected);

}  // namespace tern::testing
