// SPDX-License-Identifier: Apache-2.0
#include "io/names.h"

#include <gtest/gtest.h>

#include "support/fails_with.h"

namespace tern {
namespace {

using Names = std::vector<std::string>;

TEST(QuoteName, ShowsWhatATerminalCanBear) {
  EXPECT_EQ(quote_name("a.b"), "'a.b'");
  EXPECT_EQ(quote_name(""), "''");
  EXPECT_EQ(quote_name("é\x1b[31m\n\x7f"),
            "'é?[31m?"
            "?'");
  EXPECT_EQ(quote_name(std::string_view("a\0b", 3)), "'a?b'");
}

TEST(QuoteName, CutsLongNamesBetweenCharacters) {
  EXPECT_EQ(quote_name(std::string(120, 'x')), "'" + std::string(120, 'x') + "'");
  EXPECT_EQ(quote_name(std::string(121, 'x')), "'" + std::string(120, 'x') + "…'");
  EXPECT_EQ(quote_name(std::string(119, 'x') + "éé"), "'" + std::string(119, 'x') + "…'");
  EXPECT_EQ(quote_name(std::string(500, '\x80')), "'…'");
}

TEST(NearNames, PutsTheNearestFirst) {
  const Names names = {"model.norm.weight", "model.embed_tokens.weight", "lm_head.weight", "x"};
  EXPECT_EQ(near_names("model.norms.weight", names).at(0), "model.norm.weight");
  EXPECT_EQ(near_names("lm_head", names).at(0), "lm_head.weight");
  EXPECT_EQ(near_names("model.norm.weight", names, 1), Names{"model.norm.weight"});
  EXPECT_EQ(near_names("entirely different", names), Names{});
  EXPECT_EQ(near_names("", names), Names{});
  EXPECT_EQ(near_names("x", {}), Names{});
}

TEST(NearNames, SkipsNamesOfAbsurdLength) {
  const Names names = {std::string(1'000'000, 'x'), "y"};
  EXPECT_EQ(near_names(std::string(1'000'000, 'x'), names), Names{});
  EXPECT_EQ(near_names("y", names), Names{"y"});
}

TEST(FailMissingName, NamesSourceNameAndNeighbours) {
  const Names names = {"aa", "ab", "zz"};
  EXPECT_TRUE(testing::fails_with("[op] file: expected the name of one of its 3 tensors, got 'ac' (near: 'aa', 'ab')",
                                  [&] { fail_missing_name("op", "file", "ac", names); }));
}

}  // namespace
}  // namespace tern
