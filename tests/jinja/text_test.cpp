// SPDX-License-Identifier: Apache-2.0
#include "jinja/text.h"

#include <gtest/gtest.h>

namespace tern::jinja {
namespace {

using Parts = std::vector<std::string_view>;

TEST(JinjaText, CountsCodePoints) {
  EXPECT_EQ(count_code_points(""), 0u);
  EXPECT_EQ(count_code_points("aé漢😀"), 4u);
  EXPECT_EQ(code_point_offsets("aé漢😀"), (std::vector<size_t>{0, 1, 3, 6, 10}));
}

TEST(JinjaText, CodePointsRoundTrip) {
  for (const uint32_t code : {0u, 0x7Fu, 0x80u, 0x7FFu, 0x800u, 0xFFFFu, 0x10000u, 0x10FFFFu}) {
    std::string text;
    append_code_point(code, text);
    EXPECT_EQ(code_point_at(text, 0), code);
    EXPECT_EQ(code_point_length(text, 0), text.size());
  }
  for (const uint32_t code : {0xD800u, 0xDFFFu, 0x110000u}) {
    std::string text;
    append_code_point(code, text);
    EXPECT_EQ(text, "\xEF\xBF\xBD");
  }
}

TEST(JinjaText, StripsUnicodeWhitespaceAndGivenCharacters) {
  EXPECT_EQ(strip(" \t\n\u00A0x y\u3000\x1F", Ends::both), "x y");
  EXPECT_EQ(strip(" x ", Ends::left), "x ");
  EXPECT_EQ(strip(" x ", Ends::right), " x");
  EXPECT_EQ(strip(" \n", Ends::both), "");
  EXPECT_EQ(strip("éaéxaé", "éa", Ends::both), "x");
  EXPECT_EQ(strip("aaa", "a", Ends::right), "");
}

TEST(JinjaText, SplitsAsPython) {
  EXPECT_EQ(split("a,b,,c", ",", -1), (Parts{"a", "b", "", "c"}));
  EXPECT_EQ(split("a,b,c", ",", 1), (Parts{"a", "b,c"}));
  EXPECT_EQ(split("", ",", -1), (Parts{""}));
  EXPECT_EQ(split("  a  b ", -1), (Parts{"a", "b"}));
  EXPECT_EQ(split("  a  b ", 1), (Parts{"a", "b "}));
  EXPECT_EQ(split(" ", -1), (Parts{}));
  EXPECT_EQ(split_right("a,b,c", ",", 1), (Parts{"a,b", "c"}));
  EXPECT_EQ(split_right(" a b  c ", 1), (Parts{" a b", "c"}));
  EXPECT_EQ(split_lines("a\r\nb\n\nc"), (Parts{"a", "b", "", "c"}));
  EXPECT_EQ(split_lines("a\n", true), (Parts{"a\n"}));
  EXPECT_EQ(split_lines(""), (Parts{}));
}

TEST(JinjaText, ReplacesAsPython) {
  EXPECT_EQ(replace("aaa", "a", "bb", -1), "bbbbbb");
  EXPECT_EQ(replace("aaa", "a", "", 2), "a");
  EXPECT_EQ(replace("aé", "", "-", -1), "-a-é-");
  EXPECT_EQ(replace("ab", "", "-", 1), "-ab");
  EXPECT_EQ(replace("ab", "x", "-", -1), "ab");
}

}  // namespace
}  // namespace tern::jinja
