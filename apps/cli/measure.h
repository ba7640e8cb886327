// SPDX-License-Identifier: Apache-2.0
// Measuring a model: each function runs one kind of work repeatedly and gives its rates.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tern/engine.h"

namespace tern::cli {

struct Spread {
  double median = 0, low = 0, high = 0;
};

// How often something is run: at least so many times, and at least for so long. One run before warms up.
struct Repetitions {
  int64_t count = 3;
  double seconds = 0;

  // run() gives a figure.
  Spread of(const std::function<double()>& run) const;
};

// Throws Error unless decoding token by token, alone and among other sequences, gives the hidden states of one pass,
// bit for bit.
void check_decoding(const Model& model, KvType kv);

// So many prompts of so many tokens, taken in `chunk` tokens at a time.
struct PrefillLoad {
  int64_t sequences, prompt, chunk;
};

// Tokens per second of taking in the prompts and drawing the first token after each.
Spread prefill_rate(const Model& model, KvType kv, const PrefillLoad& load, const Repetitions& repetitions);

struct DecodeRate {
  Spread rate;
  std::vector<int32_t> ids;   // what the first sequence said
  double fallback_share = 0;  // of the tokens for which a screened head had to read all of its weights
};

// So many sequences, each drawing `tokens` tokens, at least one, after `depth` different ones, at least one: greedily,
// or with a temperature and no filter.
struct DecodeLoad {
  int64_t sequences, depth, tokens;
  double temperature = 0;
};

// Tokens per second of all sequences together. The first one is the same for any number of them.
DecodeRate decode_rate(const Model& model, KvType kv, const DecodeLoad& load, const Repetitions& repetitions);

// Seconds of one product of `inputs` rows by a random ternary matrix [rows, cols] that no cache holds.
Spread ternary_seconds(const Device& device, const TernaryShape& shape, int64_t inputs, const Repetitions& repetitions);

}  // namespace tern::cli
