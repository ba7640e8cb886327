// SPDX-License-Identifier: Apache-2.0
// Generating text with a model: one prompt (generate) or many requests at once (Engine).
#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tern/grammar.h"
#include "tern/model.h"
#include "tern/text.h"

namespace tern {

// How the next token is drawn. Filters apply in this order: repetition penalty, temperature, top-k, top-p, min-p.
struct SamplingOptions {
  double temperature = 0.0;         // 0 is greedy: the largest logit, the lowest id among equals
  int64_t top_k = 0;                // 0 keeps all
  double top_p = 1.0;               // smallest set with at least this probability (arXiv 1904.09751)
  double min_p = 0.0;               // at least this share of the largest probability (arXiv 2407.01082)
  double repetition_penalty = 1.0;  // seen tokens: positive logits divided, negative multiplied (arXiv 1909.05858)
  uint64_t seed = 0;
};

// What happens when prompt and output no longer fit the model's window of max_position_embeddings tokens.
enum class ContextPolicy : uint8_t {
  stop,   // generation ends with "context"; a longer prompt is an Error
  slide,  // the first `keep` tokens and the newest half of the others stay, at new positions, and are computed anew
};

// How tokens are guessed ahead. A guess is kept exactly when it is the token that would have been drawn, so no result
// depends on it (arXiv 2211.17192 with draws that are named by seed and index).
enum class Speculation : uint8_t {
  none,
  prompt_lookup,  // what followed the same few tokens the last time
  draft_model,    // what a small model says
};

struct SpeculationOptions {
  Speculation kind = Speculation::none;
  int64_t max_draft = 8;  // tokens guessed per step at most; fewer while guesses fail
  Model draft_model;      // for draft_model: on the same device, with the same vocabulary
};

// What shapes one text.
struct TextOptions {
  SamplingOptions sampling;
  int64_t max_tokens = 128;       // 0 only takes the prompt in
  std::vector<std::string> stop;  // generation ends before the first of these that is complete; it is not in the result
  std::vector<int32_t> stop_ids;  // tokens that end generation as the model's eos does, ignore_eos or not
  bool ignore_eos = false;
  // Put the model's bos before a prompt of text, if it is one of the tokenizer's special tokens and not there.
  bool add_bos = true;
  // Only texts of this grammar; generation ends ("stop") where the model says so and the text is complete, or where
  // nothing may follow. Cut off by max_tokens or the window it is the beginning of such a text.
  std::optional<Grammar> grammar;
  // Log-probabilities (TokenLogprob) of the chosen tokens and of this many most probable ones. -1: none.
  int top_logprobs = -1;
  ContextPolicy context = ContextPolicy::stop;
  int64_t keep = 0;  // for slide: at the beginning of the prompt, bos included
};

// Natural log of a token's probability by the model alone: softmax of its logits over the whole vocabulary, before
// penalty, temperature, filters and grammar.
struct TokenLogprob {
  int32_t id = 0;
  double logprob = 0;
};

struct GeneratedToken {
  int32_t id = 0;
  std::optional<double> logprob;  // of id, if top_logprobs >= 0
  std::vector<TokenLogprob> top;  // most probable first, lower ids first among equals
};

struct GenerateResult {
  std::string text;                      // what was generated, without the prompt and without special tokens
  std::vector<int32_t> ids;              // its tokens, an ending eos included
  std::vector<GeneratedToken> logprobs;  // the same with their log-probabilities, if top_logprobs >= 0
  // "stop" (eos, stop text or the grammar's end), "length", "context" (window full), "cancelled" or "error".
  std::string finish_reason;
  std::exception_ptr error;   // for "error": what a callback threw, or why the model could not go on
  int64_t prompt_tokens = 0;  // those taken in, bos included
  int64_t cached_tokens = 0;  // those of them that an earlier request had left, when it started
  int64_t drafted_tokens = 0, accepted_tokens = 0;  // speculation: tokens guessed ahead, and those that were right
  int64_t preemptions = 0;                          // how often it gave up its memory to an older request
  double queue_seconds = 0;                         // until its first pass
  // Running the model and sampling: up to the first token, and all tokens after it. Callbacks are not counted; passes
  // that several requests share count fully for each.
  double prefill_seconds = 0, decode_seconds = 0;

  double prefill_tokens_per_second() const;
  double decode_tokens_per_second() const;
};

using RequestId = uint64_t;

struct Request : TextOptions {
  std::string prompt;        // special tokens in it are recognised
  std::vector<int32_t> ids;  // if not empty: the prompt's tokens, used as they are instead of prompt
  // Called for every token, an ending eos included. Returns false to cancel.
  std::function<bool(const GeneratedToken&)> on_token;
  // Gets each piece of text once it is final: whole UTF-8 characters, and nothing that may still turn out to be the
  // beginning of a stop text. It is called for every token and every chunk of the prompt, with an empty piece where
  // nothing is final, and returns false to cancel. The pieces concatenate to result.text.
  std::function<bool(std::string_view)> on_text;
  // Gets the result, which is then not kept for take().
  std::function<void(RequestId, GenerateResult)> on_finish;
};

struct EngineOptions {
  KvType kv = KvType::f16;
  int64_t page_tokens = 32;
  // Tokens that the pool of keys and values holds. 0: max_sequences full windows, or as many as fit in 2 GiB, but at
  // least one window.
  int64_t kv_tokens = 0;
  int64_t max_sequences = 16;   // requests that run at the same time; others wait
  int64_t prefill_chunk = 512;  // tokens of prompts per step
  bool reuse_prefixes = true;   // keep the keys and values of finished requests for prompts that begin alike
  SpeculationOptions speculation;
};

// Sums over the engine's life, and how it stands after the last step.
struct EngineStatistics {
  int64_t steps = 0, submitted = 0, finished = 0;  // finished: for whatever reason
  int64_t early_steps = 0;                         // those whose pass the device had begun before they were planned
  int64_t prompt_tokens = 0;                       // tokens of prompts and of what was preempted that the model took in
  int64_t cached_tokens = 0;                       // such tokens found in the pool instead
  int64_t generated_tokens = 0;
  int64_t drafted_tokens = 0, accepted_tokens = 0;
  int64_t preemptions = 0, evicted_pages = 0;
  int64_t screened_rows = 0, fallback_rows = 0;  // draws that a screened head decided; that it left to the full one
  int64_t waiting = 0, running = 0;
  int64_t pages = 0, free_pages = 0, cached_pages = 0;  // cached: full of reusable prefixes, in use or not
};

// Runs many requests at once (continuous batching): each step feeds one token of every running request and a chunk of
// new prompts through the model in one pass. Keys and values lie in a pool of pages; when it is full, the youngest
// request makes room and is computed anew later.
//
// A request's tokens, log-probabilities and finish reason depend on its own prompt and options and the kind of the
// cache (KvType) alone: not on other requests, their order, chunks, reused prefixes, preemption, speculation, threads
// or instruction set.
//
// submit, cancel, take, statistics and wait_for_work are safe from any thread, callbacks included, while one thread
// steps; steps from several threads take turns. Callbacks run on the stepping thread. The model's weights must not
// change while the engine lives.
class Engine {
 public:
  // Throws Error for options out of range, a draft model that does not fit, or when there is no memory.
  Engine(Model model, Tokenizer tokenizer, const EngineOptions& options = {});
  ~Engine();  // requests that still run are dropped without a call of theirs
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Queues a request. Throws Error, and changes nothing, for an empty prompt, one that does not fit the window or the
  // pool (with max_tokens), an id outside of the vocabulary, or options out of range.
  RequestId submit(Request request);
  // Ends a request before the next step, with what it has. False if it has finished or was never there.
  bool cancel(RequestId id);

  // One pass over what runs. False when nothing is left to do. Throws Error when called from a callback; what goes
  // wrong within a request ends that request only.
  bool step();
  void run_until_idle();
  // Blocks until there is something to step or the time is over; true in the first case.
  bool wait_for_work(std::chrono::milliseconds timeout);

  // The result of a finished request, once; empty while it waits or runs. Throws Error for an id that was never
  // submitted, was taken, or has on_finish.
  std::optional<GenerateResult> take(RequestId id);

  EngineStatistics statistics() const;
  const EngineOptions& options() const;  // kv_tokens as chosen
  int64_t kv_bytes() const;              // of the pool

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct GenerateOptions : TextOptions {
  KvType kv = KvType::f32;  // f32: as if without a cache, bit for bit
  SpeculationOptions speculation;
};

// Continues `prompt`, in which special tokens are recognised; on_text as in Request. The same arguments give the same
// result on any number of threads. Throws Error as Engine::submit does, what on_text throws, and when the model's
// logits are not numbers.
GenerateResult generate(const Model& model, const Tokenizer& tokenizer, std::string_view prompt,
                        const GenerateOptions& options, const std::function<bool(std::string_view)>& on_text = {});

}  // namespace tern
