// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"
#include "engine/sampler.h"
#include "engine/stop_matcher.h"
#include "tern/engine.h"
#include "tern/ops.h"

namespace tern {
namespace {

using Clock = std::chrono::steady_clock;

// The prompt is taken in by this many tokens at a time: enough for the kernels, little enough to cancel soon.
constexpr size_t kPrefillChunk = 256;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double rate(int64_t count, double seconds) {
  return count > 0 && seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

bool wants_bos(const ModelConfig& config, const Tokenizer& tokenizer, std::span<const int32_t> ids) {
  const int64_t bos = config.bos_token_id;
  if (bos < 0 || bos >= std::min<int64_t>(config.vocab_size, tokenizer.vocab_size())) return false;
  if (!tokenizer.is_special(static_cast<int32_t>(bos))) return false;
  return ids.empty() || ids[0] != bos;
}

std::vector<int32_t> prompt_ids(const Model& model, const Tokenizer& tokenizer, std::string_view prompt, bool add_bos) {
  const ModelConfig& config = model.config();
  std::vector<int32_t> ids = tokenizer.encode(prompt);
  if (add_bos && wants_bos(config, tokenizer, ids)) {
    ids.insert(ids.begin(), static_cast<int32_t>(config.bos_token_id));
  }
  check(!ids.empty(), "generate", "expected a prompt of at least one token, got an empty one");
  const auto count = static_cast<int64_t>(ids.size());
  check(count <= config.max_position_embeddings, "generate",
        "expected a prompt that fits the model's window of {} tokens, got {} tokens", config.max_position_embeddings,
        count);
  return ids;
}

// One run of generate(): the model's cache on one side, the text on its way out on the other.
class Generation {
 public:
  Generation(const Model& model, const Tokenizer& tokenizer, const GenerateOptions& options,
             const std::function<bool(std::string_view)>& on_text)
      : model_(model),
        options_(options),
        on_text_(on_text),
        sampler_(options.sampling),
        decoder_(tokenizer, /*skip_special=*/true),
        stops_(options.stop) {
    check(options.max_tokens >= 0, "generate", "expected max_tokens of at least 0, got {}", options.max_tokens);
  }

  GenerateResult run(std::span<const int32_t> prompt) {
    prefill(prompt);
    while (result_.finish_reason.empty()) next_token();
    if (result_.finish_reason != "cancelled") flush();
    return std::move(result_);
  }

 private:
  void prefill(std::span<const int32_t> prompt) {
    const auto count = static_cast<int64_t>(prompt.size());
    const int64_t window = model_.config().max_position_embeddings;
    cache_ = model_.make_cache(1, options_.max_tokens < window - count ? count + options_.max_tokens : window);
    sampler_.observe(prompt);
    for (size_t begin = 0; begin < prompt.size() && result_.finish_reason.empty(); begin += kPrefillChunk) {
      forward(prompt.subspan(begin, std::min(kPrefillChunk, prompt.size() - begin)), result_.prefill_seconds);
      result_.prompt_tokens = cache_.length;
      emit({});
    }
    if (options_.max_tokens == 0) finish("length");
  }

  // Takes the ids into the cache; logits_ is then what follows the last of them.
  void forward(std::span<const int32_t> ids, double& seconds) {
    const Clock::time_point start = Clock::now();
    const std::vector<int64_t> wide(ids.begin(), ids.end());
    const Tensor input = Tensor::from(wide, {1, static_cast<int64_t>(wide.size())}, model_.device());
    logits_ = model_.next_logits(input, &cache_).to_vector<float>();
    seconds += seconds_since(start);
  }

  int32_t draw() {
    const Clock::time_point start = Clock::now();
    const int32_t id = sampler_.sample(logits_, result_.ids.size());
    sampler_.observe({&id, 1});
    (result_.ids.empty() ? result_.prefill_seconds : result_.decode_seconds) += seconds_since(start);
    result_.ids.push_back(id);
    return id;
  }

  void next_token() {
    const int32_t id = draw();
    if (!options_.ignore_eos && is_eos(id)) return finish("stop");
    emit(stops_.push(decoder_.push(id)));
    if (stops_.stopped()) return finish("stop");
    if (std::ssize(result_.ids) == options_.max_tokens) return finish("length");
    if (cache_.length == model_.config().max_position_embeddings) return finish("context");
    if (result_.finish_reason.empty()) forward({&id, 1}, result_.decode_seconds);
  }

  bool is_eos(int64_t id) const {
    const std::vector<int64_t>& eos = model_.config().eos_token_ids;
    return std::find(eos.begin(), eos.end(), id) != eos.end();
  }

  void emit(std::string_view piece) {
    result_.text += piece;
    if (on_text_ && !on_text_(piece)) finish("cancelled");
  }

  // The end of the text: what was held back is final now.
  void flush() {
    std::string rest = stops_.push(decoder_.finish());
    emit(rest += stops_.finish());
  }

  void finish(const char* reason) {
    if (result_.finish_reason.empty()) result_.finish_reason = reason;
  }

  const Model& model_;
  const GenerateOptions& options_;
  const std::function<bool(std::string_view)>& on_text_;
  Sampler sampler_;
  StreamDecoder decoder_;
  StopMatcher stops_;
  KvCache cache_;
  std::vector<float> logits_;
  GenerateResult result_;
};

}  // namespace

double GenerateResult::prefill_tokens_per_second() const { return rate(prompt_tokens, prefill_seconds); }

double GenerateResult::decode_tokens_per_second() const { return rate(std::ssize(ids) - 1, decode_seconds); }

GenerateResult generate(const Model& model, const Tokenizer& tokenizer, std::string_view prompt,
                        const GenerateOptions& options, const std::function<bool(std::string_view)>& on_text) {
  Generation generation(model, tokenizer, options, on_text);
  return generation.run(prompt_ids(model, tokenizer, prompt, options.add_bos));
}

}  // namespace tern
