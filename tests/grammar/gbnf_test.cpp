// SPDX-License-Identifier: Apache-2.0
// GBNF as it is read, and the texts of its grammars.
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <algorithm>
#include <functional>

#include "grammar/random_grammar.h"
#include "support/fails_with.h"
#include "tern/grammar.h"

namespace tern {
namespace {

using testing::fails_with;

// Compares with a predicate on all texts over an alphabet up to a length.
void expect_texts(const std::string& gbnf, const std::string& alphabet, size_t longest,
                  const std::function<bool(const std::string&)>& belongs) {
  const Grammar grammar = Grammar::parse(gbnf);
  std::vector<std::string> texts = {""};
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string text = texts[i];
    EXPECT_EQ(grammar.matches(text), belongs(text)) << gbnf << "\n" << text;
    for (const char c : text.size() < longest ? alphabet : "") texts.push_back(text + c);
  }
}

TEST(Gbnf, RandomGrammarsHaveTheTextsThatSetArithmeticFinds) {
  std::mt19937 random(1);
  const std::vector<std::string> texts = testing::all_texts();
  int with_texts = 0;
  for (int round = 0; round < 600; ++round) {
    const testing::RandomGrammar source = testing::random_grammar(random);
    const testing::Texts expected = testing::texts_of(source);
    const std::string gbnf = testing::gbnf(source);
    try {
      const Grammar grammar = Grammar::parse(gbnf);
      for (const std::string& text : texts) ASSERT_EQ(grammar.matches(text), expected.contains(text)) << gbnf << text;
      ++with_texts;
    } catch (const Error& error) {
      ASSERT_TRUE(expected.empty()) << gbnf << error.what();
      ASSERT_NE(std::string_view(error.what()).find("at least one text"), std::string_view::npos) << error.what();
    }
  }
  EXPECT_GT(with_texts, 400);
}

TEST(Gbnf, RecursionOfEveryKind) {
  const auto is_balanced = [](const std::string& text) {
    int open = 0;
    for (const char c : text) {
      open += c == '(' ? 1 : -1;
      if (open < 0) return false;
    }
    return open == 0;
  };
  expect_texts("root ::= (\"(\" root \")\")*", "()", 10, is_balanced);
  expect_texts("root ::= root root | \"(\" root \")\" | \"\"", "()", 10, is_balanced);
  expect_texts("root ::= root \"(\" root \")\" |", "()", 10, is_balanced);
  const auto is_sum = [](const std::string& text) {
    bool wants_operand = true;
    for (const char c : text) {
      if ((c == 'x') != wants_operand) return false;
      wants_operand = !wants_operand;
    }
    return !wants_operand;
  };
  expect_texts("root ::= root \"+\" root | \"x\"", "x+", 9, is_sum);
  expect_texts("root ::= a\na ::= b \"+\" t | t\nb ::= a\nt ::= \"x\"", "x+", 9, is_sum);
  expect_texts("root ::= n root \"+\" n \"x\" | n \"x\" n\nn ::= n n | \"\"", "x+", 9, is_sum);
  const auto is_palindrome = [](const std::string& text) {
    return std::equal(text.begin(), text.end(), text.rbegin());
  };
  expect_texts("root ::= \"a\" root \"a\" | \"b\" root \"b\" | [ab]?", "ab", 9, is_palindrome);
}

TEST(Gbnf, LongTextsOfAmbiguousGrammars) {
  std::string text(2000, 'a');
  EXPECT_TRUE(Grammar::parse("root ::= root root | \"a\"").matches(text));
  EXPECT_TRUE(Grammar::parse("root ::= \"a\" root | \"aa\" root | \"\"").matches(text));
  const Grammar pairs = Grammar::parse("root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"\"");
  text = std::string(300, 'a');
  for (int i = 0; i < 300; ++i) text += "bc"[i % 2];
  EXPECT_TRUE(pairs.matches(text));
  EXPECT_FALSE(pairs.matches(text + "b"));
  EXPECT_FALSE(pairs.matches("a" + text));
}

TEST(Gbnf, Notation) {
  const auto expect = [](std::string_view gbnf, std::vector<std::string> good, std::vector<std::string> bad) {
    const Grammar grammar = Grammar::parse(gbnf);
    for (const std::string& text : good) EXPECT_TRUE(grammar.matches(text)) << gbnf << "\n" << text;
    for (const std::string& text : bad) EXPECT_FALSE(grammar.matches(text)) << gbnf << "\n" << text;
  };
  expect("# a comment\nroot ::= a-1 # another\n\n  | b_2\r\na-1::=\"x\"\nb_2 ::=\n \"y\" |\n \"z\"", {"x", "y", "z"},
         {"", "xy"});
  expect("root ::= (\n \"a\" # in a group\n | \"b\"\n)+", {"a", "ab"}, {"", "c"});
  expect(R"(root ::= "\"\\\n\t\r\x41\u00e9\U0001F600\[\]")", {"\"\\\n\t\rA\xC3\xA9\xF0\x9F\x98\x80[]"}, {"A"});
  expect(R"(root ::= [a-c\-\]^é-ü"]+)", {"abc", "-]^", "ê\""}, {"d", "ý", "\\", ""});
  expect(R"(root ::= [-a] [a-] [^\n-])", {"--a", "a-é", "aa😀"}, {"aa\n", "aa-", "aab-"});
  expect("root ::= . . [^]", {"éa😀", "\n\n\n"}, {"ab", "\xC3\xA9\xC3", "abcd"});
  expect("root ::= \"ab\"{2} \"c\"{1,} \"d\"{0,2}", {"ababc", "ababccdd"}, {"abc", "abab", "ababcddd"});
  expect("root ::= \"a\"?*", {"", "aaa"}, {"b"});
  expect("root ::= \"\"", {""}, {"a"});
  expect("root ::=", {""}, {"a"});
  expect("root ::= (\"\" | (\"\"*)+){3,} \"x\"", {"x"}, {"", "xx"});
}

TEST(Gbnf, CharactersAreUtf8OfExactlyTheClass) {
  struct Range {
    char32_t first, last;
  };
  const std::vector<Range> ranges = {{0, 0x7F},        {0x80, 0x80},         {0x7E, 0x801},   {0x900, 0x1FFFF},
                                     {0xD000, 0xE001}, {0x10FFFE, 0x10FFFF}, {0x3FFF, 0x4000}};
  const auto utf8 = [](char32_t code) {
    std::string text;
    const auto put = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
    if (code < 0x80)
      put(code);
    else if (code < 0x800)
      put(0xC0 | code >> 6), put(0x80 | (code & 63));
    else if (code < 0x10000)
      put(0xE0 | code >> 12), put(0x80 | (code >> 6 & 63)), put(0x80 | (code & 63));
    else
      put(0xF0 | code >> 18), put(0x80 | (code >> 12 & 63)), put(0x80 | (code >> 6 & 63)), put(0x80 | (code & 63));
    return text;
  };
  for (const Range& range : ranges) {
    const std::string text =
        fmt::format("\\U{:08X}-\\U{:08X}", static_cast<uint32_t>(range.first), static_cast<uint32_t>(range.last));
    const Grammar among = Grammar::parse("root ::= [" + text + "]"),
                  others = Grammar::parse("root ::= [^" + text + "]");
    for (char32_t code = 0; code <= 0x110001;
         code += code < 0x1100 || code > 0x10FF00 || (code & 0xFFF) > 0xFFC || (code & 0xFFF) < 3 ? 1 : 41) {
      const bool is_character = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
      const bool is_among = range.first <= code && code <= range.last;
      ASSERT_EQ(among.matches(utf8(code)), is_character && is_among) << static_cast<uint32_t>(code);
      ASSERT_EQ(others.matches(utf8(code)), is_character && !is_among) << static_cast<uint32_t>(code);
    }
  }
  for (const std::string bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF", "\xF5\x80\x80\x80", "\xFF", "\xC3"})
    EXPECT_FALSE(Grammar::parse("root ::= .").matches(bad));
}

TEST(Gbnf, ErrorsSayWhere) {
  const auto refused = [](std::string_view gbnf, std::string_view part) {
    EXPECT_TRUE(fails_with(part, [&] { Grammar::parse(gbnf); })) << gbnf;
  };
  refused("", "line 1, column 1: expected a rule named root, got the end");
  refused("a ::= \"x\"", "a rule named root");
  refused("root ::= a\nb ::= \"x\" c", "line 1, column 10: expected a rule named a somewhere, got none");
  refused("root ::= \"x\"\nroot ::= \"y\"", "line 2, column 1: expected one rule named root, got a second one");
  refused("root ::= \"é\" )", "line 1, column 14: expected an element or the end of the rule, got ')'");
  refused("root ::= (\"x\"", "expected an element or ), got the end");
  refused("root ::= (\"x\"\nb ::= \"y\"", "line 2, column 1: expected an element or ), got a new rule");
  refused("root ::= \"x", "line 1, column 10: expected a closing \", got the end");
  refused("root ::= \"x\ny\"", "line 1, column 10: expected a closing \", got the end of the line");
  refused("root ::= [a", "expected a closing ]");
  refused("root ::= []", "expected a class with a character, got an empty one");
  refused("root ::= [z-a]", "line 1, column 11: expected a range from a smaller to a larger character");
  refused("root ::= \"\\q\"", "line 1, column 12: expected an escape");
  refused("root ::= \"\\x4\"", "expected 2 hexadecimal digits, got '\"'");
  refused("root ::= \"\\uD800\"", "expected a Unicode character, got U+D800");
  refused("root ::= *", "expected an element before a repetition, got '*'");
  refused("root ::= \"a\"{2,1}", "expected at least 2, got 1");
  refused("root ::= \"a\"{}", "expected a count, got '}'");
  refused("root ::= \"a\"{9999999}", "expected a count up to 1000000, got a larger one");
  refused("root : \"a\"", "line 1, column 6: expected ::=, got ':'");
  refused("root ::= \"\xFF\"", "line 1, column 11: expected UTF-8, got byte 0xff");
  refused("root ::= <a>", "got '<'");
  refused("root ::= root", "no text can satisfy");
  refused("root ::= \"a\" root", "no text can satisfy");
}

}  // namespace
}  // namespace tern
