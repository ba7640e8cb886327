// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "engine/generation.h"
#include "tern/engine.h"

namespace tern {
namespace {

// The prompt is taken in by this many tokens at a time: enough for the kernels, little enough to cancel soon.
constexpr int64_t kPrefillChunk = 256;

EngineOptions engine_for_one(const GenerateOptions& options, int64_t prompt_tokens, int64_t window) {
  EngineOptions engine;
  engine.kv = options.kv;
  const int64_t room = std::max<int64_t>(window - prompt_tokens, 0);
  engine.kv_tokens = options.max_tokens < room ? prompt_tokens + std::max<int64_t>(options.max_tokens, 0) : window;
  engine.max_sequences = 1;
  engine.prefill_chunk = kPrefillChunk;
  engine.reuse_prefixes = false;
  engine.speculation = options.speculation;
  return engine;
}

}  // namespace

GenerateResult generate(const Model& model, const Tokenizer& tokenizer, std::string_view prompt,
                        const GenerateOptions& options, const std::function<bool(std::string_view)>& on_text) {
  Request request;
  static_cast<TextOptions&>(request) = options;
  request.prompt = prompt;
  request.ids = prompt_ids(request, model.config(), tokenizer);
  request.on_text = on_text;
  Engine engine(model, tokenizer,
                engine_for_one(options, std::ssize(request.ids), model.config().max_position_embeddings));
  const RequestId id = engine.submit(std::move(request));
  engine.run_until_idle();
  GenerateResult result = *engine.take(id);
  if (result.error) std::rethrow_exception(result.error);
  return result;
}

}  // namespace tern
