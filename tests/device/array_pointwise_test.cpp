// SPDX-License-Identifier: Apache-2.0
// The array table's functions give the same bits under every instruction set, number of threads and layout. What they
// are worth, tests/ops/elementwise_test.cpp asks.
#include <gtest/gtest.h>

#include <string>

#include "support/awkward_elements.h"
#include "support/strided.h"

namespace tern {
namespace {

using testing::Axes;
using testing::Bytes;
using testing::dims;
using testing::number_at;
using testing::offset_of;
using testing::same;

constexpr int kUnaryCount = static_cast<int>(ArrayUnaryOp::logical_not) + 1;
constexpr int kBinaryCount = static_cast<int>(ArrayBinaryOp::logical_xor) + 1;

bool between(ArrayUnaryOp op, ArrayUnaryOp first, ArrayUnaryOp last) { return op >= first && op <= last; }
bool between(ArrayBinaryOp op, ArrayBinaryOp first, ArrayBinaryOp last) { return op >= first && op <= last; }

// Whether the table has a function in a dtype (ops/elementwise_….cpp ask for no others).
bool works(ArrayUnaryOp op, DType dtype) {
  using O = ArrayUnaryOp;
  if (dtype == DType::f16 || dtype == DType::bf16) return false;
  if (dtype == DType::boolean) return op == O::bitwise_invert || op == O::logical_not;
  if (is_integer(dtype)) {
    return between(op, O::negative, O::square) || op == O::sign || op == O::bitwise_invert || op == O::logical_not;
  }
  if (op == O::bitwise_invert) return false;
  return is_complex(dtype) ? !between(op, O::floor, O::trunc) && op != O::signbit : op != O::conj;
}

bool works(ArrayBinaryOp op, DType dtype) {
  using O = ArrayBinaryOp;
  const bool bitwise = between(op, O::bitwise_and, O::bitwise_xor), relation = op >= O::equal;
  if (dtype == DType::f16 || dtype == DType::bf16) return op == O::nextafter;
  if (dtype == DType::boolean) return bitwise || relation;
  if (is_integer(dtype)) return !between(op, O::copysign, O::copysign) && !between(op, O::atan2, O::nextafter);
  if (is_complex(dtype)) {
    return between(op, O::add, O::divide) || op == O::pow || (relation && op != O::less && op != O::less_equal);
  }
  return !between(op, O::bitwise_and, O::right_shift);
}

DType result_of(ArrayUnaryOp op, DType dtype) {
  if (op >= ArrayUnaryOp::isfinite) return DType::boolean;
  if (op != ArrayUnaryOp::absolute || !is_complex(dtype)) return dtype;
  return dtype == DType::c64 ? DType::f32 : DType::f64;
}

// The first of what run(device) gives, with which all others must agree, any NaN with any.
template <class Run>
void expect_same(DType dtype, const Run& run) {
  const Bytes first = run(testing::cpus().front());
  for (const Device& device : testing::cpus()) {
    const Bytes other = run(device);
    ASSERT_EQ(first.size(), other.size());
    for (size_t i = 0; i < first.size() / size_of(dtype); ++i) {
      ASSERT_TRUE(same(number_at(dtype, first, i), number_at(dtype, other, i)))
          << device.description() << ", element " << i;
    }
  }
}

constexpr int64_t kSizes[] = {0, 1, 63, 65, 5003, 40009};

TEST(ArrayPointwise, UnaryIsTheSameEverywhere) {
  for (int i = 0; i < kUnaryCount; ++i) {
    const auto op = static_cast<ArrayUnaryOp>(i);
    for (const DType dtype : testing::all_dtypes()) {
      if (!works(op, dtype)) continue;
      SCOPED_TRACE("op " + std::to_string(i) + " of " + std::string(name_of(dtype)));
      const DType result = result_of(op, dtype);
      for (const int64_t size : kSizes) {
        const Bytes x = testing::awkward_elements(dtype, size, 21);
        expect_same(result, [&](const Device& device) {
          Bytes y(static_cast<size_t>(size) * size_of(result));
          testing::run_array_kernel(device, &ArrayPointwiseKernels::array_unary,
                                    {op, dtype, dims({size}), x.data(), dtype, dims({1}), y.data(), result, dims({1})});
          return y;
        });
      }
    }
  }
}

TEST(ArrayPointwise, BinaryIsTheSameEverywhere) {
  for (int i = 0; i < kBinaryCount; ++i) {
    const auto op = static_cast<ArrayBinaryOp>(i);
    for (const DType dtype : testing::all_dtypes()) {
      if (!works(op, dtype)) continue;
      SCOPED_TRACE("op " + std::to_string(i) + " of " + std::string(name_of(dtype)));
      const DType result = op >= ArrayBinaryOp::equal ? DType::boolean : dtype;
      for (const int64_t size : kSizes) {
        const Bytes a = testing::awkward_elements(dtype, size, 22), b = testing::awkward_elements(dtype, size, 23);
        expect_same(result, [&](const Device& device) {
          Bytes y(static_cast<size_t>(size) * size_of(result));
          testing::run_array_kernel(device, &ArrayPointwiseKernels::array_binary,
                                    {op, dtype, dims({size}), a.data(), dtype, dims({1}), b.data(), dtype, dims({1}),
                                     y.data(), result, dims({1})});
          return y;
        });
      }
    }
  }
}

// Operands of any strides and dtypes, results in the place of one: what a walk by hand gives.
TEST(ArrayPointwise, LayoutsAndDtypesAreWalked) {
  struct Layout {
    Axes shape, a, b, y;
  };
  const Layout layouts[] = {
      {{3, 1500}, {1500, 1}, {0, 1}, {1500, 1}},
      {{1500, 3}, {3, 1}, {0, 1}, {3, 1}},
      {{700, 5}, {5, 1}, {1, 0}, {1, 700}},
      {{5, 700}, {1, 5}, {1400, 2}, {701, 1}},
      {{4, 3, 70}, {1, 4, 12}, {0, 70, 1}, {210, 70, 1}},
      {{2000}, {0}, {1}, {3}},
      {{2, 1030}, {2000, 1}, {0, 0}, {1030, 1}},
  };
  for (const DType first : {DType::f64, DType::i16, DType::bf16}) {
    for (const DType second : {DType::f64, DType::u8}) {
      for (const DType result : {DType::f64, DType::f32}) {
        for (const Layout& l : layouts) {
          const Bytes a = testing::awkward_elements(first, testing::span_of(l.shape, l.a), 24);
          const Bytes b = testing::awkward_elements(second, testing::span_of(l.shape, l.b), 25);
          for (const Device& device : testing::cpus()) {
            Bytes y(static_cast<size_t>(testing::span_of(l.shape, l.y)) * size_of(result));
            testing::run_array_kernel(device, &ArrayPointwiseKernels::array_binary,
                                      {ArrayBinaryOp::add, DType::f64, dims(l.shape), a.data(), first, dims(l.a),
                                       b.data(), second, dims(l.b), y.data(), result, dims(l.y)});
            for (int64_t i = 0; i < testing::count_of(l.shape); ++i) {
              const auto p = static_cast<double>(number_at(first, a, offset_of(l.shape, l.a, i)).re);
              const auto q = static_cast<double>(number_at(second, b, offset_of(l.shape, l.b, i)).re);
              const testing::Real got = number_at(result, y, offset_of(l.shape, l.y, i)).re;
              ASSERT_TRUE(testing::same(got, testing::rounded_to(result, p + q))) << device.description() << " " << i;
            }
          }
        }
      }
    }
  }
}

TEST(ArrayPointwise, InPlaceOfAnInput) {
  for (const DType dtype : {DType::f32, DType::i8, DType::c128}) {
    for (const int64_t size : {1, 17, 3001, 40009}) {
      const Bytes a = testing::awkward_elements(dtype, size, 26), b = testing::awkward_elements(dtype, size, 27);
      for (const Device& device : testing::cpus()) {
        const auto sum = [&](const Bytes& left, const Bytes& right, Bytes& y) {
          testing::run_array_kernel(device, &ArrayPointwiseKernels::array_binary,
                                    {ArrayBinaryOp::add, dtype, dims({size}), left.data(), dtype, dims({1}),
                                     right.data(), dtype, dims({1}), y.data(), dtype, dims({1})});
        };
        Bytes apart(a.size()), left = a, right = b;
        sum(a, b, apart);
        sum(left, b, left);
        sum(a, right, right);
        for (size_t i = 0; i < static_cast<size_t>(size); ++i) {
          ASSERT_TRUE(same(number_at(dtype, left, i), number_at(dtype, apart, i)));
          ASSERT_TRUE(same(number_at(dtype, right, i), number_at(dtype, apart, i)));
        }
      }
    }
  }
}

TEST(ArrayPointwise, ChoosesElementsOfEverySize) {
  for (const DType dtype : testing::all_dtypes()) {
    for (const int64_t size : {0, 1, 65, 9001}) {
      const Bytes a = testing::awkward_elements(dtype, size, 28), b = testing::awkward_elements(dtype, size, 29);
      const Bytes condition = testing::awkward_elements(DType::boolean, size, 30);
      for (const Device& device : testing::cpus()) {
        for (const int64_t stride : {1, 0}) {  // of b
          Bytes y(a.size());
          testing::run_array_kernel(device, &ArrayPointwiseKernels::array_select,
                                    {dtype,
                                     dims({size}),
                                     {condition.data(), dims({1})},
                                     {a.data(), dims({1})},
                                     {b.data(), dims({stride})},
                                     y.data(),
                                     dims({1})});
          for (size_t i = 0; i < static_cast<size_t>(size); ++i) {
            const auto expected = condition[i] ? number_at(dtype, a, i) : number_at(dtype, b, stride ? i : 0);
            ASSERT_TRUE(same(number_at(dtype, y, i), expected)) << name_of(dtype) << " " << i;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace tern
