// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "text/text_fixtures.h"

namespace tern::test {
namespace {

constexpr const char* kFixtures[] = {"bpe-gpt2split-1k", "bpe-llama3split-4k", "added-tokens"};

TEST(Tokenizer, GivesRandomBytesBack) {
  std::mt19937 random(1);
  for (const char* name : kFixtures) {
    const Tokenizer tokenizer = load_fixture(name);
    for (size_t length = 0; length < 300; ++length) {
      const std::string bytes = random_bytes(random, length);
      ASSERT_EQ(tokenizer.decode_bytes(tokenizer.encode(bytes, false)), bytes);
    }
  }
}

TEST(Tokenizer, GivesRandomTextBack) {
  std::mt19937 random(2);
  for (const char* name : kFixtures) {
    const Tokenizer tokenizer = load_fixture(name);
    for (size_t length = 0; length < 300; ++length) {
      const std::string text = random_text(random, length);
      ASSERT_EQ(tokenizer.decode(tokenizer.encode(text, false)), text);
    }
  }
}

TEST(Tokenizer, KnowsItsTokens) {
  const Tokenizer tokenizer = load_fixture("bpe-llama3split-4k");
  EXPECT_EQ(tokenizer.vocab_size(), 4096);
  EXPECT_EQ(tokenizer.token_to_id("<|end_of_text|>"), 1);
  EXPECT_EQ(tokenizer.token_to_id("!"), 2);
  EXPECT_EQ(tokenizer.token_to_id("no such token"), std::nullopt);
  EXPECT_EQ(tokenizer.token_to_id(""), std::nullopt);
  EXPECT_EQ(tokenizer.id_to_bytes(*tokenizer.token_to_id("Ġthe")), " the");
  EXPECT_EQ(tokenizer.id_to_bytes(0), "<|begin_of_text|>");
  EXPECT_TRUE(tokenizer.is_special(0));
  EXPECT_FALSE(tokenizer.is_special(2));
  for (const int32_t id : {-1, 4096, INT32_MAX, INT32_MIN}) {
    EXPECT_EQ(tokenizer.id_to_bytes(id), "");
    EXPECT_FALSE(tokenizer.is_special(id));
    EXPECT_EQ(tokenizer.decode(std::vector{id}), "");
  }
}

TEST(Tokenizer, MakesNoSpecialTokenOfTextUnasked) {
  nlohmann::json document = nlohmann::json::parse(small_document());
  document["model"]["ignore_merges"] = true;
  document["model"]["vocab"]["EOS"] = 500;
  document["added_tokens"].push_back({{"id", 500}, {"content", "EOS"}, {"special", true}});
  const Tokenizer tokenizer = Tokenizer::parse(document.dump(), "small");
  EXPECT_EQ(tokenizer.vocab_size(), 501);
  for (const char* text : {"EOS", "<|begin_of_text|>", "<|end_of_text|>"}) {
    EXPECT_EQ(tokenizer.encode(text), std::vector{*tokenizer.token_to_id(text)});
    for (const int32_t id : tokenizer.encode(text, /*parse_special=*/false)) EXPECT_FALSE(tokenizer.is_special(id));
  }
}

TEST(Tokenizer, EncodesALongPieceInAMoment) {
  const auto begin = std::chrono::steady_clock::now();
  for (const char* name : kFixtures) {
    const Tokenizer tokenizer = load_fixture(name);
    for (const char* unit : {"a", " ", "!", "\n", "e", "\xFF", "日"}) {
      std::string text;
      while (text.size() < 1'000'000) text += unit;
      ASSERT_EQ(tokenizer.decode_bytes(tokenizer.encode(text)), text);
    }
  }
  // A quadratic loop would take hours.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(120));
}

TEST(Tokenizer, LoadsAFileOrItsDirectory) {
  const std::filesystem::path directory = std::filesystem::path(testing::TempDir()) / "tern_tokenizer_load";
  std::filesystem::create_directories(directory);
  const std::string file = (directory / "tokenizer.json").string();
  load_fixture("added-tokens").save(file);
  for (const std::string& path : {file, directory.string()}) {
    EXPECT_EQ(Tokenizer::load(path).vocab_size(), load_fixture("added-tokens").vocab_size());
  }
  EXPECT_EQ(slurp(file), slurp(data_path("added-tokens.tokenizer.json")));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory), {}), 1) << "save left something behind";
  std::filesystem::remove_all(directory);
  EXPECT_THROW(Tokenizer::load(file), Error);
  EXPECT_THROW(Tokenizer::load(testing::TempDir()), Error);
  EXPECT_THROW(load_fixture("added-tokens").save(file), Error);
}

TEST(Tokenizer, IsAValueThatThreadsShare) {
  const Tokenizer original = load_fixture("bpe-gpt2split-1k");
  std::mt19937 random(4);
  const std::string text = random_text(random, 5000) + " the same answer for all of them";
  const std::vector<int32_t> expected = original.encode(text);
  std::vector<std::vector<int32_t>> answers(4);
  std::vector<std::thread> threads;
  for (std::vector<int32_t>& answer : answers) {
    threads.emplace_back([&answer, &text, copy = original] { answer = copy.encode(text); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<int32_t>& answer : answers) EXPECT_EQ(answer, expected);
}

}  // namespace
}  // namespace tern::test
