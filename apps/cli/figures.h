// SPDX-License-Identifier: Apache-2.0
// What running a model costs, under the names that run, chat and bench share.
#pragma once

#include <cstdint>
#include <string>

#include "output.h"
#include "tern/engine.h"

namespace tern::cli {

// Bytes that a token reads when `length` tokens are behind it: ternary weights, head, norms, keys and values.
double bytes_per_token(const Model& model, KvType kv, double length);

// Of one or several generations of a model.
struct Figures {
  double load_s = 0;
  int64_t prompt_tokens = 0, cached_tokens = 0, tokens = 0;
  double prefill_seconds = 0, decode_seconds = 0;
  double read_bytes = 0;  // while decoding
  int64_t decoded = 0;    // tokens that passes after the first drew

  void add(const Model& model, KvType kv, const GenerateResult& result);

  double prefill_tokens_per_s() const;
  double decode_tokens_per_s() const;
  double bytes_per_token() const;  // the mean over the decoded tokens
  double decode_gb_per_s() const;
  Json to_json() const;
  // "prefill 512 tokens, 81.6 tok/s; decode 64 tokens, 15.8 tok/s, …".
  std::string to_text() const;
};

inline constexpr const char* kFigureFields =
    "load_s, prompt_tokens, cached_tokens (those of them that an earlier answer had left), tokens, prefill_seconds, "
    "decode_seconds, prefill_tokens_per_s, decode_tokens_per_s, bytes_per_token (what a decoded token reads: weights, "
    "head, keys and values), decode_gb_per_s, resident_mb";

}  // namespace tern::cli
