// SPDX-License-Identifier: Apache-2.0
// Promotion, against the array API's tables and against what it means: the least dtype that holds both.
#include "tern/promotion.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/exact_number.h"
#include "support/fails_with.h"

namespace tern {
namespace {

using testing::fails_with;

constexpr DType kIntegers[] = {DType::i8,  DType::u8,  DType::i16, DType::u16,
                               DType::i32, DType::u32, DType::i64, DType::u64};

TEST(Promotion, FollowsTheTablesOfTheStandard) {
  // Signed and unsigned integers (the table of mixed signs), floats, complex numbers.
  EXPECT_EQ(result_type(DType::i8, DType::u8), DType::i16);
  EXPECT_EQ(result_type(DType::i8, DType::u16), DType::i32);
  EXPECT_EQ(result_type(DType::i8, DType::u32), DType::i64);
  EXPECT_EQ(result_type(DType::i16, DType::u8), DType::i16);
  EXPECT_EQ(result_type(DType::i16, DType::u16), DType::i32);
  EXPECT_EQ(result_type(DType::i16, DType::u32), DType::i64);
  EXPECT_EQ(result_type(DType::i32, DType::u8), DType::i32);
  EXPECT_EQ(result_type(DType::i32, DType::u16), DType::i32);
  EXPECT_EQ(result_type(DType::i32, DType::u32), DType::i64);
  for (const DType other : {DType::u8, DType::u16, DType::u32}) EXPECT_EQ(result_type(DType::i64, other), DType::i64);
  EXPECT_EQ(result_type(DType::f32, DType::f64), DType::f64);
  EXPECT_EQ(result_type(DType::f32, DType::c64), DType::c64);
  EXPECT_EQ(result_type(DType::f32, DType::c128), DType::c128);
  EXPECT_EQ(result_type(DType::f64, DType::c64), DType::c128);
  EXPECT_EQ(result_type(DType::f64, DType::c128), DType::c128);
  EXPECT_EQ(result_type(DType::c64, DType::c128), DType::c128);
}

TEST(Promotion, GivesTheLeastIntegerThatHoldsBoth) {
  for (const DType a : kIntegers) {
    for (const DType b : kIntegers) {
      const auto holds_both = [&](DType dtype) {
        return testing::least_of(dtype) <= std::min(testing::least_of(a), testing::least_of(b)) &&
               testing::greatest_of(dtype) >= std::max(testing::greatest_of(a), testing::greatest_of(b));
      };
      // Ordered by size, of two of one size the one of both kinds' sign.
      DType expected = DType::f64;
      for (const DType dtype : kIntegers) {
        if (expected == DType::f64 && holds_both(dtype)) expected = dtype;
      }
      EXPECT_EQ(result_type(a, b), expected) << name_of(a) << " and " << name_of(b);
    }
  }
}

TEST(Promotion, LeavesNothingOpen) {
  EXPECT_EQ(result_type(DType::f16, DType::bf16), DType::f32);
  EXPECT_EQ(result_type(DType::f16, DType::f32), DType::f32);
  EXPECT_EQ(result_type(DType::i64, DType::f16), DType::f16);
  EXPECT_EQ(result_type(DType::i32, DType::f32), DType::f32);
  EXPECT_EQ(result_type(DType::u64, DType::i8), DType::f64);
  EXPECT_EQ(result_type(DType::boolean, DType::u8), DType::u8);
  EXPECT_EQ(result_type(DType::i64, DType::c64), DType::c64);
  EXPECT_EQ(result_type(DType::bf16, DType::c64), DType::c64);
}

TEST(Promotion, IsSymmetricAndKnowsNoOrder) {
  const std::vector<DType> all = testing::all_dtypes();
  for (const DType a : all) {
    EXPECT_EQ(result_type(a, a), a);
    for (const DType b : all) {
      EXPECT_EQ(result_type(a, b), result_type(b, a));
      for (const DType c : all) {
        std::vector<DType> three = {a, b, c};
        std::sort(three.begin(), three.end());
        const DType first = result_type(three);
        while (std::next_permutation(three.begin(), three.end())) {
          ASSERT_EQ(result_type(three), first) << name_of(a) << name_of(b) << name_of(c);
        }
      }
    }
  }
  const DType halves_and_integers[] = {DType::u64, DType::i8, DType::f16};
  EXPECT_EQ(result_type(halves_and_integers), DType::f16);
  EXPECT_TRUE(fails_with("[result_type] expected at least one dtype", [] { result_type(std::span<const DType>()); }));
}

TEST(Promotion, OfANumberKeepsTheDtypeWithinItsKind) {
  for (const DType dtype : testing::all_dtypes()) {
    for (const ScalarKind kind : {ScalarKind::boolean, ScalarKind::integer, ScalarKind::real, ScalarKind::complex}) {
      if (kind <= kind_of(dtype)) {
        EXPECT_EQ(result_type(dtype, kind), dtype);
      }
    }
  }
  EXPECT_EQ(result_type(DType::boolean, ScalarKind::integer), DType::i64);
  EXPECT_EQ(result_type(DType::u8, ScalarKind::real), DType::f32);
  EXPECT_EQ(result_type(DType::f16, ScalarKind::complex), DType::c64);
  EXPECT_EQ(result_type(DType::f64, ScalarKind::complex), DType::c128);
}

TEST(Promotion, SaysWhatCanBeCast) {
  EXPECT_TRUE(can_cast(DType::i8, DType::i16));
  EXPECT_TRUE(can_cast(DType::u8, DType::i16));
  EXPECT_TRUE(can_cast(DType::f32, DType::c64));
  EXPECT_FALSE(can_cast(DType::i16, DType::i8));
  EXPECT_FALSE(can_cast(DType::i8, DType::u8));
  EXPECT_FALSE(can_cast(DType::f64, DType::f32));
  EXPECT_FALSE(can_cast(DType::f32, DType::i64));
}

TEST(Promotion, KnowsTheNumbersOfDtypes) {
  for (const DType dtype : {DType::f32, DType::f64, DType::f16, DType::bf16}) {
    const FloatInfo info = finfo(dtype);
    EXPECT_EQ(info.bits, testing::bits_of(dtype));
    const auto exact = [&](long double x) { return testing::rounded_to(dtype, x) == x; };
    EXPECT_TRUE(exact(1.0L + info.eps) && !exact(1.0L + info.eps / 2)) << name_of(dtype);
    EXPECT_TRUE(exact(info.max) && std::isinf(testing::rounded_to(dtype, info.max * (1.0L + info.eps / 2))));
    EXPECT_EQ(info.min, -info.max);
    EXPECT_TRUE(exact(info.smallest_subnormal) && !exact(info.smallest_subnormal / 2.0L));
    EXPECT_EQ(info.smallest_normal * info.eps, info.smallest_subnormal);
  }
  EXPECT_EQ(finfo(DType::c64).dtype, DType::f32);
  EXPECT_EQ(finfo(DType::c128).bits, 64);
  for (const DType dtype : kIntegers) {
    const IntegerInfo info = iinfo(dtype);
    EXPECT_EQ(info.bits, testing::bits_of(dtype));
    EXPECT_EQ(static_cast<long double>(info.min), testing::least_of(dtype));
    EXPECT_EQ(static_cast<long double>(info.max), testing::greatest_of(dtype));
  }
  EXPECT_TRUE(fails_with("[finfo] expected a float or complex dtype, got i32", [] { finfo(DType::i32); }));
  EXPECT_TRUE(fails_with("[iinfo] expected an integer dtype, got bool", [] { iinfo(DType::boolean); }));
}

}  // namespace
}  // namespace tern
