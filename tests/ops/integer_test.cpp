// SPDX-License-Identifier: Apache-2.0
// i32 and i64 arithmetic, comparisons and reductions.
#include <gtest/gtest.h>

#include <limits>

#include "support/fails_with.h"
#include "support/test_device.h"
#include "tern/ops.h"

namespace tern {
namespace {

using testing::fails_with;

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

template <class T>
class Integers : public ::testing::Test {
 protected:
  using Values = std::vector<T>;
  static Tensor vector(const Values& values) {
    return Tensor::from(values, {static_cast<int64_t>(values.size())}, cpu());
  }
  static Values values(const Tensor& x) { return x.to_vector<T>(); }
};

using Types = ::testing::Types<int32_t, int64_t>;
TYPED_TEST_SUITE(Integers, Types);

TYPED_TEST(Integers, Arithmetic) {
  const Tensor a = this->vector({7, -7, 0, 5}), b = this->vector({2, 2, -3, -5});
  EXPECT_EQ(this->values(a + b), (std::vector<TypeParam>{9, -5, -3, 0}));
  EXPECT_EQ(this->values(a - b), (std::vector<TypeParam>{5, -9, 3, 10}));
  EXPECT_EQ(this->values(a * b), (std::vector<TypeParam>{14, -14, 0, -25}));
  EXPECT_EQ(this->values(a / b), (std::vector<TypeParam>{3, -3, 0, -1}));
  EXPECT_EQ(this->values(minimum(a, b)), (std::vector<TypeParam>{2, -7, -3, -5}));
  EXPECT_EQ(this->values(maximum(a, b)), (std::vector<TypeParam>{7, 2, 0, 5}));
  EXPECT_EQ(this->values(neg(a)), (std::vector<TypeParam>{-7, 7, 0, -5}));
  EXPECT_EQ(this->values(abs(a)), (std::vector<TypeParam>{7, 7, 0, 5}));
  EXPECT_EQ(this->values(square(b)), (std::vector<TypeParam>{4, 4, 9, 25}));
  EXPECT_EQ(this->values(mul(a, -2.0)), (std::vector<TypeParam>{-14, 14, 0, -10}));
}

TYPED_TEST(Integers, DivisionByZeroIsAnError) {
  const Tensor a = this->vector({1, 2, 3});
  EXPECT_TRUE(fails_with("[div] expected b without zeros", [&] { div(a, this->vector({1, 0, 1})); }));
  EXPECT_NO_THROW(div(this->vector({}), this->vector({})));
}

TYPED_TEST(Integers, TheLeastNumberDividedByMinusOneWraps) {
  const TypeParam least = std::numeric_limits<TypeParam>::min();
  EXPECT_EQ(this->values(this->vector({least}) / this->vector({-1})), std::vector<TypeParam>{least});
}

TYPED_TEST(Integers, ComparisonsAndChoice) {
  const TypeParam big = std::numeric_limits<TypeParam>::max();
  const Tensor a = this->vector({1, big, -5}), b = this->vector({1, static_cast<TypeParam>(big - 1), 5});
  EXPECT_EQ(cast(equal(a, b), DType::i32).template to_vector<int32_t>(), (std::vector<int32_t>{1, 0, 0}));
  EXPECT_EQ(cast(greater(a, b), DType::i32).template to_vector<int32_t>(), (std::vector<int32_t>{0, 1, 0}));
  EXPECT_EQ(this->values(where(less_equal(a, b), a, b)),
            (std::vector<TypeParam>{1, static_cast<TypeParam>(big - 1), -5}));
}

TYPED_TEST(Integers, Reductions) {
  std::vector<TypeParam> numbers;
  for (TypeParam i = 0; i < 30; ++i) numbers.push_back(static_cast<TypeParam>((i * 7) % 30 - 10));
  const Tensor x = reshape(this->vector(numbers), {5, 6});
  EXPECT_EQ(sum(x).item(), 135);
  EXPECT_EQ(max(reshape(x, {-1}), 0).item(), 19);
  EXPECT_EQ(min(reshape(x, {-1}), 0).item(), -10);
  EXPECT_EQ(argmin(reshape(x, {-1}), 0).item(), 0);
  std::vector<TypeParam> columns(6), rows(5);
  for (size_t i = 0; i < 30; ++i) {
    columns[i % 6] = static_cast<TypeParam>(columns[i % 6] + numbers[i]);
    rows[i / 6] = static_cast<TypeParam>(rows[i / 6] + numbers[i]);
  }
  EXPECT_EQ(this->values(sum(x, std::vector<int>{0})), columns);
  EXPECT_EQ(this->values(sum(x, std::vector<int>{1})), rows);
  EXPECT_EQ(argmax(this->vector({3, 9, 9, 1}), 0).item(), 1);
}

TEST(Integer, SixtyFourBitsAreExact) {
  const int64_t big = (int64_t{1} << 53) + 1;
  const Tensor x = Tensor::from<int64_t>({big, 1}, {2}, cpu());
  EXPECT_EQ(sum(x).to_vector<int64_t>(), std::vector<int64_t>{big + 1});
  EXPECT_EQ(max(x, 0).to_vector<int64_t>(), std::vector<int64_t>{big});
  EXPECT_EQ(add(x, 1.0).to_vector<int64_t>(), (std::vector<int64_t>{big + 1, 2}));
}

}  // namespace
}  // namespace tern
