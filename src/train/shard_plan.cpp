// SPDX-License-Identifier: Apache-2.0
#include "train/shard_plan.h"

#include <algorithm>

namespace tern {
namespace {

constexpr int64_t kUnit = 16;  // elements: 64 bytes of f32

int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

ShardPlan::ShardPlan(std::span<const int64_t> counts, int processes, int64_t bucket_elements) : processes_(processes) {
  const int64_t unit = kUnit * processes_, longest = round_up(std::max<int64_t>(bucket_elements, 1), unit);
  for (size_t i = counts.size(); i-- > 0;) {
    const int64_t divided = counts[i] / unit * unit;
    for (int64_t begin = 0; begin < divided; begin += longest) {
      add({i, {begin, std::min(begin + longest, divided)}, true, 0}, bucket_elements);
    }
    if (divided < counts[i]) add({i, {divided, counts[i]}, false, 0}, bucket_elements);
  }
}

void ShardPlan::add(Part part, int64_t bucket_elements) {
  if (buckets_.empty() || in_last_ + part.range.size() > bucket_elements) {
    buckets_.emplace_back();
    in_last_ = 0;
  }
  part.place = own_elements_;
  own_elements_ += round_up(own(part, 0).size(), kUnit);
  in_last_ += part.range.size();
  buckets_.back().push_back(part);
}

ShardPlan::Range ShardPlan::own(const Part& part, int rank) const {
  if (!part.is_divided) return part.range;
  const int64_t each = part.range.size() / processes_;
  return {part.range.begin + rank * each, part.range.begin + (rank + 1) * each};
}

}  // namespace tern
