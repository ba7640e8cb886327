// SPDX-License-Identifier: Apache-2.0
// Every answer of Hugging Face's tokenizers that lies in tests/data/tokenizer.
#include <gtest/gtest.h>

#include <algorithm>

#include "text/text_fixtures.h"

namespace tern::test {
namespace {

class Cases : public testing::TestWithParam<const char*> {};

TEST_P(Cases, EqualHuggingFace) {
  const Tokenizer tokenizer = load_fixture(GetParam());
  const nlohmann::json cases = load_cases(data_path(std::string(GetParam()) + ".cases.json"));
  ASSERT_GE(cases.size(), 26u);
  for (const nlohmann::json& one : cases) {
    SCOPED_TRACE(one.dump());
    const auto text = one.at("text").get<std::string>();
    const auto expected = one.at("ids").get<std::vector<int32_t>>();
    EXPECT_EQ(tokenizer.encode(text), expected);
    EXPECT_EQ(tokenizer.decode(expected), one.at("decoded").get<std::string>());
    if (one.contains("ids_plain")) {
      EXPECT_EQ(nlohmann::json(tokenizer.encode(text, /*parse_special=*/false)), one.at("ids_plain"));
      EXPECT_EQ(tokenizer.decode(expected, /*skip_special=*/true), one.at("decoded_skip").get<std::string>());
    }
  }
}

TEST_P(Cases, StreamTheSameText) {
  const Tokenizer tokenizer = load_fixture(GetParam());
  for (const nlohmann::json& one : load_cases(data_path(std::string(GetParam()) + ".cases.json"))) {
    StreamDecoder decoder(tokenizer);
    std::string text;
    for (const int32_t id : one.at("ids")) text += decoder.push(id);
    EXPECT_EQ(text + decoder.finish(), one.at("decoded").get<std::string>());
  }
}

INSTANTIATE_TEST_SUITE_P(All, Cases,
                         testing::Values("bpe-gpt2split-1k", "bpe-llama3split-4k", "added-tokens", "prefix-space",
                                         "sequence"),
                         [](const auto& fixture) {
                           std::string name = fixture.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace tern::test
