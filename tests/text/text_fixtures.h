// SPDX-License-Identifier: Apache-2.0
// What the tests of text share: the cases that Hugging Face answered, small tokenizers, seeded random text.
#pragma once

#include <gtest/gtest.h>
#include <cstdint>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "tern/text.h"

namespace tern::test {

inline std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline std::string data_path(const std::string& file) { return std::string(TERN_TEST_DATA) + "/tokenizer/" + file; }

inline Tokenizer load_fixture(const std::string& name) { return Tokenizer::load(data_path(name + ".tokenizer.json")); }

inline nlohmann::json load_cases(const std::string& path) { return nlohmann::json::parse(slurp(path)); }

// A valid tokenizer.json with 2 special tokens, the 256 bytes and a few merges ("ab", "abc", …).
inline std::string small_document() {
  static const std::string_view texts[] = {"abc abc abc abcd abcd the the"};
  BpeTrainOptions options;
  options.vocab_size = 266;
  const std::string path = testing::TempDir() + "tern_small_tokenizer.json";
  Tokenizer::train(texts, options).save(path);
  return slurp(path);
}

inline std::string random_bytes(std::mt19937& random, size_t length) {
  std::string bytes(length, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random() & 0xFF);
  return bytes;
}

// Any scalar value, small ones as likely as large ones.
inline void append_random_character(std::mt19937& random, std::string& text) {
  const auto put = [&](uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  const uint32_t code =
      static_cast<uint32_t>(random()) % (uint32_t{1} << (1 + random() % 20)) + (random() % 16 ? 0 : 0x10000);
  if (code < 0x80) return put(code);
  if (code >= 0xD800 && code < 0xE000) return put('x');
  if (code >= 0x10000) put(0xF0 | code >> 18);
  if (code >= 0x10000) put(0x80 | (code >> 12 & 0x3F));
  if (code >= 0x800 && code < 0x10000) put(0xE0 | code >> 12);
  if (code >= 0x800) put(0x80 | (code >> 6 & 0x3F));
  if (code < 0x800) put(0xC0 | code >> 6);
  put(0x80 | (code & 0x3F));
}

inline std::string random_text(std::mt19937& random, size_t characters) {
  std::string text;
  for (size_t i = 0; i < characters; ++i) append_random_character(random, text);
  return text;
}

}  // namespace tern::test
