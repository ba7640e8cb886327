// SPDX-License-Identifier: Apache-2.0
// Finding stop texts in a stream of pieces.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tern {

// Passes text through up to the stop text that is complete first; of those complete at the same byte, the one that
// begins first. What it passes on depends on the text alone, not on how it was cut into pieces.
class StopMatcher {
 public:
  // Throws Error for a stop text that is empty or begins inside a UTF-8 character.
  explicit StopMatcher(std::vector<std::string> stops);

  // The part of the text so far that is now known to precede every stop text, without what was returned before: a
  // suffix that may be the beginning of a stop text is held back. Empty once stopped().
  std::string push(std::string_view piece);
  // What was held back, when no more text follows.
  std::string finish();

  bool stopped() const { return stopped_; }

 private:
  // Length of the longest stop text that text ends with; 0 for none.
  size_t complete_stop(std::string_view text) const;
  // Length of the longest suffix of text with which a stop text begins.
  size_t possible_stop(std::string_view text) const;

  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace tern
