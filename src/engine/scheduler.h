// SPDX-License-Identifier: Apache-2.0
// Who runs, who waits, and what each takes in during a step.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "engine/page_keeper.h"
#include "engine/sequence.h"

namespace tern {

struct SchedulerOptions {
  int64_t max_sequences;
  int64_t prefill_chunk;
};

// First come, first served: requests start in the order in which they came and stay in it. When pages run out, the
// youngest running request gives up its own and waits again, in front of those that came later. The oldest one can so
// get all pages there are, and whoever fits in the pool alone comes to an end.
class Scheduler {
 public:
  Scheduler(KvPool pool, bool reuse_prefixes, const SchedulerOptions& options)
      : keeper_(std::move(pool), reuse_prefixes), options_(options) {}

  void add(std::shared_ptr<Sequence> sequence) { waiting_.push_back(std::move(sequence)); }

  // Starts what can start and plans a step: each of these has tokens to take in and the pages for them.
  std::vector<std::shared_ptr<Sequence>> plan();

  // Takes out what has finished.
  std::vector<std::shared_ptr<Sequence>> remove_finished();

  // All, the oldest first.
  template <class Visit>
  void for_each(const Visit& visit) {
    for (const auto& sequence : running_) visit(*sequence);
    for (const auto& sequence : waiting_) visit(*sequence);
  }

  PageKeeper& keeper() { return keeper_; }
  int64_t running() const { return std::ssize(running_); }
  int64_t waiting() const { return std::ssize(waiting_); }
  int64_t preemptions() const { return preemptions_; }
  int64_t cached_tokens() const { return cached_tokens_; }

 private:
  void admit();
  void reuse(Sequence& sequence);
  void count_cached(Sequence& sequence, int64_t tokens);
  void share_prompt_tokens();
  void reserve(Sequence& sequence);
  void preempt_youngest();

  PageKeeper keeper_;
  SchedulerOptions options_;
  std::vector<std::shared_ptr<Sequence>> running_;  // the oldest first
  std::deque<std::shared_ptr<Sequence>> waiting_;   // the same; all younger than those that run
  int64_t preemptions_ = 0, cached_tokens_ = 0;
};

}  // namespace tern
