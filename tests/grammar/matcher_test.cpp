// SPDX-License-Identifier: Apache-2.0
// Masks and accepted tokens against sets of texts.
#include "grammar/matcher.h"

#include <gtest/gtest.h>

#include "grammar/random_grammar.h"
#include "support/fails_with.h"

namespace tern {
namespace {

constexpr int32_t kEos = 0;

// Id 0 ends the text, id 1 has no bytes, two ids have the same.
const std::vector<std::string> kTokens = {"</s>", "", "a", "b", "ab", "ba", "aa", "abb", "a", "bbab", "c"};

std::shared_ptr<const TokenTrie> trie_of(std::vector<std::string> tokens) {
  const std::vector<int32_t> eos = {kEos};
  return std::make_shared<const TokenTrie>(std::move(tokens), eos);
}

bool some_text_begins(const testing::Texts& texts, const std::string& prefix) {
  const auto found = texts.lower_bound(prefix);
  return found != texts.end() && found->starts_with(prefix);
}

TEST(Matcher, MasksOfRandomGrammars) {
  std::mt19937 random(2);
  const auto trie = trie_of(kTokens);
  TokenMask mask;
  for (int round = 0; round < 300; ++round) {
    const testing::RandomGrammar source = testing::random_grammar(random);
    const testing::Texts texts = testing::texts_of(source);
    if (texts.empty()) continue;
    const std::string gbnf = testing::gbnf(source);
    const GrammarMatcher start(Grammar::parse(gbnf), trie);
    for (int walk = 0; walk < 8; ++walk) {
      GrammarMatcher matcher = start;
      std::string text;
      while (text.size() <= testing::kLongest && !matcher.ended()) {
        matcher.allowed(mask);
        ASSERT_EQ(mask.size(), static_cast<int32_t>(kTokens.size()));
        EXPECT_EQ(matcher.can_end(), mask.test(kEos));
        ASSERT_EQ(matcher.can_end(), texts.contains(text)) << gbnf << text;
        std::vector<int32_t> allowed;
        for (int32_t id = 0; id < mask.size(); ++id) {
          GrammarMatcher copy = matcher;
          ASSERT_EQ(copy.accept(id), mask.test(id)) << gbnf << text << " then " << kTokens[static_cast<size_t>(id)];
          if (mask.test(id)) allowed.push_back(id);
          const bool is_known = id > 1 && some_text_begins(texts, text + kTokens[static_cast<size_t>(id)]);
          EXPECT_TRUE(mask.test(id) || !is_known) << gbnf << text;
        }
        EXPECT_FALSE(mask.test(1));
        ASSERT_FALSE(allowed.empty()) << gbnf << text;  // a and b are tokens: there is always a way on
        const int32_t id = allowed[random() % allowed.size()];
        ASSERT_TRUE(matcher.accept(id));
        if (id != kEos) text += kTokens[static_cast<size_t>(id)];
      }
    }
  }
}

TEST(Matcher, RollbackLeadsToTheSameMasks) {
  const auto trie = trie_of(kTokens);
  GrammarMatcher matcher(Grammar::parse("root ::= \"a\" root \"b\" | \"ab\" root? | \"\""), trie);
  std::vector<TokenMask> masks;
  TokenMask mask;
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    if (!masks.empty() && random() % 3 == 0) {
      const size_t back = 1 + random() % masks.size();
      matcher.rollback(back);
      matcher.allowed(mask);
      ASSERT_EQ(mask, masks[masks.size() - back]);
      masks.resize(masks.size() - back);
      continue;
    }
    matcher.allowed(mask);
    const auto id = static_cast<int32_t>(random() % kTokens.size());
    if (matcher.accept(id)) masks.push_back(mask);
  }
  const size_t kept = masks.size();
  EXPECT_TRUE(testing::fails_with("to take back", [&] { matcher.rollback(kept + 1); }));
  matcher.rollback(kept);
  matcher.rollback(0);
  EXPECT_TRUE(matcher.can_end());
}

TEST(Matcher, NothingFollowsTheEnd) {
  GrammarMatcher matcher(Grammar::parse("root ::= \"a\"*"), trie_of(kTokens));
  ASSERT_TRUE(matcher.accept(2));
  ASSERT_TRUE(matcher.accept(kEos));
  EXPECT_TRUE(matcher.ended());
  TokenMask mask;
  matcher.allowed(mask);
  EXPECT_EQ(mask.count(), 0);
  EXPECT_FALSE(matcher.accept(2));
  EXPECT_FALSE(matcher.accept(kEos));
  EXPECT_FALSE(matcher.accept(-1));
  EXPECT_FALSE(matcher.accept(1000));
  matcher.rollback(1);
  EXPECT_FALSE(matcher.ended());
  EXPECT_TRUE(matcher.accept(6));
}

TEST(Matcher, CharactersMaySpreadOverTokens) {
  const auto trie = trie_of({"</s>", "\xF0\x9F", "\x98", "\x80", "\x98\x80", "\xF0", "\xC3\xA9\xF0\x9F\x98", "\xFF"});
  GrammarMatcher matcher(Grammar::parse("root ::= \"é\"? [😀-😃]"), trie);
  TokenMask mask;
  matcher.allowed(mask);
  EXPECT_TRUE(mask.test(1) && mask.test(5) && mask.test(6));
  EXPECT_EQ(mask.count(), 3);
  ASSERT_TRUE(matcher.accept(6));
  matcher.allowed(mask);
  EXPECT_TRUE(mask.test(3));
  EXPECT_EQ(mask.count(), 1);
  matcher.rollback(1);
  ASSERT_TRUE(matcher.accept(1));
  matcher.allowed(mask);
  EXPECT_TRUE(mask.test(2) && mask.test(4));
  EXPECT_EQ(mask.count(), 2);
}

TEST(Matcher, HistoryIsKeptForRollback) {
  GrammarMatcher matcher(Grammar::parse("root ::= (\"a\" | \"ab\")*"), trie_of(kTokens));
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(matcher.accept(i % 2 ? 4 : 2));
  matcher.rollback(GrammarMatcher::kRollback);
  ASSERT_TRUE(matcher.accept(2));
}

TEST(Matcher, DeepNestingIsCutWithoutContradiction) {
  std::vector<std::string> tokens = {"</s>", "[", "]",   "[[", "]]", "[[[[[[[[[[[[[[[[", "[]", "1",
                                     "\"",   ",", "[[]", "{",  "}"};
  GrammarMatcher matcher(Grammar::json(), trie_of(tokens));
  TokenMask mask;
  int open = 0;
  for (int i = 0; i < 1500; ++i) {
    matcher.allowed(mask);
    for (int32_t id = 0; id < mask.size(); ++id) {
      GrammarMatcher copy = matcher;
      ASSERT_EQ(copy.accept(id), mask.test(id)) << i << " " << tokens[static_cast<size_t>(id)];
    }
    if (!mask.test(1)) break;
    ASSERT_TRUE(matcher.accept(1));
    ++open;
  }
  EXPECT_GT(open, 300);
  EXPECT_LT(open, 1500);
  for (; open > 0; --open) ASSERT_TRUE(matcher.accept(2));
  EXPECT_TRUE(matcher.can_end());
}

TEST(TokenTrie, RefusesAnEndThatIsNoToken) {
  const std::vector<int32_t> eos = {11};
  EXPECT_TRUE(testing::fails_with("from 0 to 10, got 11", [&] { TokenTrie(kTokens, eos); }));
}

TEST(TokenTrie, EmptyVocabulary) {
  GrammarMatcher matcher(Grammar::json(),
                         std::make_shared<const TokenTrie>(std::vector<std::string>{}, std::span<const int32_t>{}));
  TokenMask mask;
  matcher.allowed(mask);
  EXPECT_EQ(mask.count(), 0);
}

}  // namespace
}  // namespace tern
