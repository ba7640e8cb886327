// SPDX-License-Identifier: Apache-2.0
#include "base/code_point.h"
#include "text/utf8.h"

#include <gtest/gtest.h>

#include "text/byte_level.h"
#include "text/text_fixtures.h"

namespace tern::test {
namespace {

std::string lossy(std::string_view bytes) {
  std::string text;
  EXPECT_EQ(append_utf8(bytes, /*last=*/true, text), bytes.size());
  return text;
}

// Unicode 15, section 3.9, tables 3-8 to 3-11: "U+FFFD substitution of maximal subparts".
TEST(Utf8, ReplacesMaximalSubparts) {
  const std::string r = "\uFFFD";
  EXPECT_EQ(lossy("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(lossy("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(lossy("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), r + r + r + r + r + "A" + r + r + "B");
  EXPECT_EQ(lossy("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), r + r + r + r + "A");
  EXPECT_EQ(lossy(""), "");
  EXPECT_EQ(lossy("\xF0\x9F\x99"), r);
}

TEST(Utf8, HoldsBackOnlyWhatMayStillBecomeACharacter) {
  const std::string smile = "🙂";
  for (size_t length = 1; length < smile.size(); ++length) {
    std::string text;
    EXPECT_EQ(append_utf8("a" + smile.substr(0, length), /*last=*/false, text), 1u);
    EXPECT_EQ(text, "a");
  }
  std::string text;
  EXPECT_EQ(append_utf8("\xF0\x9F\x41", /*last=*/false, text), 3u);
  EXPECT_EQ(text,
            "\uFFFD"
            "A");
}

TEST(Utf8, KnowsEveryCodePoint) {
  for (char32_t code = 0; code <= 0x110000; ++code) {
    std::string bytes;
    if (code < 0x800) {
      append_code_point(code, bytes);
    } else {
      if (code >= 0x10000) bytes.push_back(static_cast<char>(0xF0 | code >> 18));
      bytes.push_back(static_cast<char>(code >= 0x10000 ? 0x80 | (code >> 12 & 0x3F) : 0xE0 | code >> 12));
      bytes.push_back(static_cast<char>(0x80 | (code >> 6 & 0x3F)));
      bytes.push_back(static_cast<char>(0x80 | (code & 0x3F)));
    }
    const bool valid = code <= 0x10FFFF && !(code >= 0xD800 && code < 0xE000);
    ASSERT_EQ(utf8_prefix(bytes) == bytes.size(), valid) << static_cast<uint32_t>(code);
    if (!valid) continue;
    ASSERT_EQ(code_point(bytes), code);
    std::string appended;
    append_code_point(code, appended);
    ASSERT_EQ(appended, bytes);
  }
}

TEST(Utf8, PrefixesAlternateOverRandomBytes) {
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = random_text(random, random() % 12) + random_bytes(random, random() % 4) + "tail of ascii";
    size_t at = 0;
    while (at < bytes.size()) {
      const std::string_view rest = std::string_view(bytes).substr(at);
      const size_t valid = utf8_prefix(rest), invalid = non_utf8_prefix(rest);
      ASSERT_TRUE((valid == 0) != (invalid == 0));
      at += valid + invalid;
    }
    ASSERT_EQ(at, bytes.size());
  }
}

TEST(ByteLevel, IsABijectionInGpt2sOrder) {
  EXPECT_EQ(to_byte_level(" the\n"), "ĠtheĊ");
  EXPECT_EQ(to_byte_level(std::string("\0\xAD\xFF\x7F", 4)), "ĀŃÿġ");
  EXPECT_EQ(from_byte_level("a b"), std::nullopt);
  EXPECT_EQ(from_byte_level("日"), std::nullopt);
  EXPECT_EQ(from_byte_level("ń"), std::nullopt);
  std::vector<bool> seen(256);
  std::string before;
  for (const uint8_t byte : byte_level_order()) {
    const std::string bytes(1, static_cast<char>(byte));
    const std::string character = to_byte_level(bytes);
    EXPECT_EQ(from_byte_level(character), bytes);
    EXPECT_LT(before, character);
    EXPECT_FALSE(seen[byte]);
    seen[byte] = true;
    before = character;
  }
}

}  // namespace
}  // namespace tern::test
