// SPDX-License-Identifier: Apache-2.0
// A request on its way through the engine.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include "engine/draft_length.h"
#include "engine/generation.h"
#include "engine/page_keeper.h"
#include "engine/pick.h"

namespace tern {

using Clock = std::chrono::steady_clock;

inline double seconds_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

struct Sequence {
  Sequence(Generation text, int64_t max_draft, bool kept_for_take)
      : generation(std::move(text)), draft_length(max_draft), has_taker(kept_for_take) {}

  // Tokens that the model has to see before the next draw.
  int64_t pending() const { return std::ssize(generation.context()) - kept.kv.length; }

  Generation generation;
  KeptSequence kept;    // the model's past
  KvSequence draft_kv;  // the draft model's
  DraftLength draft_length;
  std::atomic<bool> cancelled = false;  // from any thread
  const bool has_taker;                 // the result is kept for Engine::take
  bool started = false;
  const Clock::time_point submitted = Clock::now();

  // The current step: tokens of the context to take in; whether a draw follows them; tokens guessed behind them; what
  // was drawn, one token more than guessed.
  int64_t planned = 0;
  bool draws = false;
  std::vector<int32_t> draft;
  std::vector<Pick> picks;
};

}  // namespace tern
