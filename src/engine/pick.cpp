// SPDX-License-Identifier: Apache-2.0
#include "engine/pick.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace tern {
namespace {

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
  const double largest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return largest + std::log(sum);
}

void add_logprobs(std::span<const float> logits, int count, Pick& pick) {
  const double all = log_sum(logits);
  const auto of = [&](int32_t id) { return static_cast<double>(logits[static_cast<size_t>(id)]) - all; };
  pick.logprob = of(pick.id);
  std::vector<int32_t> ids(logits.size());
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i);
  std::partial_sort(ids.begin(), ids.begin() + count, ids.end(), [&](int32_t a, int32_t b) {
    const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
    return x > y || (x == y && a < b);
  });
  for (int i = 0; i < count; ++i) pick.top.push_back({ids[static_cast<size_t>(i)], of(ids[static_cast<size_t>(i)])});
}

void forbid(std::span<float> logits, std::span<const uint64_t> allowed) {
  for (size_t i = 0; i < logits.size(); ++i) {
    if ((allowed[i / 64] >> (i % 64) & 1) == 0) logits[i] = -std::numeric_limits<float>::infinity();
  }
}

Pick pick_token(std::span<float> logits, const PickRequest& request) {
  std::vector<float> masked;
  if (!request.allowed.empty()) {
    masked.assign(logits.begin(), logits.end());
    forbid(masked, request.allowed);
  }
  Pick pick;
  pick.id = request.sampler->sample(masked.empty() ? logits : std::span<float>(masked), request.index);
  if (request.top_logprobs >= 0) add_logprobs(logits, request.top_logprobs, pick);
  return pick;
}

}  // namespace

std::vector<Pick> pick_tokens(const Model& model, const Tensor& hidden, std::span<const PickRequest> requests,
                              PickStatistics& statistics) {
  const int64_t vocabulary = model.config().vocab_size;
  check(hidden.rank() == 2 && hidden.size(0) == std::ssize(requests), "pick",
        "expected a hidden row for each of {} requests, got {}", requests.size(), to_string(hidden.shape()));
  for (const PickRequest& request : requests) check_request(request, vocabulary);
  std::vector<float> logits = model.head_logits(hidden).to_vector<float>();
  std::vector<Pick> picks;
  for (size_t row = 0; row < requests.size(); ++row) {
    const auto width = static_cast<size_t>(vocabulary);
    picks.push_back(pick_token(std::span(logits).subspan(row * width, width), requests[row]));
  }
  statistics.rows += std::ssize(requests);
  return picks;
}

}  // namespace tern
