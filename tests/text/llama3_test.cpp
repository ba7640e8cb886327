// SPDX-License-Identifier: Apache-2.0
// The Llama-3 vocabulary, where a copy is at hand: 128,000 tokens, ignore_merges, special tokens added to it.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>

#include "text/text_fixtures.h"

namespace tern::test {
namespace {

std::string unpack(const std::string& path) {
  struct Close {
    void operator()(FILE* pipe) const { pclose(pipe); }
  };
  const std::unique_ptr<FILE, Close> pipe(popen(("xz -dc '" + path + "'").c_str(), "r"));
  std::string content;
  std::vector<char> part(1 << 16);
  while (const size_t count = pipe ? fread(part.data(), 1, part.size(), pipe.get()) : 0) {
    content.append(part.data(), count);
  }
  return content;
}

TEST(Llama3, EqualsHuggingFace) {
  std::string document = unpack(std::string(TERN_LLAMA3) + "/llama3.tokenizer.json.xz");
  ASSERT_FALSE(document.empty()) << "xz could not unpack the vocabulary";
  nlohmann::json json = nlohmann::json::parse(document);
  // The file holds the text tokens alone; Llama-3 numbers its special tokens after them.
  if (json["added_tokens"].empty()) {
    for (const char* content : {"<|begin_of_text|>", "<|end_of_text|>"}) {
      const size_t id = 128000 + json["added_tokens"].size();
      json["added_tokens"].push_back({{"id", id}, {"content", content}, {"special", true}});
    }
    document = json.dump();
  }
  const Tokenizer tokenizer = Tokenizer::parse(document, "llama3");
  const nlohmann::json cases = load_cases(std::string(TERN_LLAMA3) + "/llama3.cases.json");
  ASSERT_GT(cases.size(), 100u);
  for (const nlohmann::json& one : cases) {
    const auto text = one.at("text").get<std::string>();
    const std::vector<int32_t> ids = tokenizer.encode(text);
    EXPECT_EQ(nlohmann::json(ids), one.at("ids")) << text;
    EXPECT_EQ(tokenizer.decode(ids), text);
  }
}

}  // namespace
}  // namespace tern::test
