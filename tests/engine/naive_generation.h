// SPDX-License-Identifier: Apache-2.0
// What the engine must give, written down without it: the whole context anew for every token.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/sampler.h"
#include "tern/model.h"
#include "tern/ops.h"

namespace tern::testing {

// Logits behind the last of ids.
inline std::vector<float> naive_logits(const Model& model, const std::vector<int32_t>& ids) {
  const std::vector<int64_t> wide(ids.begin(), ids.end());
  const auto length = static_cast<int64_t>(wide.size());
  const Tensor logits = model.logits(Tensor::from(wide, {1, length}, model.device()));
  return select(select(logits, 0, 0), 0, length - 1).to_vector<float>();
}

// `count` tokens behind prompt, without end-of-text; slides when keep >= 0.
inline std::vector<int32_t> naive_generation(const Model& model, const std::vector<int32_t>& prompt,
                                             const SamplingOptions& sampling, int64_t count, int64_t keep = -1) {
  Sampler sampler(sampling);
  sampler.observe(prompt);
  const int64_t window = model.config().max_position_embeddings;
  std::vector<int32_t> context = prompt, out;
  while (static_cast<int64_t>(out.size()) < count) {
    if (static_cast<int64_t>(context.size()) > window) {
      if (keep < 0) break;
      std::vector<int32_t> shorter(context.begin(), context.begin() + keep);
      shorter.insert(shorter.end(), context.end() - std::max<int64_t>((window - keep) / 2, 1), context.end());
      context = shorter;
    }
    out.push_back(sampler.sample(naive_logits(model, context), out.size()));
    sampler.observe({&out.back(), 1});
    context.push_back(out.back());
  }
  return out;
}

inline double naive_logprob(const std::vector<float>& logits, int32_t id) {
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
  return static_cast<double>(logits[static_cast<size_t>(id)]) - std::log(sum);
}

}  // namespace tern::testing
