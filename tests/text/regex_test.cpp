// SPDX-License-Identifier: Apache-2.0
#include "text/regex.h"

#include <gtest/gtest.h>

#include "tern/text.h"
#include "text/pre_tokenizer.h"

namespace tern {
namespace {

std::vector<std::string> matches(const std::string& pattern, std::string_view text,
                                 Regex::Syntax syntax = Regex::Syntax::kPattern) {
  const Regex regex(pattern, syntax, "test");
  RegexMatcher matcher(regex, text);
  std::vector<std::string> found;
  while (const std::optional<Range> range = matcher.next())
    found.emplace_back(text.substr(range->begin, range->size()));
  EXPECT_FALSE(matcher.next());
  return found;
}

using Strings = std::vector<std::string>;

std::vector<std::string> pieces(std::string_view pattern, std::string_view text) {
  std::vector<SplitStep> steps(1);
  steps[0].pattern = Regex(pattern, Regex::Syntax::kPattern, "test");
  std::vector<std::string> found;
  PreTokenizer(std::move(steps)).split(text, [&](std::string_view piece) { found.emplace_back(piece); });
  return found;
}

TEST(Regex, FindsMatchesFromLeftToRight) {
  EXPECT_EQ(matches("a+", "aabaca"), (Strings{"aa", "a", "a"}));
  EXPECT_EQ(matches("x", ""), Strings{});
  EXPECT_EQ(matches("(?i:é)", "éÉe"), (Strings{"é", "É"}));
  EXPECT_EQ(matches("a.c", "a.c abc", Regex::Syntax::kLiteral), Strings{"a.c"});
}

TEST(Regex, ReportsEmptyMatchesOnce) {
  EXPECT_EQ(matches("", "aé"), (Strings{"", "", ""}));
  EXPECT_EQ(matches("b*", "abbc"), (Strings{"", "bb", ""}));
  EXPECT_EQ(matches("^", "a\nb"), (Strings{"", ""}));
}

TEST(Regex, TakesUnicodesWhiteSpace) {
  EXPECT_EQ(matches(R"(\s)", " \u0085\u00A0\u2003\u3000\u180E\u200B"),
            (Strings{" ", "\u0085", "\u00A0", "\u2003", "\u3000"}));
  EXPECT_EQ(matches(R"([^\S])", "a\u180E b"), Strings{" "});
  EXPECT_EQ(matches(R"(\\s)", R"(a\s)"), Strings{R"(\s)"});
}

TEST(Regex, RefusesBadPatterns) {
  for (const char* pattern : {"(", "[", "\\", "a{2,1}", "*", "\\C", "(?<n>a)(?<n>b)", "\\p{Klingon}", "\xFF"}) {
    EXPECT_THROW(Regex(pattern, Regex::Syntax::kPattern, "test"), Error) << pattern;
  }
}

TEST(Regex, StopsAPatternThatRunsWild) { EXPECT_THROW(matches("(a+)+[bc]", std::string(200, 'a')), Error); }

TEST(Regex, WorksOnOneLongPiece) {
  const std::string letters(3'000'000, 'a'), spaces = std::string(3'000'000, ' ') + "x";
  for (const std::string_view pattern : {kLlama3Split, kGpt2Split}) {
    EXPECT_EQ(pieces(pattern, letters).size(), 1u);
    EXPECT_EQ(pieces(pattern, spaces).size(), 2u);
  }
}

TEST(PreTokenizer, MakesBytesThatAreNotUtf8PiecesOfTheirOwn) {
  EXPECT_EQ(pieces(kLlama3Split,
                   "ab\xFF\xFE"
                   "cd \xE2\x82 x"),
            (Strings{"ab", "\xFF\xFE", "cd", " ", "\xE2\x82", " x"}));
  EXPECT_EQ(pieces(kLlama3Split, "\xFF"), Strings{"\xFF"});
  EXPECT_EQ(pieces(kLlama3Split, ""), Strings{});
}

TEST(PreTokenizer, SplitsAsThePatternsSay) {
  EXPECT_EQ(pieces(kLlama3Split, "I'LL  pay 12345\n\n x"),
            (Strings{"I", "'LL", " ", " pay", " ", "123", "45", "\n\n", " x"}));
  EXPECT_EQ(pieces(kGpt2Split, "I'LL  pay 12345\n\n x"),
            (Strings{"I", "'", "LL", " ", " pay", " 12345", "\n\n", " x"}));
  EXPECT_EQ(pieces("b", "abbc"), (Strings{"a", "b", "b", "c"}));
  EXPECT_EQ(pieces("(?=b)", "abc"), (Strings{"a", "bc"}));
}

}  // namespace
}  // namespace tern
