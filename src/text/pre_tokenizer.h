// SPDX-License-Identifier: Apache-2.0
// Cuts text into the pieces that merges stay within.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "text/regex.h"

namespace tern {

// What one pre_tokenizer of tokenizer.json does with each piece that the one before it made.
struct SplitStep {
  // Puts a space before a piece that does not begin with one.
  bool prefix_space = false;
  // Without one, the piece stays whole.
  std::optional<Regex> pattern;
  // What becomes of matches and of what lies between them: a piece each, or nothing.
  bool keep_matches = true;
  bool keep_gaps = true;
};

class PreTokenizer {
 public:
  using Emit = std::function<void(std::string_view)>;

  explicit PreTokenizer(std::vector<SplitStep> steps) : steps_(std::move(steps)) {}

  // Calls emit with each piece, in order and never empty; the views live until emit returns. A run of bytes that are
  // not UTF-8 is a piece of its own to every step with a pattern.
  void split(std::string_view text, const Emit& emit) const { run(0, text, emit); }

 private:
  void run(size_t step, std::string_view text, const Emit& emit) const;
  void match(size_t step, std::string_view text, const Emit& emit) const;

  std::vector<SplitStep> steps_;
};

}  // namespace tern
