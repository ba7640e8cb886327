// SPDX-License-Identifier: Apache-2.0
// The 16-bit floats, every pattern of them, against conversions written with ldexp and a search.
#include "tern/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "support/fails_with.h"

namespace tern {
namespace {

using testing::fails_with;

// What a 16-bit float with these field widths means, by the book.
double meaning(uint16_t bits, int exponent_bits, int fraction_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1, top = (1 << exponent_bits) - 1;
  const int exponent = (bits >> fraction_bits) & top, fraction = bits & ((1 << fraction_bits) - 1);
  const double sign = bits >> 15 ? -1.0 : 1.0;
  if (exponent == top)
    return fraction ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - fraction_bits);
  return sign * std::ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
}

// The nearest pattern to a magnitude, ties to even, found by bisection over the patterns in ascending order. The
// pattern of infinity stands for the power of two where the next number would be.
uint16_t nearest(double magnitude, int exponent_bits, int fraction_bits) {
  const auto infinity = static_cast<uint16_t>(((1 << exponent_bits) - 1) << fraction_bits);
  const auto size = [&](uint16_t bits) {
    return bits == infinity ? std::ldexp(1.0, 1 << (exponent_bits - 1)) : meaning(bits, exponent_bits, fraction_bits);
  };
  if (magnitude >= size(infinity)) return infinity;
  uint16_t low = 0, high = infinity;  // size(low) <= magnitude < size(high)
  while (high - low > 1) {
    const auto middle = static_cast<uint16_t>((low + high) / 2);
    (size(middle) <= magnitude ? low : high) = middle;
  }
  const double below = magnitude - size(low), above = size(high) - magnitude;
  if (below != above) return below < above ? low : high;
  return low % 2 == 0 ? low : high;
}

template <class Half>
void expect_widens_exactly(int exponent_bits, int fraction_bits) {
  for (uint32_t pattern = 0; pattern < 65536; ++pattern) {
    Half half;
    half.bits = static_cast<uint16_t>(pattern);
    const double expected = meaning(half.bits, exponent_bits, fraction_bits);
    const auto got = static_cast<double>(static_cast<float>(half));
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(got)) << pattern;
      const Half back(static_cast<float>(half));
      ASSERT_TRUE(std::isnan(static_cast<float>(back))) << pattern;
    } else {
      ASSERT_EQ(got, expected) << pattern;
      ASSERT_EQ(std::signbit(got), std::signbit(expected)) << pattern;
      ASSERT_EQ(Half(static_cast<float>(half)).bits, half.bits) << pattern;
    }
  }
}

// Between each two neighbours: the middle, and the floats on either side of it.
template <class Half>
void expect_rounds_to_even(int exponent_bits, int fraction_bits) {
  const auto infinity = static_cast<uint16_t>(((1 << exponent_bits) - 1) << fraction_bits);
  for (uint16_t pattern = 0; pattern < infinity; ++pattern) {
    const double low = meaning(pattern, exponent_bits, fraction_bits);
    const double high = pattern + 1 == infinity
                            ? std::ldexp(1.0, 1 << (exponent_bits - 1))
                            : meaning(static_cast<uint16_t>(pattern + 1), exponent_bits, fraction_bits);
    const auto middle = static_cast<float>((low + high) / 2);
    for (const float x :
         {std::nextafter(middle, 0.0f), middle, std::nextafter(middle, std::numeric_limits<float>::infinity())}) {
      const uint16_t expected = nearest(static_cast<double>(x), exponent_bits, fraction_bits);
      ASSERT_EQ(Half(x).bits, expected) << x;
      ASSERT_EQ(Half(-x).bits, expected | 0x8000) << -x;
    }
  }
}

TEST(Bf16, WidensExactlyAndBack) { expect_widens_exactly<bf16>(8, 7); }
TEST(F16, WidensExactlyAndBack) { expect_widens_exactly<f16>(5, 10); }
TEST(Bf16, RoundsToNearestEven) { expect_rounds_to_even<bf16>(8, 7); }
TEST(F16, RoundsToNearestEven) { expect_rounds_to_even<f16>(5, 10); }

TEST(Bf16, KeepsNanWhateverItsBits) {
  for (const uint32_t bits : {0x7f800001u, 0xff800001u, 0x7fffffffu, 0x7fc00000u}) {
    float nan;
    std::memcpy(&nan, &bits, sizeof nan);
    EXPECT_TRUE(std::isnan(static_cast<float>(bf16(nan)))) << bits;
    EXPECT_TRUE(std::isnan(static_cast<float>(f16(nan)))) << bits;
  }
}

TEST(F16, OverflowsAndUnderflows) {
  EXPECT_EQ(f16(65504.0f).bits, 0x7bff);
  EXPECT_EQ(f16(65519.996f).bits, 0x7bff);
  EXPECT_EQ(f16(65520.0f).bits, 0x7c00);
  EXPECT_EQ(f16(-std::numeric_limits<float>::infinity()).bits, 0xfc00);
  EXPECT_EQ(f16(0x1p-25f).bits, 0);
  EXPECT_EQ(f16(std::nextafter(0x1p-25f, 1.0f)).bits, 1);
  EXPECT_EQ(f16(-std::numeric_limits<float>::denorm_min()).bits, 0x8000);
}

TEST(DType, NamesAndSizes) {
  const std::vector<std::pair<DType, size_t>> all = {
      {DType::f32, 4}, {DType::bf16, 2}, {DType::f16, 2},     {DType::i8, 1},  {DType::u8, 1},
      {DType::i32, 4}, {DType::i64, 8},  {DType::boolean, 1}, {DType::i16, 2}, {DType::u16, 2},
      {DType::u32, 4}, {DType::u64, 8},  {DType::f64, 8},     {DType::c64, 8}, {DType::c128, 16}};
  ASSERT_EQ(all.size(), static_cast<size_t>(kDTypeCount));
  for (const auto& [dtype, size] : all) {
    EXPECT_EQ(size_of(dtype), size);
    EXPECT_EQ(dtype_from_name(name_of(dtype)), dtype);
  }
  EXPECT_EQ(name_of(DType::boolean), "bool");
  EXPECT_TRUE(fails_with("got 'f80'", [] { dtype_from_name("f80"); }));
  EXPECT_TRUE(fails_with("got ''", [] { dtype_from_name(""); }));
}

}  // namespace
}  // namespace tern
