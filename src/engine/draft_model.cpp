// SPDX-License-Identifier: Apache-2.0
#include "engine/draft_model.h"

#include <algorithm>
#include <utility>

#include "engine/hidden_rows.h"

namespace tern {

DraftModel::DraftModel(Model model, KvType kv, int64_t page_tokens, int64_t max_tokens, int64_t chunk)
    : model_(std::move(model)),
      pool_(model_.make_kv_pool(
          {.type = kv, .pages = (max_tokens + page_tokens - 1) / page_tokens, .page_tokens = page_tokens})),
      chunk_(chunk) {}

bool DraftModel::reserve(KvSequence& kv, int64_t tokens) {
  while (std::ssize(kv.pages) * pool_.page_tokens() < tokens) {
    if (pool_.free_pages() == 0) {
      truncate(kv, kv.length);
      return false;
    }
    kv.pages.push_back(pool_.acquire());
  }
  return true;
}

std::vector<DraftModel::Run> DraftModel::catch_up(std::span<const Job> jobs) {
  std::vector<Run> runs;
  for (const Job& job : jobs) {
    const int64_t size = std::ssize(job.context), most = size + job.count - 1;
    if (job.count < 1 || most > model_.config().max_position_embeddings || !reserve(*job.kv, most)) continue;
    const auto begin = job.context.begin() + job.kv->length;
    runs.push_back({&job, {begin, begin + std::min(chunk_, size - job.kv->length)}});
  }
  return runs;
}

void DraftModel::advance(std::vector<Run>& runs) {
  std::vector<SequenceStep> steps;
  for (const Run& run : runs) steps.push_back({run.feed, run.job->kv});
  const Tensor hidden = model_.hidden_states(steps, pool_);

  std::vector<int64_t> rows;
  std::vector<PickRequest> requests;
  std::vector<Run> drawing;
  int64_t row = -1;
  for (Run& run : runs) {
    row += std::ssize(run.feed);
    const Job& job = *run.job;
    if (job.kv->length < std::ssize(job.context)) continue;  // still catching up
    rows.push_back(row);
    requests.push_back(job.lookahead->request(job.lookahead->size() - 1));
    requests.back().top_logprobs = -1;
    drawing.push_back(std::move(run));
  }
  runs.clear();
  if (drawing.empty()) return;
  PickStatistics ignored;
  const std::vector<Pick> picks = pick_tokens(model_, hidden_rows(hidden, rows), requests, ignored);
  for (size_t i = 0; i < drawing.size(); ++i) {
    const Job& job = *drawing[i].job;
    if (!job.lookahead->guess(picks[i].id)) continue;
    job.draft->push_back(picks[i].id);
    if (std::ssize(*job.draft) < job.count) runs.push_back({&job, {picks[i].id}});
  }
}

void DraftModel::propose(std::span<const Job> jobs) {
  std::vector<Run> runs = catch_up(jobs);
  while (!runs.empty()) advance(runs);
}

}  // namespace tern
