// SPDX-License-Identifier: Apache-2.0
#include "engine/scheduler.h"

#include <algorithm>

#include "engine/schedule.h"

namespace tern {

std::vector<std::shared_ptr<Sequence>> Scheduler::plan() {
  admit();
  share_prompt_tokens();
  for (size_t i = 0; i < running_.size(); ++i) reserve(*running_[i]);  // shortens the list
  std::vector<std::shared_ptr<Sequence>> planned;
  for (const auto& sequence : running_) {
    if (sequence->planned > 0) planned.push_back(sequence);
  }
  return planned;
}

void Scheduler::admit() {
  while (!waiting_.empty() && running() < options_.max_sequences) {
    Sequence& first = *waiting_.front();
    const std::span<const int32_t> context = first.generation.context();
    const int64_t found = keeper_.share_pages(first.kept, context);
    const int64_t missing = keeper_.pool().pages_for(std::ssize(context)) - std::ssize(first.kept.kv.pages);
    if (!running_.empty() && missing > keeper_.available()) return keeper_.release(first.kept);
    count_cached(first, found);
    running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

// What others have computed meanwhile need not be computed again.
void Scheduler::reuse(Sequence& sequence) {
  const std::span<const int32_t> context = sequence.generation.context();
  count_cached(sequence, keeper_.share_pages(sequence.kept, context));
  count_cached(sequence, keeper_.copy_partial(sequence.kept, context));
}

void Scheduler::count_cached(Sequence& sequence, int64_t tokens) {
  cached_tokens_ += tokens;
  GenerateResult& result = sequence.generation.result();
  if (result.ids.empty() && result.preemptions == 0) result.cached_tokens += tokens;
}

void Scheduler::share_prompt_tokens() {
  std::vector<Sequence*> prompts;
  std::vector<int64_t> pending;
  for (const auto& sequence : running_) {
    if (sequence->pending() > 1) reuse(*sequence);
    sequence->planned = 1;
    if (sequence->pending() == 1) continue;
    prompts.push_back(sequence.get());
    pending.push_back(sequence->pending());
  }
  const std::vector<int64_t> shares = share_budget(pending, options_.prefill_chunk);
  for (size_t i = 0; i < prompts.size(); ++i) prompts[i]->planned = shares[i];
}

// Pages for what is planned; if all others are older, for as much of it as there is room.
void Scheduler::reserve(Sequence& sequence) {
  const int64_t wanted = sequence.kept.kv.length + sequence.planned;
  int64_t room = keeper_.reserve(sequence.kept, wanted);
  while (room < wanted && running_.back().get() != &sequence) {
    preempt_youngest();
    room = keeper_.reserve(sequence.kept, wanted);
  }
  sequence.planned = std::min(room, wanted) - sequence.kept.kv.length;
}

void Scheduler::preempt_youngest() {
  waiting_.push_front(std::move(running_.back()));
  running_.pop_back();
  keeper_.release(waiting_.front()->kept);
  ++waiting_.front()->generation.result().preemptions;
  ++preemptions_;
}

std::vector<std::shared_ptr<Sequence>> Scheduler::remove_finished() {
  std::vector<std::shared_ptr<Sequence>> finished;
  const auto take_from = [&](auto& list) {
    for (const auto& sequence : list) {
      if (!sequence->generation.finished()) continue;
      keeper_.retire(sequence->kept, sequence->generation.context());
      finished.push_back(sequence);
    }
    std::erase_if(list, [](const auto& sequence) { return sequence->generation.finished(); });
  };
  take_from(running_);
  take_from(waiting_);
  return finished;
}

}  // namespace tern
