// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <map>

#include "text/byte_level.h"
#include "text/text_fixtures.h"

namespace tern::test {
namespace {

using Strings = std::vector<std::string>;

// The definition, by counting everything anew for each merge. Words are what the pattern `\w+` would give: the test
// texts have one word per entry.
Strings learn(const Strings& texts, int merges, int64_t min_frequency) {
  std::map<std::string, int> order;
  Strings vocab;
  for (const uint8_t byte : byte_level_order()) vocab.push_back(std::string(1, static_cast<char>(byte)));
  for (size_t i = 0; i < vocab.size(); ++i) order[vocab[i]] = static_cast<int>(i);
  std::vector<Strings> words;
  for (const std::string& text : texts) {
    words.emplace_back();
    for (const char byte : text) words.back().push_back(std::string(1, byte));
  }
  while (merges-- > 0) {
    std::map<std::pair<int, int>, int64_t> counts;
    for (const Strings& word : words) {
      for (size_t i = 0; i + 1 < word.size(); ++i) ++counts[{order[word[i]], order[word[i + 1]]}];
    }
    std::pair<int, int> best;
    int64_t count = 0;
    for (const auto& [pair, seen] : counts) {
      if (seen > count) best = pair, count = seen;
    }
    if (count < min_frequency) break;
    const std::string left = vocab[static_cast<size_t>(best.first)], right = vocab[static_cast<size_t>(best.second)];
    if (order.emplace(left + right, static_cast<int>(vocab.size())).second) {
      vocab.push_back(left + right);
    } else {
      ++merges;
    }
    for (Strings& word : words) {
      for (size_t i = 0; i + 1 < word.size(); ++i) {
        if (word[i] != left || word[i + 1] != right) continue;
        word[i] += right;
        word.erase(word.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      }
    }
  }
  return vocab;
}

Tokenizer train(const Strings& texts, const BpeTrainOptions& options) {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  return Tokenizer::train(views, options);
}

TEST(BpeTrain, LearnsWhatCountingAnewLearns) {
  std::mt19937 random(9);
  for (int round = 0; round < 30; ++round) {
    Strings texts(40);
    for (std::string& text : texts) {
      const size_t length = random() % 12;
      while (text.size() < length) text.push_back(static_cast<char>('a' + random() % (2 + random() % 4)));
    }
    BpeTrainOptions options;
    options.vocab_size = 2 + 256 + 40;
    options.min_frequency = 1 + static_cast<int64_t>(random() % 3);
    const Tokenizer tokenizer = train(texts, options);
    const Strings expected = learn(texts, 40, options.min_frequency);
    ASSERT_EQ(tokenizer.vocab_size(), static_cast<int32_t>(2 + expected.size()));
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(tokenizer.id_to_bytes(static_cast<int32_t>(2 + i)), expected[i]);
    }
  }
}

TEST(BpeTrain, NumbersSpecialTokensThenBytesThenMerges) {
  BpeTrainOptions options;
  options.vocab_size = 258;
  options.special_tokens = {"<pad>"};
  const Tokenizer tokenizer = train({"xy xy"}, options);
  EXPECT_EQ(tokenizer.vocab_size(), 258);
  EXPECT_EQ(tokenizer.token_to_id("<pad>"), 0);
  EXPECT_TRUE(tokenizer.is_special(0));
  EXPECT_EQ(tokenizer.token_to_id("!"), 1);
  EXPECT_EQ(tokenizer.token_to_id("xy"), 257);
  EXPECT_EQ(tokenizer.encode("<pad>xy!"), (std::vector<int32_t>{0, 257, 1}));
}

TEST(BpeTrain, GivesTheSameTokenizerAgainAndAfterSaving) {
  const std::string document = small_document();
  EXPECT_EQ(small_document(), document);
  const Tokenizer tokenizer = Tokenizer::parse(document, "small");
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("abcd, the abc")), "abcd, the abc");
  EXPECT_LT(tokenizer.encode("abcd the").size(), 8u);
}

TEST(BpeTrain, StaysWithinThePiecesOfTheSplit) {
  BpeTrainOptions options;
  options.vocab_size = 300;
  options.split = std::string(kGpt2Split);
  const Tokenizer tokenizer = train(Strings(10,
                                            "ab1ab1\xFF\xFE"
                                            "ab1"),
                                    options);
  for (int32_t id = 258; id < tokenizer.vocab_size(); ++id) {
    const std::string bytes = tokenizer.id_to_bytes(id);
    EXPECT_TRUE(bytes == "ab" || bytes == "\xFF\xFE") << bytes;
  }
}

TEST(BpeTrain, StopsWhenThereIsNothingToLearn) {
  for (const Strings& texts : {Strings{}, Strings{""}, Strings{"a"}, Strings{"abc"}}) {
    EXPECT_EQ(train(texts, {}).vocab_size(), 258);
  }
}

TEST(BpeTrain, NeverMergesIntoASpecialToken) {
  BpeTrainOptions options;
  options.vocab_size = 270;
  options.special_tokens = {"EOS"};
  const Tokenizer tokenizer = train(Strings(20, "EOS"), options);
  EXPECT_EQ(tokenizer.encode("EOS"), std::vector<int32_t>{0});
  for (const int32_t id : tokenizer.encode("EOS", /*parse_special=*/false)) EXPECT_NE(id, 0);
}

TEST(BpeTrain, RefusesOptionsThatCannotBeMet) {
  const auto refuses = [](auto set) {
    BpeTrainOptions options;
    set(options);
    EXPECT_THROW(train({"text"}, options), Error);
  };
  refuses([](BpeTrainOptions& o) { o.vocab_size = 257; });
  refuses([](BpeTrainOptions& o) { o.vocab_size = -1; });
  refuses([](BpeTrainOptions& o) { o.vocab_size = INT32_MAX; });
  refuses([](BpeTrainOptions& o) { o.min_frequency = 0; });
  refuses([](BpeTrainOptions& o) { o.split = "("; });
  refuses([](BpeTrainOptions& o) { o.special_tokens = {"a", "b"}; });
  refuses([](BpeTrainOptions& o) { o.special_tokens = {"<s>", "<s>"}; });
  refuses([](BpeTrainOptions& o) { o.special_tokens = {""}; });
  refuses([](BpeTrainOptions& o) { o.special_tokens = {"<\xFF>"}; });
}

}  // namespace
}  // namespace tern::test
