// SPDX-License-Identifier: Apache-2.0
#include "text/pre_tokenizer.h"

#include <string>

#include "text/utf8.h"

namespace tern {

void PreTokenizer::run(size_t step, std::string_view text, const Emit& emit) const {
  if (text.empty()) return;
  if (step == steps_.size()) return emit(text);
  std::string prefixed;
  if (steps_[step].prefix_space && text.front() != ' ') {
    prefixed.append(" ").append(text);
    text = prefixed;
  }
  if (!steps_[step].pattern) return run(step + 1, text, emit);
  while (!text.empty()) {
    const size_t valid = utf8_prefix(text);
    match(step, text.substr(0, valid), emit);
    text.remove_prefix(valid);
    const size_t invalid = non_utf8_prefix(text);
    run(step + 1, text.substr(0, invalid), emit);
    text.remove_prefix(invalid);
  }
}

void PreTokenizer::match(size_t step, std::string_view text, const Emit& emit) const {
  if (text.empty()) return;
  const SplitStep& how = steps_[step];
  RegexMatcher matcher(*how.pattern, text);
  size_t done = 0;
  while (const std::optional<Range> found = matcher.next()) {
    if (how.keep_gaps) run(step + 1, text.substr(done, found->begin - done), emit);
    if (how.keep_matches) run(step + 1, text.substr(found->begin, found->size()), emit);
    done = found->end;
  }
  if (how.keep_gaps) run(step + 1, text.substr(done), emit);
}

}  // namespace tern
