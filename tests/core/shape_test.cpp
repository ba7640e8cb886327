// SPDX-License-Identifier: Apache-2.0
#include "tern/shape.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "support/fails_with.h"

namespace tern {
namespace {

using testing::fails_with;

TEST(Shape, CountsElements) {
  EXPECT_EQ(Shape{}.numel(), 1);
  EXPECT_EQ((Shape{7}).numel(), 7);
  EXPECT_EQ((Shape{3, 0, 5}).numel(), 0);
  EXPECT_EQ((Shape{2, 3, 5, 7}).numel(), 210);
}

TEST(Shape, IsAValue) {
  const Shape a{2, 3};
  Shape b = a;
  b[0] = 5;
  EXPECT_EQ(a, (Shape{2, 3}));
  EXPECT_NE(a, b);
  EXPECT_NE(a, (Shape{2, 3, 1}));
  EXPECT_NE((Shape{2}), (Shape{}));
  EXPECT_EQ(a.back(), 3);
  EXPECT_EQ(a.back(1), 2);
}

TEST(Shape, InsertsAndErases) {
  Shape s;
  s.push_back(5);
  s.insert(0, 2);
  s.insert(1, 3);
  s.insert(3, 7);
  EXPECT_EQ(s, (Shape{2, 3, 5, 7}));
  s.erase(0);
  s.erase(2);
  s.erase(0);
  EXPECT_EQ(s, (Shape{5}));
  s.erase(0);
  EXPECT_EQ(s, Shape{});
}

TEST(Shape, HasAtMost32Axes) {
  std::vector<int64_t> numbers(33);
  std::iota(numbers.begin(), numbers.end(), 1);
  EXPECT_TRUE(fails_with("at most 32 axes, got 33", [&] { Shape{std::span<const int64_t>(numbers)}; }));
  numbers.pop_back();
  Shape shape{std::span<const int64_t>(numbers)};
  EXPECT_TRUE(fails_with("at most 32 axes, got 33", [&] { shape.push_back(33); }));
  EXPECT_TRUE(std::equal(shape.begin(), shape.end(), numbers.begin(), numbers.end()));
  Shape other{7};
  other = shape;
  EXPECT_EQ(other, shape);
  EXPECT_EQ(Shape(other), shape);
  other.erase(0);
  EXPECT_EQ(other.rank(), 31);
  EXPECT_EQ(other[30], 32);
}

TEST(Shape, ContiguousStrides) {
  EXPECT_EQ(contiguous_strides({2, 3, 5}), (Shape{15, 5, 1}));
  EXPECT_EQ(contiguous_strides({}), (Shape{}));
  EXPECT_EQ(contiguous_strides({4}), (Shape{1}));
}

TEST(Shape, Broadcasts) {
  EXPECT_EQ(broadcast_shapes("op", {2, 1, 5}, {3, 1}), (Shape{2, 3, 5}));
  EXPECT_EQ(broadcast_shapes("op", {}, {3}), (Shape{3}));
  EXPECT_EQ(broadcast_shapes("op", {1}, {0}), (Shape{0}));
  EXPECT_EQ(broadcast_shapes("op", {4, 0}, {1, 1}), (Shape{4, 0}));
  EXPECT_TRUE(fails_with("[op] expected shapes that broadcast, got [2, 3] and [2]", [] {
    broadcast_shapes("op", {2, 3}, {2});
  }));
  EXPECT_TRUE(fails_with("[op]", [] { broadcast_shapes("op", {0}, {2}); }));
}

TEST(Shape, IsPrinted) {
  EXPECT_EQ(to_string(Shape{}), "[]");
  EXPECT_EQ(to_string(Shape{-2, 0, 13}), "[-2, 0, 13]");
}

TEST(Shape, NormalizesAxes) {
  EXPECT_EQ(normalize_axis("op", -1, 3), 2);
  EXPECT_EQ(normalize_axis("op", -3, 3), 0);
  EXPECT_EQ(normalize_axis("op", 2, 3), 2);
  EXPECT_TRUE(fails_with("[op] expected an axis in [-3, 3), got 3", [] { normalize_axis("op", 3, 3); }));
  EXPECT_TRUE(fails_with("got -4", [] { normalize_axis("op", -4, 3); }));
  EXPECT_TRUE(fails_with("got 0", [] { normalize_axis("op", 0, 0); }));
}

}  // namespace
}  // namespace tern
