// SPDX-License-Identifier: Apache-2.0
#include "engine/schedule.h"

#include <algorithm>
#include <numeric>

namespace tern {

std::vector<int64_t> share_budget(std::span<const int64_t> pending, int64_t budget) {
  std::vector<int64_t> shares(pending.size(), 0);
  if (pending.empty()) return shares;
  shares[0] = std::min(pending[0], (budget + 1) / 2);
  budget -= shares[0];

  // From the smallest wish to the largest: what one leaves, the later ones share.
  std::vector<size_t> order(pending.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto wish = [&](size_t i) { return pending[i] - shares[i]; };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return wish(a) < wish(b); });
  auto sharing = static_cast<int64_t>(order.size());
  for (const size_t i : order) {
    const int64_t share = std::min(wish(i), (budget + sharing - 1) / sharing);
    shares[i] += share;
    budget -= share;
    --sharing;
  }
  return shares;
}

std::vector<int32_t> slide_context(std::span<const int32_t> context, int64_t window, int64_t keep) {
  const auto newest = static_cast<size_t>(std::max<int64_t>(1, (window - keep) / 2));
  std::vector<int32_t> out(context.begin(), context.begin() + keep);
  const std::span<const int32_t> tail = context.last(newest);
  out.insert(out.end(), tail.begin(), tail.end());
  return out;
}

}  // namespace tern
