// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "text/text_fixtures.h"
#include "text/utf8.h"

namespace tern::test {
namespace {

class StreamDecoderTest : public testing::Test {
 protected:
  // The ids of single bytes, so that every character is split.
  std::vector<int32_t> byte_ids(std::string_view bytes) const {
    std::vector<int32_t> ids;
    for (const char byte : bytes) ids.push_back(tokenizer_.encode(std::string(1, byte), false).at(0));
    return ids;
  }

  // Pushes ids, checking that each answer is whole characters, and returns the whole.
  std::string stream(const std::vector<int32_t>& ids) const {
    StreamDecoder decoder(tokenizer_);
    std::string text;
    for (const int32_t id : ids) {
      const std::string part = decoder.push(id);
      EXPECT_EQ(utf8_prefix(part), part.size());
      text += part;
    }
    return text + decoder.finish();
  }

  Tokenizer tokenizer_ = load_fixture("bpe-llama3split-4k");
};

TEST_F(StreamDecoderTest, HoldsACharacterBackUntilItIsWhole) {
  const std::vector<int32_t> ids = byte_ids("é🙂");
  StreamDecoder decoder(tokenizer_);
  std::vector<std::string> parts;
  for (const int32_t id : ids) parts.push_back(decoder.push(id));
  EXPECT_EQ(parts, (std::vector<std::string>{"", "é", "", "", "", "🙂"}));
  EXPECT_EQ(decoder.finish(), "");
}

TEST_F(StreamDecoderTest, AnswersAtOnceWhenACharacterCannotBecomeWhole) {
  const std::vector<int32_t> ids = byte_ids(
      "\xF0\x9F"
      "a\xFF");
  StreamDecoder decoder(tokenizer_);
  EXPECT_EQ(decoder.push(ids[0]), "");
  EXPECT_EQ(decoder.push(ids[1]), "");
  EXPECT_EQ(decoder.push(ids[2]),
            "\uFFFD"
            "a");
  EXPECT_EQ(decoder.push(ids[3]), "\uFFFD");
}

TEST_F(StreamDecoderTest, FinishGivesWhatIsLeftAndStartsAnew) {
  const std::vector<int32_t> ids = byte_ids("🙂");
  StreamDecoder decoder(tokenizer_);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(decoder.push(ids[i]), "");
  EXPECT_EQ(decoder.finish(), "\uFFFD");
  EXPECT_EQ(decoder.finish(), "");
  std::string text;
  for (const int32_t id : ids) text += decoder.push(id);
  EXPECT_EQ(text, "🙂");
}

TEST_F(StreamDecoderTest, SkipsSpecialTokensAndIdsWithoutOne) {
  StreamDecoder decoder(tokenizer_, /*skip_special=*/true);
  const std::vector<int32_t> ids = byte_ids("é");
  for (const int32_t id : {ids[0], 0, -5, 1 << 30}) EXPECT_EQ(decoder.push(id), "");
  EXPECT_EQ(decoder.push(ids[1]), "é");
  EXPECT_EQ(StreamDecoder(tokenizer_).push(0), "<|begin_of_text|>");
}

TEST_F(StreamDecoderTest, ConcatenatesToDecodeForAnyIds) {
  std::mt19937 random(11);
  for (int i = 0; i < 2000; ++i) {
    std::vector<int32_t> ids(random() % 20);
    for (int32_t& id : ids) id = static_cast<int32_t>(random() % (random() % 2 ? 258u : 4100u));
    ASSERT_EQ(stream(ids), tokenizer_.decode(ids));
  }
}

TEST_F(StreamDecoderTest, ConcatenatesToDecodeForEverySplitOfAText) {
  const std::string text = "a é ह 🙂 日本\xE2\x82 \xF0\x9F\x99";
  for (size_t split = 0; split <= text.size(); ++split) {
    std::vector<int32_t> ids = tokenizer_.encode(text.substr(0, split));
    const std::vector<int32_t> rest = tokenizer_.encode(text.substr(split));
    ids.insert(ids.end(), rest.begin(), rest.end());
    EXPECT_EQ(tokenizer_.decode_bytes(ids), text);
    EXPECT_EQ(stream(ids), tokenizer_.decode(ids));
  }
}

}  // namespace
}  // namespace tern::test
