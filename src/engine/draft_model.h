// SPDX-License-Identifier: Apache-2.0
// Guessing tokens ahead with a small model.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/lookahead.h"
#include "tern/model.h"

namespace tern {

// The small model and its keys and values, in a pool of their own.
class DraftModel {
 public:
  // What one request wants: guesses behind `context`, appended to `lookahead` (which has begun) and to `draft`.
  struct Job {
    KvSequence* kv;  // holds the model's past of a beginning of the context
    std::span<const int32_t> context;
    int64_t count;
    Lookahead* lookahead;
    std::vector<int32_t>* draft;
  };

  // At most max_tokens tokens of all requests together, and chunk tokens of one request's context per call.
  DraftModel(Model model, KvType kv, int64_t page_tokens, int64_t max_tokens, int64_t chunk);

  // Guesses for all jobs side by side. Who has more than a chunk to catch up with, or finds no room in the window or
  // the pool, gets none this time. Guesses are drawn as the tokens will be: with the same filters and random numbers.
  void propose(std::span<const Job> jobs);
  // Cuts a past back to `length` tokens and gives back the pages behind it.
  void truncate(KvSequence& kv, int64_t length) { pool_.truncate(kv, length); }

 private:
  struct Run {
    const Job* job;
    std::vector<int32_t> feed;
  };

  bool reserve(KvSequence& kv, int64_t tokens);
  std::vector<Run> catch_up(std::span<const Job> jobs);
  // One pass over all runs; those that may go on stay, with the token guessed as their feed.
  void advance(std::vector<Run>& runs);

  Model model_;
  KvPool pool_;
  int64_t chunk_;
};

}  // namespace tern
