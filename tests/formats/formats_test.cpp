// SPDX-License-Identifier: Apache-2.0
// What holds for every format of the list.
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "base/random.h"
#include "formats/format.h"
#include "support/fails_with.h"
#include "support/test_device.h"

namespace tern {
namespace {

using testing::fails_with;

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

TernaryCodes random_codes(int64_t rows, int64_t cols, float scale) {
  Random random(static_cast<uint64_t>(rows * 1000 + cols));
  std::vector<int8_t> codes(static_cast<size_t>(rows * cols));
  for (int8_t& code : codes) code = static_cast<int8_t>(static_cast<int>(random.below(3)) - 1);
  return {Tensor::from(codes, {rows, cols}, cpu()), scale};
}

TEST(Formats, HaveNamesThatFindThem) {
  std::set<std::string_view> names;
  for (const Format* format : formats()) {
    EXPECT_EQ(&format_from_name(format->name), format);
    EXPECT_TRUE(names.insert(format->name).second) << format->name;
  }
  EXPECT_FALSE(names.empty());
  EXPECT_TRUE(fails_with("expected one of hf_packed, got 'i2'", [] { format_from_name("i2"); }));
}

TEST(Formats, RoundTripMatrices) {
  for (const Format* format : formats()) {
    for (const auto& [rows, cols] :
         std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {4, 64}, {7, 63}, {65, 127}, {0, 5}, {5, 0}}) {
      const TernaryCodes codes = random_codes(rows, cols, 0.25f);
      const Tensor packed = encode(*format, codes);
      EXPECT_EQ(packed.shape(), format->packed_shape(rows, cols));
      const TernaryCodes back = decode(*format, packed, rows, cols, codes.scale);
      EXPECT_EQ(back.codes.to_vector<int8_t>(), codes.codes.to_vector<int8_t>()) << format->name;
      EXPECT_EQ(back.scale, 0.25f);
    }
  }
}

TEST(Formats, TakeTheBitsTheyClaim) {
  for (const Format* format : formats()) {
    const double bits = 8.0 * static_cast<double>(format->packed_shape(1024, 1024).numel());
    EXPECT_NEAR(bits / (1024.0 * 1024.0), format->bits_per_weight, 0.01) << format->name;
  }
}

TEST(Formats, RejectSizesAndRangesThatDoNotFit) {
  for (const Format* format : formats()) {
    const TernaryCodes codes = random_codes(8, 3, 1.0f);
    const Tensor packed = encode(*format, codes);
    const std::vector<uint8_t> bytes = packed.to_vector<uint8_t>();
    std::vector<int8_t> out(24);
    const auto decode_range = [&](int64_t rows, int64_t cols, int64_t begin, int64_t count, size_t room) {
      decode_rows(*format, bytes, rows, cols, begin, count, std::span(out).first(room));
    };
    EXPECT_NO_THROW(decode_range(8, 3, 0, 8, 24));
    EXPECT_TRUE(fails_with("for a matrix [800, 3]", [&] { decode_range(800, 3, 0, 8, 24); }));
    EXPECT_TRUE(fails_with("expected a matrix", [&] { decode_range(-8, 3, 0, 0, 0); }));
    EXPECT_TRUE(fails_with("expected a matrix", [&] { decode_range(8, -3, 0, 0, 0); }));
    EXPECT_TRUE(fails_with("fits into memory", [&] { decode_range(INT64_MAX, INT64_MAX, 0, 0, 0); }));
    EXPECT_TRUE(fails_with("within 8 rows", [&] { decode_range(8, 3, -1, 1, 3); }));
    EXPECT_TRUE(fails_with("within 8 rows", [&] { decode_range(8, 3, 1, 8, 24); }));
    EXPECT_TRUE(fails_with("within 8 rows", [&] { decode_range(8, 3, 1, INT64_MAX, 24); }));
    EXPECT_TRUE(fails_with("room for 6 codes, got 5", [&] { decode_range(8, 3, 0, 2, 5); }));
    EXPECT_TRUE(fails_with("for a matrix [400, 3]", [&] { decode(*format, packed, 400, 3, 1.0f); }));
  }
}

TEST(Formats, RejectTensorsThatAreNotTheirs) {
  for (const Format* format : formats()) {
    const Tensor matrix = random_codes(4, 4, 1.0f).codes;
    EXPECT_TRUE(fails_with("expected elements of type u8", [&] { decode(*format, matrix, 4, 4, 1.0f); }));
    EXPECT_TRUE(fails_with("expected elements of type i8", [&] {
      encode(*format, {Tensor::zeros({4, 4}, DType::f32, cpu()), 1.0f});
    }));
    EXPECT_TRUE(fails_with("got shape [16]", [&] { encode(*format, {matrix.as_strided({16}, {1}, 0), 1.0f}); }));
    EXPECT_TRUE(fails_with("expected a contiguous", [&] {
      encode(*format, {matrix.as_strided({4, 2}, {4, 1}, 0), 1.0f});
    }));
  }
}

}  // namespace
}  // namespace tern
