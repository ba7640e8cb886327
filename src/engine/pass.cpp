// SPDX-License-Identifier: Apache-2.0
#include "engine/pass.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "engine/hidden_rows.h"
#include "engine/prompt_lookup.h"

namespace tern {

void Pass::run(std::span<const std::shared_ptr<Sequence>> planned, PickStatistics& statistics) {
  std::vector<Sequence*> going;
  for (const auto& sequence : planned) {
    begin(*sequence);
    if (!sequence->generation.finished()) going.push_back(sequence.get());
  }
  if (going.empty()) return;
  guess(going);
  const auto length = [](const Sequence* sequence) { return sequence->kept.kv.length; };
  std::vector<int64_t> lengths(going.size());
  std::ranges::transform(going, lengths.begin(), length);
  try {
    compute(going, statistics);
  } catch (...) {
    for (size_t i = 0; i < going.size(); ++i) going[i]->kept.kv.length = lengths[i];
    compute_each_alone(going, statistics);
  }
}

void Pass::begin(Sequence& sequence) const {
  Generation& generation = sequence.generation;
  sequence.draft.clear();
  sequence.picks.clear();
  sequence.draws = sequence.planned == sequence.pending() && generation.left() > 0;
  if (!sequence.draws) return;
  try {
    if (!generation.lookahead().begin()) generation.finish("stop");
  } catch (...) {
    generation.fail(std::current_exception());
  }
}

// How many guesses the request has use for, and pages.
int64_t Pass::draft_room(Sequence& sequence) {
  Generation& generation = sequence.generation;
  if (!sequence.draws || sequence.pending() != 1) return 0;
  const int64_t size = std::ssize(generation.context());
  int64_t room = std::min(generation.left() - 1, model_.config().max_position_embeddings - size);
  if (room <= 0) return 0;
  room = std::min(room, sequence.draft_length.next());
  return std::min(room, keeper_.reserve(sequence.kept, size + room) - size);
}

void Pass::guess(std::span<Sequence* const> sequences) {
  if (speculation_ == Speculation::none) return;
  std::vector<DraftModel::Job> jobs;
  for (Sequence* sequence : sequences) {
    const int64_t room = draft_room(*sequence);
    if (room <= 0) continue;
    const std::span<const int32_t> context = sequence->generation.context();
    Lookahead& lookahead = sequence->generation.lookahead();
    if (speculation_ == Speculation::draft_model) {
      jobs.push_back({&sequence->draft_kv, context, room, &lookahead, &sequence->draft});
      continue;
    }
    for (const int32_t id : look_up_draft(context, room)) {
      if (!lookahead.guess(id)) break;
      sequence->draft.push_back(id);
    }
  }
  if (!jobs.empty()) guess_with_model(jobs);
}

// Guesses are a favour: without them the step is the same.
void Pass::guess_with_model(std::span<const DraftModel::Job> jobs) {
  try {
    draft_model_->propose(jobs);
  } catch (...) {
    for (const DraftModel::Job& job : jobs) draft_model_->truncate(*job.kv, 0);
  }
}

void Pass::compute(std::span<Sequence* const> sequences, PickStatistics& statistics) {
  std::vector<std::vector<int32_t>> feeds;
  std::vector<SequenceStep> steps;
  std::vector<int64_t> rows;
  std::vector<PickRequest> requests;
  int64_t row = 0;
  for (Sequence* sequence : sequences) {
    const std::span<const int32_t> context = sequence->generation.context();
    const auto begin = context.begin() + sequence->kept.kv.length;
    std::vector<int32_t>& feed = feeds.emplace_back(begin, begin + sequence->planned);
    row += sequence->planned;
    if (sequence->draws) {
      for (size_t i = 0; i <= sequence->draft.size(); ++i) {
        rows.push_back(row - 1 + static_cast<int64_t>(i));
        requests.push_back(sequence->generation.lookahead().request(i));
      }
    }
    feed.insert(feed.end(), sequence->draft.begin(), sequence->draft.end());
    row += std::ssize(sequence->draft);
  }
  for (size_t i = 0; i < sequences.size(); ++i) steps.push_back({feeds[i], &sequences[i]->kept.kv});

  const Tensor hidden = hidden_states(sequences, steps);
  if (rows.empty()) return;
  WithBest with_best;
  if (speculation_ == Speculation::none && NextStep::is_open_to(sequences, model_.config(), keeper_.pool())) {
    with_best = [&](const Tensor& ids) { start_next_step(sequences, ids); };
  }
  const int64_t fallbacks = statistics.fallbacks;
  std::vector<Pick> picks = pick_tokens(model_, hidden_rows(hidden, rows), requests, statistics, with_best);
  if (statistics.fallbacks != fallbacks) next_step_.reset();  // the device went on with any token
  if (next_step_) next_step_->set_ids(picks);
  auto next = picks.begin();
  for (Sequence* sequence : sequences) {
    if (!sequence->draws) continue;
    const auto end = next + std::ssize(sequence->draft) + 1;
    sequence->picks.assign(std::make_move_iterator(next), std::make_move_iterator(end));
    next = end;
  }
}

// Those of the pass that is under way, where it is the one.
Tensor Pass::hidden_states(std::span<Sequence* const> sequences, std::span<const SequenceStep> steps) {
  const std::optional<NextStep> under_way = std::exchange(next_step_, std::nullopt);
  if (!under_way || !under_way->is(sequences, steps)) return model_.hidden_states(steps, keeper_.pool());
  for (const SequenceStep& step : steps) step.kv->length += std::ssize(step.ids);
  ++early_;
  return under_way->hidden();
}

// Guesses what the next step will be: a favour, too.
void Pass::start_next_step(std::span<Sequence* const> sequences, const Tensor& ids) {
  try {
    next_step_.emplace(model_, keeper_.pool(), sequences, ids);
  } catch (...) {
    next_step_.reset();
  }
}

// Something went wrong: finds out for whom. A row's bits do not depend on the others, so nobody else notices. Guesses
// are left out: a wrong one may meet what the text itself would not.
void Pass::compute_each_alone(std::span<Sequence* const> sequences, PickStatistics& statistics) {
  for (Sequence* sequence : sequences) {
    const int64_t length = sequence->kept.kv.length;
    sequence->draft.clear();
    try {
      compute({&sequence, 1}, statistics);
    } catch (...) {
      sequence->kept.kv.length = length;
      sequence->generation.fail(std::current_exception());
    }
  }
}

}  // namespace tern
