// SPDX-License-Identifier: Apache-2.0
#include "engine/pick.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "engine/scores.h"
#include "engine/screen.h"
#include "ops/coded.h"
#include "ops/scores.h"
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
  Picking(const Model& model, const Tensor& hidden, std::span<const PickRequest> requests, PickStatistics& statistics,
          const WithBest& with_best)
      : model_(model),
        hidden_(hidden),
        requests_(requests),
        statistics_(statistics),
        with_best_(with_best),
        exact_(model.head() == HeadType::full || model.head() == HeadType::screened),
        searches_(searches_scores(model.device())),
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

  // Some rows of a matrix, at least one, ascending.
  static Tensor some_rows(const Tensor& all, const std::vector<int64_t>& rows) {
    if (std::ssize(rows) == all.size(0)) return all;
    if (rows.back() - rows[0] + 1 == std::ssize(rows)) return slice(all, 0, rows[0], rows.back() + 1);
    return embedding(all, Tensor::from(rows, {std::ssize(rows)}, all.device()));
  }
  Tensor rows_of(const std::vector<int64_t>& rows) const { return some_rows(hidden_, rows); }

  static void remove(const std::vector<int64_t>& some, std::vector<int64_t>& rows) {
    std::erase_if(rows, [&](int64_t row) { return std::binary_search(some.begin(), some.end(), row); });
  }

  // Whether few tokens may decide, for the host and for the device to look for.
  bool screenable(int64_t row) const { return request(row).top_logprobs < 0 && can_screen(*request(row).sampler); }
  bool searchable(int64_t row) const { return request(row).top_logprobs < 0 && can_search(*request(row).sampler); }
  // Whether the device may draw among all tokens.
  bool drawable(int64_t row) const {
    return request(row).top_logprobs < 0 && can_draw(*request(row).sampler, model_.config().vocab_size);
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
    // Where a copy to the host waits for a device, one for all of many rows is cheaper than one for each.
    if (searches_ && std::ssize(requests_) > most_bounded_rows(model_.device())) return std::nullopt;
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
    if (model_.head() != HeadType::screened || std::ssize(rows) > most_bounded_rows(model_.device()) ||
        !worth_a_try()) {
      return;
    }
    std::vector<int64_t> tried;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(tried),
                 [&](int64_t row) { return searches_ ? searchable(row) : screenable(row); });
    if (tried.empty()) return;
    const std::vector<int64_t> decided = searches_ ? search_bounds(tried) : look_through_bounds(tried);
    statistics_.screened += std::ssize(decided);
    statistics_.fallbacks += std::ssize(tried) - std::ssize(decided);
    remove(decided, rows);
  }

  // Draws for those of these rows that their bounds decide, which it returns.
  std::vector<int64_t> look_through_bounds(const std::vector<int64_t>& rows) {
    const LogitBounds bounds = model_.head_bounds(rows_of(rows));
    std::vector<float> low = bounds.low.to_vector<float>(), high = bounds.high.to_vector<float>();
    const auto width = static_cast<size_t>(model_.config().vocab_size);
    std::vector<int64_t> decided;
    for (size_t i = 0; i < rows.size(); ++i) {
      const PickRequest& r = request(rows[i]);
      const auto part = [&](std::vector<float>& all) { return std::span(all).subspan(i * width, width); };
      if (take(rows[i], screened_candidates(model_, select(hidden_, 0, rows[i]), part(low), part(high), *r.sampler,
                                            r.allowed, statistics_.rescored))) {
        decided.push_back(rows[i]);
      }
    }
    return decided;
  }

  std::vector<ScoreSearch> searches_for(const std::vector<int64_t>& rows) const {
    std::vector<ScoreSearch> searches;
    for (const int64_t row : rows) searches.push_back(search_for(*request(row).sampler, request(row).allowed));
    return searches;
  }

  std::vector<int64_t> take_found(const std::vector<int64_t>& rows, const std::vector<FoundScores>& found,
                                  bool by_bounds) {
    std::vector<int64_t> decided;
    for (size_t i = 0; i < rows.size(); ++i) {
      if (take(rows[i], found_candidates(*request(rows[i]).sampler, found[i], by_bounds))) decided.push_back(rows[i]);
    }
    return decided;
  }

  // The same on the device.
  std::vector<int64_t> search_bounds(const std::vector<int64_t>& rows) {
    const Tensor hidden = rows_of(rows);
    const LogitBounds bounds = model_.head_bounds(hidden);
    const std::vector<FoundScores> found =
        search_scores({bounds.low, bounds.high, bounds.leaders}, {hidden, model_.head_weight()}, searches_for(rows),
                      most_found(model_.config().vocab_size), statistics_.rescored,
                      rows.size() == requests_.size() ? with_best_ : WithBest());
    return take_found(rows, found, true);
  }

  // Those of the rows that `wanted` says, and their logits.
  struct Chosen {
    std::vector<int64_t> rows;
    Tensor logits;
  };
  template <class Wanted>
  static Chosen choose(const std::vector<int64_t>& rows, const Tensor& logits, const Wanted& wanted) {
    Chosen chosen;
    std::vector<int64_t> places;
    for (size_t i = 0; i < rows.size(); ++i) {
      if (!wanted(rows[i])) continue;
      chosen.rows.push_back(rows[i]);
      places.push_back(static_cast<int64_t>(i));
    }
    if (!places.empty()) chosen.logits = some_rows(logits, places);
    return chosen;
  }

  // Draws for those of these rows that the device finds the tokens of, which it returns.
  std::vector<int64_t> search_logits(const std::vector<int64_t>& rows, const Tensor& logits) {
    const Chosen tried = choose(rows, logits, [&](int64_t row) { return searchable(row); });
    if (tried.rows.empty()) return {};
    const std::vector<FoundScores> found =
        search_scores(tried.logits, searches_for(tried.rows), most_found(model_.config().vocab_size));
    return take_found(tried.rows, found, false);
  }

  // The same for those without a filter.
  std::vector<int64_t> draw_logits(const std::vector<int64_t>& rows, const Tensor& logits) {
    const Chosen tried = choose(rows, logits, [&](int64_t row) { return drawable(row); });
    if (tried.rows.empty()) return {};
    std::vector<ScoreSearch> draws;
    for (const int64_t row : tried.rows) {
      const PickRequest& r = request(row);
      draws.push_back(draw_for(*r.sampler, r.allowed, r.index));
    }
    const std::vector<DrawnScore> drawn = draw_scores(tried.logits, draws);
    std::vector<int64_t> decided;
    for (size_t i = 0; i < drawn.size(); ++i) {
      const std::optional<int32_t> token = drawn_token(drawn[i], draws[i].number, model_.config().vocab_size);
      if (!token) continue;
      picks_[static_cast<size_t>(tried.rows[i])].id = *token;
      decided.push_back(tried.rows[i]);
    }
    return decided;
  }

  void whole_head(const std::vector<int64_t>& rows) {
    if (rows.empty()) return;
    const Tensor logits = model_.head_logits(rows_of(rows));
    std::vector<int64_t> undecided = rows;
    if (searches_) {
      remove(search_logits(rows, logits), undecided);
      remove(draw_logits(rows, logits), undecided);
    }
    const Chosen left =
        choose(rows, logits, [&](int64_t row) { return std::binary_search(undecided.begin(), undecided.end(), row); });
    if (!left.rows.empty()) sample(left.rows, left.logits.to_vector<float>());
  }

  // On the host, from all logits.
  void sample(const std::vector<int64_t>& rows, const std::vector<float>& logits) {
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
  const WithBest& with_best_;
  bool exact_, searches_;
  std::vector<Pick> picks_;
};

}  // namespace

std::vector<Pick> pick_tokens(const Model& model, const Tensor& hidden, std::span<const PickRequest> requests,
                              PickStatistics& statistics, const WithBest& with_best) {
  const ModelConfig& config = model.config();
  check(hidden.rank() == 2 && hidden.size(0) == std::ssize(requests), "pick",
        "expected a hidden row for each of {} requests, got {}", requests.size(), to_string(hidden.shape()));
  check(hidden.dtype() == DType::f32 && hidden.size(1) == config.hidden_size, "pick",
        "expected f32 hidden rows of {} elements, got {} {}", config.hidden_size, name_of(hidden.dtype()),
        to_string(hidden.shape()));
  for (const PickRequest& request : requests) check_request(request, config.vocab_size);
  return Picking(model, hidden, requests, statistics, with_best).run();
}

}  // namespace tern
