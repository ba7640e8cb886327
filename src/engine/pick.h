// SPDX-License-Identifier: Apache-2.0
// From hidden rows to tokens: the head's logits, the grammar's mask, the sampler, log-probabilities.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/sampler.h"
#include "ops/scores.h"
#include "tern/engine.h"
#include "tern/model.h"

namespace tern {

// How the token that follows one hidden row is chosen.
struct PickRequest {
  const Sampler* sampler = nullptr;        // greedy or filters; its repetition penalty knows the seen tokens
  uint64_t index = 0;                      // which random number of the sampler's seed
  std::span<const uint64_t> allowed = {};  // grammar mask, bit i % 64 of word i / 64; empty allows all tokens
  int top_logprobs = -1;                   // -1: none; 0: the chosen token's; k: and the k most probable tokens'
};

using Pick = GeneratedToken;

struct PickStatistics {
  int64_t rows = 0;       // tokens picked
  int64_t screened = 0;   // those that the head's screen decided
  int64_t fallbacks = 0;  // those that a screened head had to read whole for
  int64_t rescored = 0;   // candidates whose logits were computed one by one
};

// One token for each row of hidden f32 [rows, hidden_size], by the request of the same index. The same tokens and
// log-probabilities whatever the other rows are. Adds to `statistics`. Throws Error when there are not as many requests
// as rows, a mask has not one bit a token, a top_logprobs is out of range, or a row's allowed logits are NaN, +Inf or
// all -Inf.
//
// Where the device finds the tokens of all rows by itself, with_best is called before it is waited for, with what it
// will find (ops/scores.h).
std::vector<Pick> pick_tokens(const Model& model, const Tensor& hidden, std::span<const PickRequest> requests,
                              PickStatistics& statistics, const WithBest& with_best = {});

}  // namespace tern
