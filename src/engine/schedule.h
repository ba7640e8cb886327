// SPDX-License-Identifier: Apache-2.0
// How a step is shared out.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tern {

// Tokens that each prompt takes in during a step, at most `budget` together. pending: what each has left, the oldest
// request first. Half goes to the oldest, so that it stays ahead of those that begin alike and find its pages; the rest
// is shared evenly, so that a short prompt does not wait for long ones.
std::vector<int64_t> share_budget(std::span<const int64_t> pending, int64_t budget);

// What stays of a context that outgrew the window, for ContextPolicy::slide: the first `keep` tokens and the newest
// half, at least one, of the room beside them. keep < window.
std::vector<int32_t> slide_context(std::span<const int32_t> context, int64_t window, int64_t keep);

}  // namespace tern
