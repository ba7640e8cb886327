// SPDX-License-Identifier: Apache-2.0
// One request from its prompt to its result, without the model: tokens in, text out.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "engine/lookahead.h"
#include "engine/stop_matcher.h"
#include "tern/engine.h"
#include "tern/model.h"
#include "tern/text.h"

namespace tern {

// The prompt's tokens: request.ids, or request.prompt encoded, with bos if asked for. Throws Error for an empty prompt,
// an id outside of the vocabulary, or a prompt beyond the window (unless it may slide).
std::vector<int32_t> prompt_ids(const Request& request, const ModelConfig& config, const Tokenizer& tokenizer);

// Callbacks are called here; what they throw ends the request with "error".
class Generation {
 public:
  // Throws Error for options out of range.
  Generation(RequestId id, Request request, std::vector<int32_t> prompt, const ModelConfig& config,
             const Tokenizer& tokenizer, std::shared_ptr<const TokenTrie> trie);

  RequestId id() const { return id_; }
  // What the model has to have seen before the next draw: prompt and output, less what a slide dropped.
  std::span<const int32_t> context() const { return context_; }
  // Counts slides: another value, another context.
  int64_t slides() const { return slides_; }
  int64_t generated() const { return std::ssize(result_.ids); }
  // Tokens that may still be drawn; at least 1 until finished, but for max_tokens of 0.
  int64_t left() const { return request_.max_tokens - generated(); }
  bool finished() const { return !result_.finish_reason.empty(); }

  Lookahead& lookahead() { return lookahead_; }

  // The model has seen `tokens` of the context; to be called as long as that is not all of it and when it is.
  void prompt_taken(int64_t tokens);
  // The next token was drawn.
  void push(GeneratedToken token);
  // The first call says how it ended.
  void finish(const char* reason);
  void fail(std::exception_ptr error);

  // For times and counts.
  GenerateResult& result() { return result_; }
  // Hands the result to on_finish: true; false if there is none. To be called once, when finished.
  bool deliver();

 private:
  void take(const GeneratedToken& token);
  void emit(std::string_view piece);
  void grow_context(int32_t id);
  void flush();
  template <class Action>
  void guarded(const Action& action);

  RequestId id_;
  Request request_;
  int64_t window_;
  std::vector<int32_t> context_;
  int64_t prompt_tokens_;  // of the context
  int64_t slides_ = 0;
  Lookahead lookahead_;
  StreamDecoder decoder_;
  StopMatcher stops_;
  GenerateResult result_;
};

}  // namespace tern
