// SPDX-License-Identifier: Apache-2.0
#include "tern/scalar.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "support/fails_with.h"

namespace tern {
namespace {

template <class T>
T as(const Scalar& scalar, DType dtype = dtype_of<T>) {
  T value;
  std::memcpy(&value, scalar.element(dtype, "test").data(), sizeof value);
  return value;
}

TEST(Scalar, HoldsEachKindExactly) {
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  EXPECT_EQ(as<int64_t>(kLeast), kLeast);
  EXPECT_EQ(as<int64_t>(kLeast + 1), kLeast + 1);
  EXPECT_EQ(as<int64_t>(std::numeric_limits<int64_t>::max() - 1), std::numeric_limits<int64_t>::max() - 1);
  EXPECT_EQ(as<uint64_t>(kMost - 1), kMost - 1);
  EXPECT_EQ(as<double>(0.1), 0.1);
  EXPECT_EQ(as<std::complex<double>>(std::complex<double>(0.1, -0.2)), std::complex<double>(0.1, -0.2));
  EXPECT_TRUE(as<bool>(true));
  EXPECT_EQ(as<int8_t>(-128), -128);
  EXPECT_EQ(as<std::complex<float>>(3), std::complex<float>(3, 0));
}

TEST(Scalar, CutsFractionsForIntegers) {
  EXPECT_EQ(as<int8_t>(-128.9), -128);
  EXPECT_EQ(as<uint8_t>(-0.9), 0);
  EXPECT_EQ(as<uint64_t>(0x1p63), uint64_t{1} << 63);
  EXPECT_TRUE(as<bool>(0.25));
  EXPECT_TRUE(as<bool>(std::numeric_limits<double>::quiet_NaN()));
  EXPECT_TRUE(as<bool>(std::complex<double>(0, 1)));
}

// Of the two roundings on the way to a half, f32 and bf16, the first must not decide a tie that the number is not on.
TEST(Scalar, RoundsOnce) {
  EXPECT_EQ(as<bf16>(1.0 + 0x1p-8 + 0x1p-40).bits, 0x3f81);
  EXPECT_EQ(as<bf16>(1.0 + 0x1p-8).bits, 0x3f80);
  EXPECT_EQ(as<f16>(1.0 + 0x1p-11 + 0x1p-45).bits, 0x3c01);
  EXPECT_EQ(as<f16>(1e30).bits, 0x7c00);
  EXPECT_EQ(as<bf16>((uint64_t{1} << 63) + (uint64_t{1} << 55) + 1).bits, 0x5f01);
  EXPECT_EQ(as<bf16>(-(int64_t{1} << 62) - (int64_t{1} << 54) - 1).bits, 0xde81);
  EXPECT_EQ(as<float>((int64_t{1} << 62) + (int64_t{1} << 38) + 1), 0x1p62f + 0x1p39f);
}

TEST(Scalar, SaysWhatDoesNotFit) {
  using testing::fails_with;
  for (const DType dtype : {DType::i8, DType::u8, DType::i16, DType::u16, DType::i32, DType::u32, DType::i64}) {
    EXPECT_TRUE(fails_with("expected a number that fits", [&] { Scalar(1e30).element(dtype, "full"); }));
  }
  EXPECT_TRUE(
      fails_with("[full] expected a number that fits u8, got -1", [] { Scalar(-1).element(DType::u8, "full"); }));
  EXPECT_TRUE(fails_with("fits i8, got 128", [] { Scalar(128).element(DType::i8, "full"); }));
  EXPECT_TRUE(
      fails_with("fits i64, got 9223372036854775808", [] { Scalar(uint64_t{1} << 63).element(DType::i64, "full"); }));
  EXPECT_TRUE(fails_with("fits i32, got nan", [] { Scalar(std::nan("")).element(DType::i32, "full"); }));
  EXPECT_TRUE(fails_with("expected a real number for f32, got 1-2i",
                         [] { Scalar(std::complex<double>(1, -2)).element(DType::f32, "full"); }));
}

}  // namespace
}  // namespace tern
