// SPDX-License-Identifier: Apache-2.0
// Grammars and schemas that ask for too much: an Error or an answer, soon and in bounded memory.
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "grammar/matcher.h"
#include "support/fails_with.h"
#include "tern/grammar.h"

namespace tern {
namespace {

using testing::fails_with;

std::string repeated(std::string_view part, size_t times) {
  std::string text;
  for (size_t i = 0; i < times; ++i) text += part;
  return text;
}

TEST(Hostile, GrammarsThatAreTooLarge) {
  for (const std::string& gbnf :
       {std::string("root ::= \"a\"{1000000}"), "root ::= " + std::string("((\"a\"{1000}){1000}){1000}"),
        std::string("root ::= (((\"\"{1000000}){1000000}){1000000}){1000000}"), std::string("root ::= (\"a\"?){20000}"),
        "root ::= " + repeated("(", 100000), "root ::= \"a\"" + repeated("?", 100000),
        std::string(size_t{2} << 20, '#')}) {
    EXPECT_TRUE(fails_with("at most", [&] { Grammar::parse(gbnf); })) << gbnf.substr(0, 50);
  }
}

TEST(Hostile, LongChainsAndCirclesOfRules) {
  std::string chain, circle;
  for (int i = 0; i < 900; ++i) chain += "r" + std::to_string(i) + " ::= r" + std::to_string(i + 1) + " \"x\"?\n";
  EXPECT_TRUE(Grammar::parse("root ::= r0\n" + chain + "r900 ::= \"a\"").matches("a" + std::string(900, 'x')));
  for (int i = 0; i < 100; ++i)
    circle += "r" + std::to_string(i) + " ::= r" + std::to_string((i + 1) % 100) + " \"x\" | \"a\"\n";
  EXPECT_TRUE(Grammar::parse("root ::= r0\n" + circle).matches("a" + std::string(250, 'x')));
}

TEST(Hostile, RandomTextAsGrammarAndSchema) {
  std::mt19937 random(4);
  const std::string seeds[] = {
      "root ::= (\"a\" | [^b-d] root)* r{1,3} \nr ::= \"\\u00e9\" # c\n",
      R"({"type":["object","null"],"properties":{"a":{"$ref":"#"},"b":{"enum":[1]}},"required":["b"],"anyOf":[{"minimum":3}]})"};
  for (int round = 0; round < 4000; ++round) {
    std::string text = seeds[round % 2];
    for (int edit = 0; edit < 1 + round % 4; ++edit) {
      const size_t at = random() % text.size();
      if (random() % 2)
        text[at] = static_cast<char>(random() & 0xFF);
      else
        text.insert(at, text.substr(random() % text.size(), random() % 8));
    }
    try {
      const Grammar grammar = round % 2 ? Grammar::from_json_schema(text) : Grammar::parse(text);
      grammar.matches("{\"a\":1}");
    } catch (const Error& error) {
      EXPECT_EQ(std::string_view(error.what()).substr(0, 9), "[grammar]");
    }
  }
}

TEST(Hostile, Schemas) {
  const auto refused = [](const std::string& schema) {
    return fails_with("", [&] { Grammar::from_json_schema(schema); });
  };
  EXPECT_TRUE(refused(repeated("{\"items\":", 200) + "1" + repeated("}", 200)));
  EXPECT_TRUE(refused(R"({"maxLength":100001})"));
  EXPECT_TRUE(
      refused(R"({"items":{"items":{"maxLength":99999},"maxItems":99999},"maxItems":99999,"allOf":[{"$ref":"#"}]})"));
  EXPECT_TRUE(
      refused(R"({"$ref":"#/$defs/a","minLength":1,"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}})"));
  std::string product = "{\"allOf\":[";
  for (int i = 0; i < 20; ++i) product += R"({"anyOf":[{"minLength":)" + std::to_string(i) + R"(},{"maxLength":3}]},)";
  EXPECT_TRUE(refused(product + "true]}"));
  EXPECT_TRUE(Grammar::from_json_schema(R"({"type":"string","maxLength":20000})")
                  .matches("\"" + std::string(20000, 'x') + "\""));
}

}  // namespace
}  // namespace tern
