// SPDX-License-Identifier: Apache-2.0
// Guessing tokens ahead from the text itself.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tern {

// What followed the last few tokens of `context` when they occurred before: at most `count` tokens. The occurrence with
// the longest match (2 to 4 tokens) counts, of equals the latest. A continuation that reaches the end of the context
// goes round: text that repeats itself is guessed to go on doing so. Empty where nothing matches.
std::vector<int32_t> look_up_draft(std::span<const int32_t> context, int64_t count);

}  // namespace tern
