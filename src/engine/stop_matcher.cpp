// SPDX-License-Identifier: Apache-2.0
#include "engine/stop_matcher.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace tern {
namespace {

bool begins_inside_character(std::string_view text) { return (static_cast<unsigned char>(text[0]) & 0xc0) == 0x80; }

}  // namespace

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
  for (const std::string& stop : stops_) {
    check(!stop.empty(), "generate", "expected a stop text, got an empty one");
    check(!begins_inside_character(stop), "generate",
          "expected a stop text in UTF-8, got one that begins with byte {:#x}", static_cast<unsigned char>(stop[0]));
  }
}

size_t StopMatcher::complete_stop(std::string_view text) const {
  size_t longest = 0;
  for (const std::string& stop : stops_) {
    if (text.ends_with(stop)) longest = std::max(longest, stop.size());
  }
  return longest;
}

size_t StopMatcher::possible_stop(std::string_view text) const {
  size_t longest = 0;
  for (const std::string& stop : stops_) {
    size_t length = std::min(stop.size() - 1, text.size());
    while (length > longest && !text.ends_with(std::string_view(stop).substr(0, length))) --length;
    longest = std::max(longest, length);
  }
  return longest;
}

std::string StopMatcher::push(std::string_view piece) {
  if (stopped_) return {};
  size_t end = held_.size();
  held_ += piece;
  const std::string_view text = held_;
  while (end < text.size()) {
    if (const size_t length = complete_stop(text.substr(0, ++end))) {
      stopped_ = true;
      held_.resize(end - length);
      return std::exchange(held_, {});
    }
  }
  const size_t ready = text.size() - possible_stop(text);
  std::string out = held_.substr(0, ready);
  held_.erase(0, ready);
  return out;
}

std::string StopMatcher::finish() { return std::exchange(held_, {}); }

}  // namespace tern
