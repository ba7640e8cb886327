// SPDX-License-Identifier: Apache-2.0
// Generating text with a model.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

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

struct GenerateOptions {
  SamplingOptions sampling;
  int64_t max_tokens = 128;       // 0 only takes the prompt in
  std::vector<std::string> stop;  // generation ends before the first of these that is complete; it is not in the result
  bool ignore_eos = false;
  bool add_bos = true;  // put the model's bos before the prompt, if it is one of the tokenizer's special tokens and not there
};

struct GenerateResult {
  std::string text;           // what was generated, without the prompt and without special tokens
  std::vector<int32_t> ids;   // its tokens, an ending eos included
  std::string finish_reason;  // "stop" (eos or stop text), "length", "context" (window full) or "cancelled"
  int64_t prompt_tokens = 0;  // those taken in, bos included
  // Running the model and sampling: up to the first token, and all tokens after it. on_text is not counted.
  double prefill_seconds = 0, decode_seconds = 0;

  double prefill_tokens_per_second() const;
  double decode_tokens_per_second() const;
};

// Continues `prompt`, in which special tokens are recognised. `on_text` gets each piece of text once it is final: whole
// UTF-8 characters, and nothing that may still turn out to be the beginning of a stop text. It is called for every
// token and every few hundred tokens of the prompt, with an empty piece where nothing is final, and returns false to
// cancel. The pieces concatenate to result.text. The same arguments give the same result on any number of threads.
// Throws Error for an empty prompt without bos, one that does not fit the model's window, or options out of range.
GenerateResult generate(const Model& model, const Tokenizer& tokenizer, std::string_view prompt,
                        const GenerateOptions& options, const std::function<bool(std::string_view)>& on_text = {});

}  // namespace tern
