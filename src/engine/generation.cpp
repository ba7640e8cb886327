// SPDX-License-Identifier: Apache-2.0
#include "engine/generation.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "engine/schedule.h"

namespace tern {
namespace {

bool wants_bos(const ModelConfig& config, const Tokenizer& tokenizer, std::span<const int32_t> ids) {
  const int64_t bos = config.bos_token_id;
  if (bos < 0 || bos >= std::min<int64_t>(config.vocab_size, tokenizer.vocab_size())) return false;
  if (!tokenizer.is_special(static_cast<int32_t>(bos))) return false;
  return ids.empty() || ids[0] != bos;
}

double rate(int64_t count, double seconds) {
  return count > 0 && seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

}  // namespace

double GenerateResult::prefill_tokens_per_second() const {
  return rate(prompt_tokens - cached_tokens, prefill_seconds);
}

double GenerateResult::decode_tokens_per_second() const { return rate(std::ssize(ids) - 1, decode_seconds); }

std::vector<int32_t> prompt_ids(const Request& request, const ModelConfig& config, const Tokenizer& tokenizer) {
  std::vector<int32_t> ids = request.ids;
  if (ids.empty()) {
    ids = tokenizer.encode(request.prompt);
    if (request.add_bos && wants_bos(config, tokenizer, ids)) {
      ids.insert(ids.begin(), static_cast<int32_t>(config.bos_token_id));
    }
  }
  check(!ids.empty(), "generate", "expected a prompt of at least one token, got an empty one");
  for (const int32_t id : ids) {
    check(id >= 0 && id < config.vocab_size, "generate", "expected tokens of the prompt in [0, {}), got {}",
          config.vocab_size, id);
  }
  const int64_t window = config.max_position_embeddings;
  check(std::ssize(ids) <= window || request.context == ContextPolicy::slide, "generate",
        "expected a prompt that fits the model's window of {} tokens, got {} tokens", window, ids.size());
  return ids;
}

Generation::Generation(RequestId id, Request request, std::vector<int32_t> prompt, const ModelConfig& config,
                       const Tokenizer& tokenizer, std::shared_ptr<const TokenTrie> trie)
    : id_(id),
      request_(std::move(request)),
      window_(config.max_position_embeddings),
      context_(std::move(prompt)),
      lookahead_(request_, config.eos_token_ids, config.vocab_size, context_, std::move(trie)),
      decoder_(tokenizer, /*skip_special=*/true),
      stops_(request_.stop) {
  check(request_.max_tokens >= 0, "generate", "expected max_tokens of at least 0, got {}", request_.max_tokens);
  check(request_.keep >= 0 && request_.keep < window_, "generate",
        "expected keep within the model's window of {} tokens, got {}", window_, request_.keep);
  if (std::ssize(context_) > window_) context_ = slide_context(context_, window_, request_.keep);
  prompt_tokens_ = std::ssize(context_);
}

template <class Action>
void Generation::guarded(const Action& action) {
  try {
    action();
  } catch (...) {
    fail(std::current_exception());
  }
}

void Generation::finish(const char* reason) {
  if (result_.finish_reason.empty()) result_.finish_reason = reason;
}

void Generation::fail(std::exception_ptr error) {
  result_.finish_reason = "error";
  result_.error = std::move(error);
}

void Generation::prompt_taken(int64_t tokens) {
  if (generated() > 0) return;
  result_.prompt_tokens = std::max(result_.prompt_tokens, std::min(tokens, prompt_tokens_));
  guarded([&] { emit({}); });
  if (tokens == prompt_tokens_ && request_.max_tokens == 0) finish("length");
}

void Generation::push(GeneratedToken token) {
  guarded([&] { take(token); });
  if (request_.top_logprobs >= 0) result_.logprobs.push_back(std::move(token));
}

void Generation::take(const GeneratedToken& token) {
  result_.ids.push_back(token.id);
  lookahead_.push(token.id);
  if (request_.on_token && !request_.on_token(token)) finish("cancelled");
  const std::vector<int32_t>& ends = request_.stop_ids;
  if (std::find(ends.begin(), ends.end(), token.id) != ends.end()) return finish("stop");
  if (!request_.ignore_eos && lookahead_.is_eos(token.id)) return finish("stop");
  emit(stops_.push(decoder_.push(token.id)));
  if (stops_.stopped()) return finish("stop");
  if (left() == 0) return finish("length");
  grow_context(token.id);
}

void Generation::grow_context(int32_t id) {
  if (std::ssize(context_) == window_ && request_.context == ContextPolicy::stop) return finish("context");
  context_.push_back(id);
  if (std::ssize(context_) <= window_) return;
  context_ = slide_context(context_, window_, request_.keep);
  ++slides_;
}

void Generation::emit(std::string_view piece) {
  result_.text += piece;
  if (request_.on_text && !request_.on_text(piece)) finish("cancelled");
}

// The end of the text: what was held back is final now.
void Generation::flush() {
  std::string rest = stops_.push(decoder_.finish());
  emit(rest += stops_.finish());
}

bool Generation::deliver() {
  if (result_.finish_reason != "cancelled" && result_.finish_reason != "error") guarded([&] { flush(); });
  if (!request_.on_finish) return false;
  try {
    request_.on_finish(id_, std::move(result_));
  } catch (...) {  // there is no request left that it could be told to
  }
  return true;
}

}  // namespace tern
