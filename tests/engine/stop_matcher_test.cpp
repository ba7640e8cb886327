// SPDX-License-Identifier: Apache-2.0
#include "engine/stop_matcher.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "tern/error.h"

namespace tern {
namespace {

// Where the text ends: before the stop text whose last byte comes first, the longest of those. None without a stop.
std::optional<size_t> reference_end(const std::string& text, const std::vector<std::string>& stops) {
  std::optional<size_t> best_begin;
  size_t best_end = text.size() + 1;
  for (const std::string& stop : stops) {
    const size_t begin = text.find(stop);
    if (begin == std::string::npos || begin + stop.size() > best_end) continue;
    best_begin = begin + stop.size() == best_end ? std::min(*best_begin, begin) : begin;
    best_end = begin + stop.size();
  }
  return best_begin;
}

std::string random_text(std::mt19937& random, size_t longest, const char* alphabet) {
  std::string text(random() % (longest + 1), ' ');
  for (char& c : text) c = alphabet[random() % std::string_view(alphabet).size()];
  return text;
}

TEST(StopMatcher, AgreesWithASearchOfTheWholeTextHoweverItIsCut) {
  std::mt19937 random(1);
  for (int round = 0; round < 5000; ++round) {
    const std::string text = random_text(random, 30, "abc");
    std::vector<std::string> stops(random() % 4);
    for (std::string& stop : stops) stop = "a" + random_text(random, 4, "ab");
    StopMatcher matcher(stops);
    std::string passed;
    for (size_t at = 0; at < text.size();) {
      const size_t length = random() % 5;
      passed += matcher.push(std::string_view(text).substr(at, length));
      at += std::min(length, text.size() - at);
    }
    const std::optional<size_t> end = reference_end(text, stops);
    EXPECT_EQ(matcher.stopped(), end.has_value());
    passed += matcher.finish();
    EXPECT_EQ(passed, text.substr(0, end.value_or(text.size())));
  }
}

TEST(StopMatcher, HoldsBackOnlyWhatMayBecomeAStop) {
  StopMatcher matcher({"END", "\n\n"});
  EXPECT_EQ(matcher.push("one"), "one");
  EXPECT_EQ(matcher.push(" E"), " ");
  EXPECT_EQ(matcher.push("N"), "");
  EXPECT_EQ(matcher.push("E"), "EN");
  EXPECT_EQ(matcher.push("X\n"), "EX");
  EXPECT_EQ(matcher.push("EN"), "\n");
  EXPECT_EQ(matcher.push("Dx"), "");
  EXPECT_TRUE(matcher.stopped());
  EXPECT_EQ(matcher.push("more"), "");
  EXPECT_EQ(matcher.finish(), "");
}

TEST(StopMatcher, FinishGivesWhatWasHeldOnce) {
  StopMatcher matcher({"abc"});
  EXPECT_EQ(matcher.push("xab"), "x");
  EXPECT_EQ(matcher.finish(), "ab");
  EXPECT_EQ(matcher.finish(), "");
  EXPECT_FALSE(matcher.stopped());
}

TEST(StopMatcher, NeverSplitsACharacter) {
  StopMatcher matcher({"é!"});
  EXPECT_EQ(matcher.push("è"), "è");
  EXPECT_EQ(matcher.push("né"), "n");
  EXPECT_EQ(matcher.push("è"), "éè");
}

TEST(StopMatcher, RefusesStopsThatAreNoText) {
  EXPECT_THROW(StopMatcher({""}), Error);
  EXPECT_THROW(StopMatcher({"ok", "\x80"}), Error);
}

}  // namespace
}  // namespace tern
