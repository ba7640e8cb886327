// SPDX-License-Identifier: Apache-2.0
// The header parser against crafted files: each attack is one clear error.
#include "io/safetensors_header.h"

#include <gtest/gtest.h>

#include <memory>

#include "base/random.h"
#include "io/safetensors_bytes.h"
#include "support/fails_with.h"

namespace tern {
namespace {

using testing::as_bytes;
using testing::fails_with;
using testing::safetensors_bytes;
using testing::safetensors_entry;

SafetensorsHeader parse(const std::string& file) { return parse_safetensors_header(as_bytes(file), "some.file"); }

::testing::AssertionResult rejects(const std::string& file, std::string_view part) {
  return fails_with(part, [&] { parse(file); });
}

// A file whose header is these members, with `size` zero bytes of data.
// "1,1,…".
std::string ones(int count) {
  std::string text = "1";
  for (int i = 1; i < count; ++i) text += ",1";
  return text;
}

std::string with_members(const std::string& members, size_t size = 0) {
  return safetensors_bytes("{" + members + "}", std::string(size, '\0'));
}

std::string with_entry(std::string_view dtype, std::string_view shape, std::string_view offsets, size_t size) {
  return with_members(safetensors_entry("x", dtype, shape, offsets), size);
}

TEST(SafetensorsHeader, ReadsAValidFile) {
  const std::string file = testing::valid_safetensors();
  const SafetensorsHeader header = parse(file);
  ASSERT_EQ(header.entries.size(), 6u);
  EXPECT_EQ(header.entries[0].name, "w");
  EXPECT_EQ(header.entries[0].dtype->name, "F32");
  EXPECT_EQ(header.entries[0].shape, (Shape{2, 3}));
  EXPECT_EQ(header.entries[0].begin, file.size() - 44);
  EXPECT_EQ(header.entries[1].shape, Shape{});
  EXPECT_EQ(header.entries[2].shape, (Shape{0, 4}));
  EXPECT_EQ(header.entries[5].end, file.size());
  EXPECT_EQ(header.metadata, (std::map<std::string, std::string>{{"format", "pt"}}));
  for (const SafetensorsEntry& entry : header.entries) EXPECT_EQ(header.find(entry.name), &entry);
  EXPECT_EQ(header.find("v"), nullptr);
  EXPECT_EQ(header.find(""), nullptr);
}

TEST(SafetensorsHeader, AcceptsWhatTheFormatAllows) {
  EXPECT_TRUE(parse(safetensors_bytes("{}")).entries.empty());
  EXPECT_TRUE(parse(safetensors_bytes("{}      ")).entries.empty());
  EXPECT_TRUE(parse(with_members(R"("__metadata__":{})")).metadata.empty());
  EXPECT_EQ(parse(with_entry("F32", ones(32), "0,4", 4)).entries[0].shape.rank(), 32);
  EXPECT_EQ(parse(with_entry("F64", "2", "0,16", 16)).entries[0].dtype->dtype, DType::f64);
  EXPECT_EQ(parse(with_entry("F4", "3,2", "0,3", 3)).entries[0].shape, (Shape{3, 2}));
  EXPECT_EQ(parse(with_members(safetensors_entry("\\u00e9", "U8", "1", "0,1"), 1)).entries[0].name, "é");
  EXPECT_EQ(parse(with_members(safetensors_entry("", "U8", "1", "0,1"), 1)).entries[0].name, "");
}

TEST(SafetensorsHeader, OrdersEntriesByTheirBytes) {
  const SafetensorsHeader header =
      parse(with_members(safetensors_entry("b", "U8", "2", "1,3") + "," + safetensors_entry("z", "U8", "0", "1,1") +
                             "," + safetensors_entry("a", "U8", "1", "0,1"),
                         3));
  ASSERT_EQ(header.entries.size(), 3u);
  EXPECT_EQ(header.entries[0].name, "a");
  EXPECT_EQ(header.entries[1].name, "z");
  EXPECT_EQ(header.entries[2].name, "b");
}

TEST(SafetensorsHeader, RejectsShortFiles) {
  EXPECT_TRUE(rejects("", "got only 0 bytes"));
  EXPECT_TRUE(rejects(std::string(7, '\0'), "got only 7 bytes"));
  EXPECT_TRUE(rejects(std::string(8, '\0'), "begins with '{'"));
  EXPECT_TRUE(rejects("some.file", "some.file: expected a header of at most"));
}

TEST(SafetensorsHeader, RejectsWrongHeaderLengths) {
  EXPECT_TRUE(rejects(safetensors_bytes(3, "{}"), "expected a header of 3 bytes, got a file of 10"));
  EXPECT_TRUE(rejects(safetensors_bytes(1, "{}"), "invalid JSON"));
  EXPECT_TRUE(rejects(safetensors_bytes(0, "{}"), "begins with '{'"));
  EXPECT_TRUE(rejects(safetensors_bytes(100'000'000, "{}"), "got a file of 10"));
  EXPECT_TRUE(rejects(safetensors_bytes(100'000'001, "{}"), "at most 100000000 bytes, got 100000001"));
  for (uint64_t length : {~uint64_t{0}, ~uint64_t{0} - 7, ~uint64_t{0} >> 1, uint64_t{1} << 63}) {
    EXPECT_TRUE(rejects(safetensors_bytes(length, "{}"), "at most 100000000 bytes")) << length;
  }
}

TEST(SafetensorsHeader, RejectsTextThatIsNotTheJsonObject) {
  EXPECT_TRUE(rejects(safetensors_bytes("[]"), "begins with '{'"));
  EXPECT_TRUE(rejects(safetensors_bytes(" {}"), "begins with '{'"));
  EXPECT_TRUE(rejects(safetensors_bytes("\xef\xbb\xbf{}"), "begins with '{'"));
  EXPECT_TRUE(rejects(safetensors_bytes("{"), "invalid JSON"));
  EXPECT_TRUE(rejects(safetensors_bytes("{}{}"), "invalid JSON"));
  EXPECT_TRUE(rejects(safetensors_bytes("{}x"), "invalid JSON"));
  EXPECT_TRUE(rejects(safetensors_bytes("{/**/}"), "invalid JSON"));
  EXPECT_TRUE(rejects(safetensors_bytes("{,}"), "invalid JSON"));
  EXPECT_TRUE(rejects(safetensors_bytes(std::string("{}\0x", 4)), "a zero byte"));
  EXPECT_TRUE(rejects(with_members(safetensors_entry("\xff\xfe", "U8", "1", "0,1"), 1), "invalid JSON or UTF-8"));
  EXPECT_TRUE(rejects(with_members(safetensors_entry("\xc0\xaf", "U8", "1", "0,1"), 1), "invalid JSON or UTF-8"));
  EXPECT_TRUE(rejects(with_members(safetensors_entry("\\ud800", "U8", "1", "0,1"), 1), "invalid JSON or UTF-8"));
  EXPECT_TRUE(rejects(with_members(safetensors_entry("a\nb", "U8", "1", "0,1"), 1), "invalid JSON"));
}

TEST(SafetensorsHeader, RejectsDepthAtOnce) {
  const std::string deep(1'000'000, '[');
  EXPECT_TRUE(rejects(with_members("\"x\":" + deep), "tensor 'x': expected an object, got an array"));
  EXPECT_TRUE(
      rejects(with_members(R"("x":{"shape":)" + deep), "expected non-negative integers as shape, got an array"));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_TRUE(
      rejects(with_members("\"__metadata__\":" + objects), "__metadata__ 'a': expected a string, got an object"));
}

TEST(SafetensorsHeader, RejectsWrongTypes) {
  const char* kNotObjects[] = {"1", "-1", "1.5", "\"s\"", "null", "true", "[]"};
  for (const char* value : kNotObjects) {
    EXPECT_TRUE(rejects(with_members(std::string("\"x\":") + value), "tensor 'x': expected an object, got"));
    EXPECT_TRUE(
        rejects(with_members(std::string("\"__metadata__\":") + value), "__metadata__: expected an object, got"));
  }
  for (const char* value : {"1", "null", "true", "[]", "{}"}) {
    EXPECT_TRUE(
        rejects(with_members(std::string("\"__metadata__\":{\"k\":") + value + "}"), "'k': expected a string, got"));
  }
  const char* kNotArrays[] = {"1", "\"s\"", "null", "{}", "false"};
  for (const char* value : kNotArrays) {
    EXPECT_TRUE(
        rejects(with_members(std::string("\"x\":{\"shape\":") + value + "}"), "expected an array as shape, got"));
    EXPECT_TRUE(rejects(with_members(std::string("\"x\":{\"data_offsets\":") + value + "}"),
                        "expected an array as data_offsets, got"));
  }
  for (const char* value : {"1", "null", "[]", "{}"}) {
    EXPECT_TRUE(
        rejects(with_members(std::string("\"x\":{\"dtype\":") + value + "}"), "expected a string as dtype, got"));
  }
}

TEST(SafetensorsHeader, RejectsDuplicates) {
  const std::string x = safetensors_entry("x", "U8", "0", "0,0");
  EXPECT_TRUE(rejects(with_members(x + "," + x), "expected each tensor once, got 'x' twice"));
  EXPECT_TRUE(rejects(with_members(x + "," + safetensors_entry("\\u0078", "U8", "0", "0,0")), "got 'x' twice"));
  EXPECT_TRUE(rejects(with_members(R"("__metadata__":{},"__metadata__":{})"), "expected __metadata__ once"));
  EXPECT_TRUE(rejects(with_members(R"("__metadata__":{"k":"1","k":"2"})"), "'k': expected each key once"));
  EXPECT_TRUE(rejects(with_members(R"("x":{"dtype":"U8","dtype":"I8","shape":[],"data_offsets":[0,1]})", 1),
                      "got 'dtype' twice"));
  EXPECT_TRUE(rejects(with_members(R"("x":{"dtype":"U8","shape":[1],"shape":[],"data_offsets":[0,1]})", 1),
                      "got 'shape' twice"));
}

TEST(SafetensorsHeader, RejectsMissingAndUnknownFields) {
  EXPECT_TRUE(rejects(with_members(R"("x":{})"), "got fewer fields"));
  EXPECT_TRUE(rejects(with_members(R"("x":{"dtype":"U8","shape":[0]})"), "got fewer fields"));
  EXPECT_TRUE(rejects(with_members(R"("x":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"strides":[1]})"),
                      "expected dtype, shape and data_offsets, got 'strides'"));
  EXPECT_TRUE(rejects(with_entry("F33", "1", "0,4", 4), "tensor 'x': expected a dtype of the format, got 'F33'"));
  EXPECT_TRUE(rejects(with_entry("f32", "1", "0,4", 4), "expected a dtype of the format, got 'f32'"));
  EXPECT_TRUE(rejects(with_entry("", "1", "0,4", 4), "expected a dtype of the format, got ''"));
}

TEST(SafetensorsHeader, RejectsWrongShapes) {
  EXPECT_TRUE(
      rejects(with_entry("U8", "-1", "0,1", 1), "expected non-negative integers as shape, got a negative number"));
  EXPECT_TRUE(rejects(with_entry("U8", "1.0", "0,1", 1), "got a number that is no 64-bit integer"));
  EXPECT_TRUE(rejects(with_entry("U8", "1e0", "0,1", 1), "got a number that is no 64-bit integer"));
  EXPECT_TRUE(rejects(with_entry("U8", "null", "0,1", 1), "got null"));
  EXPECT_TRUE(rejects(with_entry("U8", "\"1\"", "0,1", 1), "got a string"));
  EXPECT_TRUE(rejects(with_entry("U8", "true", "0,1", 1), "got a boolean"));
  EXPECT_TRUE(rejects(with_entry("U8", "9223372036854775808", "0,1", 1), "got a number over 2^63"));
  EXPECT_TRUE(rejects(with_entry("U8", "18446744073709551617", "0,1", 1), "no 64-bit integer"));
  EXPECT_TRUE(rejects(with_entry("U8", ones(33), "0,1", 1), "expected at most 32 axes"));
}

TEST(SafetensorsHeader, RejectsOverflowingShapes) {
  const char* kHuge[] = {"9223372036854775807", "4294967296,4294967296", "4294967296,4294967297",
                         "9223372036854775807,2", "9223372036854775807,9223372036854775807,9223372036854775807"};
  for (const char* shape : kHuge) {
    EXPECT_TRUE(rejects(with_entry("F32", shape, "0,4", 4), "expected a shape that fits into memory")) << shape;
    EXPECT_TRUE(rejects(with_entry("F32", std::string(shape) + ",0", "0,0", 0), "fits into memory")) << shape;
    EXPECT_TRUE(rejects(with_entry("F32", std::string("0,") + shape, "0,0", 0), "fits into memory")) << shape;
  }
}

TEST(SafetensorsHeader, RejectsWrongSizes) {
  EXPECT_TRUE(
      rejects(with_entry("F32", "2", "0,4", 4), "tensor 'x': expected 8 bytes for F32 [2], got data_offsets [0, 4]"));
  EXPECT_TRUE(rejects(with_entry("F32", "1", "0,8", 8), "expected 4 bytes"));
  EXPECT_TRUE(rejects(with_entry("F32", "0", "0,4", 4), "expected 0 bytes"));
  EXPECT_TRUE(rejects(with_entry("F32", "", "0,0", 0), "expected 4 bytes"));
  EXPECT_TRUE(rejects(with_entry("F64", "1", "0,4", 4), "expected 8 bytes"));
  EXPECT_TRUE(rejects(with_entry("F4", "3", "0,1", 1), "a whole number of bytes"));
  EXPECT_TRUE(rejects(with_entry("F6_E2M3", "4", "0,4", 4), "expected 3 bytes"));
}

TEST(SafetensorsHeader, RejectsWrongOffsets) {
  EXPECT_TRUE(rejects(with_entry("U8", "1", "1,0", 1), "data_offsets in order and within 1 bytes of data, got [1, 0]"));
  EXPECT_TRUE(rejects(with_entry("U8", "2", "0,2", 1), "within 1 bytes of data, got [0, 2]"));
  EXPECT_TRUE(rejects(with_entry("U8", "1", "18446744073709551615,0", 1), "within 1 bytes"));
  EXPECT_TRUE(rejects(with_entry("U8", "1", "18446744073709551614,18446744073709551615", 1), "within 1 bytes"));
  EXPECT_TRUE(rejects(with_entry("U8", "1", "0,-1", 1), "got a negative number"));
  EXPECT_TRUE(rejects(with_entry("U8", "1", "0,1.0", 1), "no 64-bit integer"));
  EXPECT_TRUE(rejects(with_entry("U8", "1", "", 1), "expected two non-negative integers as data_offsets, got 0"));
  EXPECT_TRUE(rejects(with_entry("U8", "1", "0", 1), "as data_offsets, got 1"));
  EXPECT_TRUE(rejects(with_entry("U8", "1", "0,1,1", 1), "as data_offsets, got a third number"));
}

TEST(SafetensorsHeader, RejectsOverlapsAndHoles) {
  const auto two = [](const char* a, const char* b, const char* a_size, const char* b_size) {
    return with_members(safetensors_entry("a", "U8", a_size, a) + "," + safetensors_entry("b", "U8", b_size, b), 8);
  };
  EXPECT_NO_THROW(parse(two("0,4", "4,8", "4", "4")));
  EXPECT_NO_THROW(parse(two("4,8", "0,4", "4", "4")));
  EXPECT_TRUE(rejects(two("0,4", "3,8", "4", "5"),
                      "tensor 'b': expected data from byte 4 on, where the data before it ends, "
                      "got 3: an overlap"));
  EXPECT_TRUE(rejects(two("0,8", "0,8", "8", "8"), "an overlap"));
  EXPECT_TRUE(rejects(two("0,8", "2,4", "8", "2"), "an overlap"));
  EXPECT_TRUE(rejects(two("0,8", "4,4", "8", "0"), "an overlap"));
  EXPECT_TRUE(rejects(two("0,3", "4,8", "3", "4"),
                      "tensor 'b': expected data from byte 3 on, where the data before it ends, "
                      "got 4: a hole"));
  EXPECT_TRUE(rejects(two("1,4", "4,8", "3", "4"), "tensor 'a': expected data from byte 0"));
  EXPECT_TRUE(rejects(two("0,4", "4,7", "4", "3"), "cover all 8 bytes of data, got 7"));
  EXPECT_TRUE(rejects(with_members("", 1), "cover all 1 bytes of data, got 0"));
}

// Reads what the header promises from a copy without slack, so that a sanitizer sees a step outside.
void read_wholly(const std::string& file) {
  const auto exact = std::make_unique<char[]>(file.size());
  std::copy(file.begin(), file.end(), exact.get());
  const auto bytes = as_bytes(std::string_view(exact.get(), file.size()));
  const SafetensorsHeader header = parse_safetensors_header(bytes, "mutant");
  uint64_t covered = 0;
  unsigned sum = 0;
  for (const SafetensorsEntry& entry : header.entries) {
    for (std::byte byte : bytes.subspan(entry.begin, entry.end - entry.begin)) sum += std::to_integer<unsigned>(byte);
    covered += entry.end - entry.begin;
    ASSERT_EQ(header.find(entry.name), &entry);
  }
  ASSERT_LE(covered + sum % 2, file.size());
}

std::string mutate(std::string file, Random& random) {
  for (uint64_t edits = 1 + random.below(3); edits > 0 && !file.empty(); --edits) {
    const auto at = static_cast<size_t>(random.below(file.size()));
    const auto byte = static_cast<char>(random.below(256));
    switch (random.below(6)) {
      case 0:
        file[at] = static_cast<char>(file[at] ^ (1 << random.below(8)));
        break;
      case 1:
        file[at] = byte;
        break;
      case 2:
        file.resize(at);
        break;
      case 3:
        file.insert(at, 1, byte);
        break;
      case 4:
        file.erase(at, 1 + random.below(4));
        break;
      default:
        file.insert(at, file.substr(random.below(file.size()), random.below(40)));
    }
  }
  return file;
}

TEST(SafetensorsHeader, SurvivesMutations) {
  const std::string valid = testing::valid_safetensors();
  Random random(20240229);
  int accepted = 0, rejected = 0;
  for (int i = 0; i < 50'000; ++i) {
    const std::string file = mutate(valid, random);
    try {
      read_wholly(file);
      ++accepted;
    } catch (const Error&) {
      ++rejected;
    }
  }
  EXPECT_GT(accepted, 100);  // mutations of data and names leave valid files
  EXPECT_GT(rejected, 10'000);
}

}  // namespace
}  // namespace tern
