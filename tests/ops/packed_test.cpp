// SPDX-License-Identifier: Apache-2.0
// Packed tensors: conversions from and to every dtype and each other, against bit loops.
#include "tern/packed.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "support/awkward_elements.h"
#include "support/devices_under_test.h"
#include "support/exact_number.h"
#include "support/fails_with.h"
#include "support/reference_packed.h"

namespace tern {
namespace {

using testing::Bytes;
using testing::cycling_values;
using testing::devices_under_test;
using testing::fails_with;
using testing::has_threads;
using testing::kPackedFacts;
using testing::PackedFacts;

// Lengths of rows about the groups of all types, a word, a vector and a block of the kernels.
constexpr int64_t kLengths[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,   10,  11,  13,  15,
                                16, 17, 23, 31, 32, 33, 63, 64, 65, 127, 128, 129, 191, 257};
constexpr int64_t kLongLengths[] = {2559, 2560, 2561, 5119, 5121, 12007};

std::vector<DType> real_dtypes() {
  std::vector<DType> out;
  for (const DType dtype : testing::all_dtypes()) {
    if (!is_complex(dtype)) out.push_back(dtype);
  }
  return out;
}

// Whether an element of the dtype can be this value.
bool can_be(DType dtype, int value) {
  if (dtype == DType::boolean) return value == 0 || value == 1;
  return value >= 0 || !is_unsigned_integer(dtype);
}

Tensor tensor_of(const std::vector<int>& values, const Shape& shape, DType dtype, const Device& device) {
  Bytes bytes(values.size() * size_of(dtype));
  for (size_t i = 0; i < values.size(); ++i) testing::put(dtype, bytes, i, {static_cast<testing::Real>(values[i])});
  return Tensor::from_bytes(std::as_bytes(std::span(bytes)), shape, dtype, device);
}

Bytes bytes_of(const Tensor& x) {
  Bytes out(static_cast<size_t>(x.numel()) * size_of(x.dtype()));
  x.copy_to_host(std::as_writable_bytes(std::span(out)));
  return out;
}

void expect_values(const Tensor& x, const std::vector<int>& values) {
  const Bytes bytes = bytes_of(x);
  ASSERT_EQ(static_cast<size_t>(x.numel()), values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const testing::Number expected = testing::converted(DType::i8, {static_cast<testing::Real>(values[i])}, x.dtype());
    ASSERT_TRUE(testing::same(testing::number_at(x.dtype(), bytes, i), expected))
        << name_of(x.dtype()) << " element " << i;
  }
}

void check_both_ways(const PackedFacts& facts, int64_t length, DType dtype, const Device& device) {
  SCOPED_TRACE(::testing::Message() << facts.name << " of " << length << " " << name_of(dtype) << " on "
                                    << device.description());
  constexpr int64_t kRows = 3;
  std::vector<int> values = cycling_values(facts, static_cast<size_t>(kRows * length), static_cast<unsigned>(length));
  for (int& value : values) value = can_be(dtype, value) ? value : 1;
  const PackedTensor packed = pack(tensor_of(values, {kRows, length}, dtype, device), facts.type);
  EXPECT_EQ(packed.shape(), (Shape{kRows, length}));
  EXPECT_EQ(packed.type(), facts.type);
  ASSERT_EQ(bytes_of(packed.bytes()), testing::reference_pack(facts, values, static_cast<size_t>(length)));
  const Tensor back = unpack(packed, dtype);
  EXPECT_EQ(back.shape(), packed.shape());
  expect_values(back, values);
}

TEST(PackedTypes, AreAsTheyAreSaidToBe) {
  ASSERT_EQ(static_cast<int>(kPackedFacts.size()), kPackedTypeCount);
  for (const PackedFacts& facts : kPackedFacts) {
    EXPECT_EQ(name_of(facts.type), facts.name);
    EXPECT_EQ(packed_type_from_name(facts.name), facts.type);
    EXPECT_EQ(least_of(facts.type), facts.least);
    EXPECT_EQ(greatest_of(facts.type), facts.greatest);
    EXPECT_EQ(bits_per_value(facts.type), facts.bits == 0 ? 1.6 : facts.bits);
    for (int64_t n = 0; n < 100; ++n) {
      EXPECT_EQ(packed_row_bytes(facts.type, n),
                static_cast<int64_t>(testing::reference_row_bytes(facts, static_cast<size_t>(n))));
    }
  }
  EXPECT_TRUE(fails_with("expected one of ternary, ternary2, sign1, i2", [] { packed_type_from_name("i1"); }));
}

TEST(Packed, EveryTypeLengthAndDTypeBothWays) {
  for (const Device& device : devices_under_test()) {
    for (const PackedFacts& facts : kPackedFacts) {
      for (const DType dtype : real_dtypes()) {
        if (!has_threads(device, 1)) continue;  // short rows are one range
        for (const int64_t length : kLengths) check_both_ways(facts, length, dtype, device);
      }
      for (const int64_t length : kLongLengths) check_both_ways(facts, length, DType::i8, device);
      for (const int64_t length : kLongLengths) check_both_ways(facts, length, DType::f32, device);
    }
  }
}

TEST(Packed, UnpackConvertsAsCastDoes) {
  const Device& device = devices_under_test().back();
  for (const PackedFacts& facts : kPackedFacts) {
    const std::vector<int> values = cycling_values(facts, 1000, 7);
    const PackedTensor packed = pack(tensor_of(values, {10, 100}, DType::i8, device), facts.type);
    for (const DType dtype : real_dtypes()) {
      const Tensor direct = unpack(packed, dtype);
      expect_values(direct, values);
      EXPECT_EQ(bytes_of(direct), bytes_of(cast(unpack(packed), dtype)));
    }
  }
}

TEST(Packed, EveryPairOfTypes) {
  for (const Device& device : devices_under_test()) {
    if (!has_threads(device, 1) && !has_threads(device, 3)) continue;
    for (const PackedFacts& from : kPackedFacts) {
      for (const PackedFacts& to : kPackedFacts) {
        for (const int64_t length : {1, 7, 40, 65, 2561}) {
          const std::vector<int> values = cycling_values(from, static_cast<size_t>(2 * length), 3);
          const PackedTensor x = pack(tensor_of(values, {2, length}, DType::i8, device), from.type);
          std::vector<int> expected;
          bool fits = true;
          for (const int value : values) {
            expected.push_back(testing::reference_saturated(to, value));
            fits &= testing::holds(to, value);
          }
          const PackedTensor y = repack(x, to.type, Overflow::saturate);
          ASSERT_EQ(y.type(), to.type);
          // x itself, or the saturated values.
          ASSERT_EQ(bytes_of(y.bytes()), testing::reference_pack(to, expected, static_cast<size_t>(length)))
              << from.name << " to " << to.name << ", " << length;
          if (fits) {
            EXPECT_EQ(repack(x, to.type), y);
          } else {
            EXPECT_TRUE(fails_with("[repack] expected numbers that round to values of", [&] { repack(x, to.type); }));
          }
        }
      }
    }
  }
}

// Every eighth about all ranges, in which ties are.
TEST(Packed, RoundsToNearestEvenAndRefusesWhatDoesNotFit) {
  const Device& device = devices_under_test().back();
  for (const DType dtype : {DType::f32, DType::f64, DType::f16, DType::bf16}) {
    std::vector<testing::Real> numbers;
    // bf16 has eight bits: eighths up to 32, and halves to 128.
    const testing::Real step = 0.125L;
    for (testing::Real x = -140; x <= 140; x += step) {
      if (testing::same(testing::rounded_to(dtype, x), x)) numbers.push_back(x);
    }
    numbers.push_back(-0.0L);
    for (const PackedFacts& facts : kPackedFacts) {
      Bytes all(numbers.size() * size_of(dtype));
      std::vector<int> saturated;
      for (size_t i = 0; i < numbers.size(); ++i) {
        testing::put(dtype, all, i, {numbers[i]});
        saturated.push_back(testing::reference_saturated(facts, numbers[i]));
        const Tensor one = Tensor::from_bytes(std::as_bytes(std::span(all)).subspan(i * size_of(dtype), size_of(dtype)),
                                              {}, dtype, device);
        const testing::Real near = std::nearbyint(numbers[i]);
        if (testing::holds(facts, near)) {
          ASSERT_EQ(unpack(pack(one, facts.type), DType::i32).item(), static_cast<double>(near)) << facts.name;
        } else {
          ASSERT_TRUE(fails_with("[pack] expected numbers that round to", [&] { pack(one, facts.type); }))
              << facts.name << " of " << numbers[i];
        }
      }
      const Tensor x =
          Tensor::from_bytes(std::as_bytes(std::span(all)), {static_cast<int64_t>(numbers.size())}, dtype, device);
      expect_values(unpack(pack(x, facts.type, Overflow::saturate), DType::i32), saturated);
    }
  }
}

TEST(Packed, SaturatesAwkwardNumbersOfEveryDType) {
  constexpr int64_t kCount = 5003;
  for (const Device& device : devices_under_test()) {
    if (!has_threads(device, 2)) continue;
    for (const DType dtype : real_dtypes()) {
      Bytes elements = testing::awkward_elements(dtype, kCount, 5);
      std::vector<testing::Real> numbers;
      for (size_t i = 0; i < kCount; ++i) {
        testing::Real number = testing::number_at(dtype, elements, i).re;
        if (std::isnan(number)) testing::put(dtype, elements, i, {number = 1});
        numbers.push_back(number);
      }
      const Tensor x = Tensor::from_bytes(std::as_bytes(std::span(elements)), {kCount}, dtype, device);
      for (const PackedFacts& facts : kPackedFacts) {
        std::vector<int> expected;
        for (const testing::Real number : numbers) expected.push_back(testing::reference_saturated(facts, number));
        SCOPED_TRACE(::testing::Message() << facts.name << " of " << name_of(dtype));
        expect_values(unpack(pack(x, facts.type, Overflow::saturate)), expected);
      }
    }
  }
}

TEST(Packed, NamesTheFirstNumberThatDoesNotFit) {
  for (const Device& device : devices_under_test()) {
    for (const int64_t cols : {7, 3001}) {
      std::vector<float> values(static_cast<size_t>(40 * cols), 1.0f);
      values[static_cast<size_t>(31 * cols + cols - 1)] = -9.0f;
      values[static_cast<size_t>(11 * cols + 5)] = 2.5f;
      values[static_cast<size_t>(11 * cols + 6)] = 7.0f;
      const Tensor x = Tensor::from(values, {4, 10, cols}, device);
      EXPECT_TRUE(fails_with("[pack] expected numbers that round to values of ternary, -1 to 1, got 2.5 at [1, 1, 5]",
                             [&] { pack(x, PackedType::ternary); }));
      EXPECT_TRUE(fails_with("values of i4, -8 to 7, got -9 at [3, 1, ", [&] { pack(x, PackedType::i4); }));
      EXPECT_TRUE(fails_with("values of sign1, -1 and 1, got 2.5 at [1, 1, 5]", [&] { pack(x, PackedType::sign1); }));
      const PackedTensor wide = pack(x, PackedType::i5);
      EXPECT_TRUE(fails_with("[repack] expected numbers that round to values of i3, -4 to 3, got 7 at [1, 1, 6]",
                             [&] { repack(wide, PackedType::i3); }));
    }
  }
}

TEST(Packed, NoTypeHoldsNaN) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Device& device : devices_under_test()) {
    const Tensor x = Tensor::from({1.0f, nan, 1.0f}, {3}, device);
    for (const DType dtype : {DType::f32, DType::f64, DType::f16, DType::bf16}) {
      for (const PackedFacts& facts : kPackedFacts) {
        for (const Overflow overflow : {Overflow::refuse, Overflow::saturate}) {
          EXPECT_TRUE(fails_with("got nan at [1]", [&] { pack(cast(x, dtype), facts.type, overflow); }));
        }
      }
    }
  }
}

// Integers whose low bits are those of values.
TEST(Packed, LargeIntegersAreNamedInFull) {
  const Device& device = devices_under_test().back();
  EXPECT_TRUE(fails_with("got 9223372036854775807 at [0]", [&] {
    pack(Tensor::from({std::numeric_limits<int64_t>::max()}, {1}, device), PackedType::i7);
  }));
  EXPECT_TRUE(fails_with("got 18446744073709551615 at [0]", [&] {
    pack(Tensor::from({std::numeric_limits<uint64_t>::max()}, {1}, device), PackedType::i7);
  }));
  EXPECT_TRUE(fails_with("got -4294967296 at [0]",
                         [&] { pack(Tensor::from({int64_t{-4294967296}}, {1}, device), PackedType::ternary); }));
  EXPECT_TRUE(fails_with("got 256 at [0]", [&] { pack(Tensor::from({int16_t{256}}, {1}, device), PackedType::u1); }));
}

TEST(Packed, TakesAnyView) {
  for (const Device& device : devices_under_test()) {
    const std::vector<int> values = cycling_values(kPackedFacts[5], 6 * 7 * 11, 1);
    const Tensor x = tensor_of(values, {6, 7, 11}, DType::f32, device);
    const Tensor views[] = {transpose(x),
                            transpose(x, 0, 1),
                            slice(x, 2, 11, -12, -1),
                            slice(x, 1, 5, 0, -2),
                            slice(x, 2, 1, 11, 3),
                            expand(slice(x, 1, 2, 3), {6, 9, 11}),
                            expand(slice(x, 2, 2, 3), {6, 7, 13}),
                            select(select(x, 0, 2), 0, 3),
                            select(x, 2, 4),
                            slice(x, 0, 3, 3),
                            select(select(select(x, 0, 5), 0, 6), 0, 10),
                            reshape(x, {1, 6, 1, 7, 1, 11, 1, 1})};
    for (const Tensor& view : views) {
      const Tensor whole = clone(view);
      const PackedTensor packed = pack(view, PackedType::i4);
      EXPECT_EQ(packed.shape(), view.shape());
      EXPECT_EQ(packed, pack(whole, PackedType::i4));
      EXPECT_EQ(unpack(packed, DType::f32).to_vector<float>(), whole.to_vector<float>());
    }
  }
}

TEST(Packed, NothingAndOneValue) {
  const Device& device = devices_under_test().back();
  for (const PackedFacts& facts : kPackedFacts) {
    for (const Shape& shape : {Shape{0}, Shape{3, 0}, Shape{0, 5}, Shape{2, 0, 5}}) {
      const PackedTensor packed = pack(Tensor::empty(shape, DType::f32, device), facts.type);
      EXPECT_EQ(packed.shape(), shape);
      EXPECT_EQ(packed.bytes().numel(), 0);
      EXPECT_EQ(unpack(packed, DType::f64).shape(), shape);
      EXPECT_EQ(repack(packed, PackedType::u7).shape(), shape);
    }
    const PackedTensor one = pack(Tensor::full({}, 1, DType::i64, device), facts.type);
    EXPECT_EQ(one.shape(), Shape{});
    EXPECT_EQ(one.bytes().shape(), Shape{1});
    EXPECT_EQ(unpack(one).item(), 1.0);
    EXPECT_EQ(repack(one, PackedType::u7).shape(), Shape{});
  }
}

TEST(Packed, RefusesWhatIsNoNumber) {
  const Device& device = devices_under_test().back();
  const Tensor z = Tensor::zeros({2}, DType::c64, device);
  EXPECT_TRUE(fails_with("[pack] expected a real dtype or bool, got c64", [&] { pack(z, PackedType::i4); }));
  EXPECT_TRUE(fails_with("[pack] expected values to be defined", [&] { pack(Tensor(), PackedType::i4); }));
  const PackedTensor x = pack(Tensor::zeros({2}, DType::f32, device), PackedType::i4);
  EXPECT_TRUE(fails_with("[unpack] expected a real dtype or bool, got c128", [&] { unpack(x, DType::c128); }));
  EXPECT_TRUE(fails_with("[unpack] expected x to be defined", [&] { unpack(PackedTensor()); }));
  EXPECT_TRUE(fails_with("[repack] expected x to be defined", [&] { repack(PackedTensor(), PackedType::u1); }));
}

}  // namespace
}  // namespace tern
