// SPDX-License-Identifier: Apache-2.0
#include "text/added_tokens.h"

#include <gtest/gtest.h>

namespace tern {
namespace {

AddedToken token(int32_t id, std::string content, bool special = true) {
  AddedToken made;
  made.id = id;
  made.content = std::move(content);
  made.special = special;
  return made;
}

// The parts of a text: `text` as it is, tokens as #id.
std::string parts(const AddedTokens& tokens, std::string_view text, bool parse_special = true) {
  std::string out;
  tokens.split(
      text, parse_special, [&](std::string_view part) { out += "`" + std::string(part) + "`"; },
      [&](int32_t id) { out += "#" + std::to_string(id); });
  return out;
}

TEST(AddedTokens, LeavesTextWithoutTokensAlone) {
  EXPECT_EQ(parts(AddedTokens({}), "text"), "`text`");
  EXPECT_EQ(parts(AddedTokens({}), ""), "");
  EXPECT_EQ(parts(AddedTokens({token(7, "<s>")}), "<s <S> s>"), "`<s <S> s>`");
}

TEST(AddedTokens, TakesTheLongestOfThoseThatBeginFirst) {
  const AddedTokens tokens({token(1, "ab"), token(2, "abcd"), token(3, "bcde"), token(4, "b")});
  EXPECT_EQ(parts(tokens, "abcde"), "#2`e`");
  EXPECT_EQ(parts(tokens, "abc"), "#1`c`");
  EXPECT_EQ(parts(tokens, "xbcdeab"), "`x`#3#1");
  EXPECT_EQ(parts(tokens, "bb"), "#4#4");
}

TEST(AddedTokens, FindsSpecialTokensOnlyWhenAsked) {
  const AddedTokens tokens({token(1, "<s>"), token(2, "<u>", /*special=*/false)});
  EXPECT_EQ(parts(tokens, "a<s>b<u>c"), "`a`#1`b`#2`c`");
  EXPECT_EQ(parts(tokens, "a<s>b<u>c", /*parse_special=*/false), "`a<s>b`#2`c`");
}

TEST(AddedTokens, StripsWhiteSpaceAroundTokensThatSaySo) {
  AddedToken left = token(1, "<l>"), right = token(2, "<r>");
  left.lstrip = right.rstrip = true;
  const AddedTokens tokens({left, right});
  EXPECT_EQ(parts(tokens, "a \u3000<l> b <r>\t\n c"), "`a`#1` b `#2`c`");
  EXPECT_EQ(parts(tokens, "<r>  <l>"), "#2#1");
  EXPECT_EQ(parts(tokens, "\xFF <l>\xFF<r>\xFF"), "`\xFF`#1`\xFF`#2`\xFF`");
}

TEST(AddedTokens, HonoursSingleWord) {
  AddedToken word = token(1, "cat");
  word.single_word = true;
  const AddedTokens tokens({word});
  EXPECT_EQ(parts(tokens, "cat, cat"), "#1`, `#1");
  EXPECT_EQ(parts(tokens, "cats _cat écat catcat"), "`cats _cat écat catcat`");
  EXPECT_EQ(parts(tokens,
                  "\xFF"
                  "cat\xE2"),
            "`\xFF`#1`\xE2`");
}

TEST(AddedTokens, LooksForNormalizedOnesInWhatTheOthersLeave) {
  AddedToken late = token(1, "a<s", /*special=*/false);
  late.normalized = true;
  const AddedTokens tokens({late, token(2, "<s>")});
  EXPECT_EQ(parts(tokens, "a<s>a<s"), "`a`#2#1");
}

}  // namespace
}  // namespace tern
