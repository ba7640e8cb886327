// SPDX-License-Identifier: Apache-2.0
#include "engine/pick.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "engine/scores.h"
#include "engine/screen.h"
#include "ops/coded.h"
#include "tern/ops.h"

namespace tern {
namespace {

// A screen that failed for most rows so far is tried for one row in so many.
constexpr int64_t kTriesBeforeDoubt = 32, kRowsPerDoubtfulTry = 16;

void check_request(const PickRequest& request, int64_t vocabulary) {
  check(request.sampler != nullptr, "pick", "expected a sampler, got none");
  const auto words = static_cast<size_t>((vocabulary + 63) / 64);
  check(request.allowed.empty() || request.allowed.size() == words, "pick",
        "expected a mask of {} words for {} tokens, got {}", words, vocabulary, request.allowed.size());
  check(request.top_logprobs >= -1 && request.top_logprobs <= vocabulary, "pick",
        "expected top_logprobs between -1 and {}, got {}", vocabulary, request.top_logprobs);
}

// log Σ exp(logits), in ascending order of ids.
double log_sum(std::span<const float> logits) {
  const auto largest = static_cast<double>(largest_of(logits));
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return largest + std::log(sum);
}

void add_logprobs(std::span<const float> logits, int count, Pick& pick) {
  const double all = log_sum(logits);
  const auto of = [&](int32_t id) { return static_cast<double>(logits[static_cast<size_t>(id)]) - all; };
  pick.logprob = of(pick.id);
  if (count == 0) return;
  BestTokens best(static_cast<size_t>(count));
  best.add(logits);
  std::vector<ScoredToken> tokens = best.take();
  std::sort(tokens.begin(), tokens.end(), better);
  for (const ScoredToken& token : tokens) pick.top.push_back({token.id, of(token.id)});
}

// One call of pick_tokens: rows that a cheap path may decide, then the others by the whole head.
class Picking {
 public:
  Picking(const Model& model, const Tensor& hidden, std::span<const PickRequest> requests, PickStatistics& statistics)
      : model_(model),
        hidden_(hidden),
        requests_(requests),
        statistics_(statistics),
        exact_(model.head() == HeadType::full || model.head() == HeadType::screened),
        picks_(requests.size()) {}

  std::vector<Pick> run() {
    std::vector<int64_t> rows;
    for (int64_t row = 0; row < std::ssize(requests_); ++row) {
      ++statistics_.rows;
      if (!take(row, few(row))) rows.push_back(row);
    }
    screen(rows);
    whole_head(rows);
    return std::move(picks_);
  }

 private:
  const PickRequest& request(int64_t row) const { return requests_[static_cast<size_t>(row)]; }

  Tensor rows_of(const std::vector<int64_t>& rows) const {
    if (std::ssize(rows) == hidden_.size(0)) return hidden_;
    return embedding(hidden_, Tensor::from(rows, {std::ssize(rows)}, hidden_.device()));
  }

  // Draws from candidates, if there are any.
  bool take(int64_t row, const std::optional<std::vector<Candidate>>& candidates) {
    if (!candidates) return false;
    picks_[static_cast<size_t>(row)].id = request(row).sampler->draw(*candidates, request(row).index);
    return true;
  }

  std::optional<std::vector<Candidate>> few(int64_t row) const {
    const PickRequest& r = request(row);
    if (!exact_ || r.allowed.empty() || r.top_logprobs >= 0) return std::nullopt;
    return few_candidates(model_, select(hidden_, 0, row), *r.sampler, r.allowed, statistics_.rescored);
  }

  bool worth_a_try() const {
    const int64_t tries = statistics_.screened + statistics_.fallbacks;
    return tries < kTriesBeforeDoubt || 2 * statistics_.fallbacks <= tries ||
           statistics_.rows % kRowsPerDoubtfulTry == 0;
  }

  // Takes the rows that the screen decides out of `rows`.
  void screen(std::vector<int64_t>& rows) {
    // Many rows take the whole head at once: it reads the weights once for all of them, and its arithmetic is cheaper
    // than that of the codes.
    if (model_.head() != HeadType::screened || std::ssize(rows) > most_bounded_rows(model_.device()) || !worth_a_try()) {
      return;
    }
    std::vector<int64_t> tried;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(tried),
                 [&](int64_t row) { return request(row).top_logprobs < 0 && can_screen(*request(row).sampler); });
    if (tried.empty()) return;
    const LogitBounds bounds = model_.head_bounds(rows_of(tried));
    std::vector<float> low = bounds.low.to_vector<float>(), high = bounds.high.to_vector<float>();
    const auto width = static_cast<size_t>(model_.config().vocab_size);
    for (size_t i = 0; i < tried.size(); ++i) {
      const PickRequest& r = request(tried[i]);
      const auto part = [&](std::vector<float>& all) { return std::span(all).subspan(i * width, width); };
      if (take(tried[i], screened_candidates(model_, select(hidden_, 0, tried[i]), part(low), part(high), *r.sampler,
                                             r.allowed, statistics_.rescored))) {
        ++statistics_.screened;
        std::erase(rows, tried[i]);
      } else {
        ++statistics_.fallbacks;
      }
    }
  }

  void whole_head(const std::vector<int64_t>& rows) {
    if (rows.empty()) return;
    const std::vector<float> logits = model_.head_logits(rows_of(rows)).to_vector<float>();
    const auto width = static_cast<size_t>(model_.config().vocab_size);
    for (size_t i = 0; i < rows.size(); ++i) {
      const PickRequest& r = request(rows[i]);
      const auto row = std::span(logits).subspan(i * width, width);
      Pick& pick = picks_[static_cast<size_t>(rows[i])];
      pick.id = r.sampler->sample(row, r.index, r.allowed);
      if (r.top_logprobs >= 0) add_logprobs(row, r.top_logprobs, pick);
    }
  }

  const Model& model_;
  const Tensor& hidden_;
  std::span<const PickRequest> requests_;
  PickStatistics& statistics_;
  bool exact_;
  std::vector<Pick> picks_;
};

}  // namespace

std::vector<Pick> pick_tokens(const Model& model, const Tensor& hidden, std::span<const PickRequest> requests,
                              PickStatistics& statistics) {
  const ModelConfig& config = model.config();
  check(hidden.rank() == 2 && hidden.size(0) == std::ssize(requests), "pick",
        "expected a hidden row for each of {} requests, got {}", requests.size(), to_string(hidden.shape()));
  check(hidden.dtype() == DType::f32 && hidden.size(1) == config.hidden_size, "pick",
        "expected f32 hidden rows of {} elements, got {} {}", config.hidden_size, name_of(hidden.dtype()),
        to_string(hidden.shape()));
  for (const PickRequest& request : requests) check_request(request, config.vocab_size);
  return Picking(model, hidden, requests, statistics).run();
}

}  // namespace tern
