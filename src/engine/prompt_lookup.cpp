// SPDX-License-Identifier: Apache-2.0
#include "engine/prompt_lookup.h"

namespace tern {
namespace {

constexpr size_t kMinMatch = 2, kMaxMatch = 4;

// How many tokens before `end` equal those at the end of the context, kMaxMatch at most.
size_t match_length(std::span<const int32_t> context, size_t end) {
  size_t length = 0;
  while (length < kMaxMatch && length < end && context[end - 1 - length] == context[context.size() - 1 - length]) {
    ++length;
  }
  return length;
}

}  // namespace

std::vector<int32_t> look_up_draft(std::span<const int32_t> context, int64_t count) {
  size_t begin = 0, longest = kMinMatch - 1;
  for (size_t end = context.size(); end-- > kMinMatch && longest < kMaxMatch;) {
    if (const size_t length = match_length(context, end); length > longest) {
      longest = length;
      begin = end;
    }
  }
  std::vector<int32_t> draft;
  if (longest < kMinMatch) return draft;
  for (size_t i = begin; std::ssize(draft) < count; ++i) {
    draft.push_back(i < context.size() ? context[i] : draft[i - context.size()]);
  }
  return draft;
}

}  // namespace tern
