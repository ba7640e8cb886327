// SPDX-License-Identifier: Apache-2.0
// More axes than kernels loop over: ops merge them, and say so where they cannot.
#include <gtest/gtest.h>

#include <numeric>

#include "support/fails_with.h"
#include "support/test_device.h"
#include "tern/autograd.h"
#include "tern/creation.h"
#include "tern/elementwise.h"
#include "tern/indexing.h"
#include "tern/manipulation.h"
#include "tern/reductions.h"
#include "tern/sorting.h"

namespace tern {
namespace {

using testing::fails_with;
using Axes = std::vector<int>;

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

Shape of_twos(int rank) {
  Shape shape;
  for (int axis = 0; axis < rank; ++axis) shape.push_back(2);
  return shape;
}

// 0 … 2^rank - 1, whose bits are their indices, the first axis the highest.
Tensor numbered(int rank, DType dtype = DType::i64) {
  return reshape(arange(0, int64_t{1} << rank, 1, dtype, cpu()), of_twos(rank));
}

std::vector<int64_t> values(const Tensor& x) { return cast(x, DType::i64).to_vector<int64_t>(); }

TEST(ManyAxes, AreViews) {
  Shape shape;
  for (int axis = 0; axis < kMaxRank; ++axis) shape.push_back(axis % 11 == 0 ? 3 : 1);
  const Tensor x = reshape(arange(0, 27, 1, DType::i64, cpu()), shape);
  EXPECT_EQ(values(contiguous(flip(x, Axes{11}))), values(flip(reshape(x, {3, 3, 3}), Axes{1})));
  EXPECT_EQ(values(transpose(moveaxis(x, Axes{0}, Axes{-2}))).size(), 27U);
  EXPECT_EQ(squeeze(x, Axes{1}).rank(), kMaxRank - 1);
  EXPECT_TRUE(fails_with("at most 32 axes, got 33", [&] { unsqueeze(x, 0); }));
}

TEST(ManyAxes, MergeInOps) {
  const Tensor x = numbered(12);
  EXPECT_EQ(values(add(x, flip(x))), std::vector<int64_t>(4096, 4095));
  EXPECT_EQ(values(add(x, select(x, 0, 0)))[4095], 4095 + 2047);
  EXPECT_EQ(values(sum(x)), (std::vector<int64_t>{4095 * 2048}));
  EXPECT_EQ(values(sum(x, Axes{3}, false))[0], 256);
  EXPECT_EQ(values(prod(x, Axes{-1}))[1], 2 * 3);
  EXPECT_EQ(values(argmax(x, 4)), std::vector<int64_t>(2048, 1));
  EXPECT_EQ(values(cumulative_sum(x, 0))[4095], 2047 + 4095);
  EXPECT_EQ(values(sort(flip(x), 11))[1], 4095);
  EXPECT_EQ(values(swapaxes(x, 0, 11))[1], 2048);
  EXPECT_EQ(values(take(x, Tensor::from<int64_t>({1}, {1}, cpu()), 6))[0], 32);
  Shape none = of_twos(12);
  none[5] = 0;
  const Tensor empty = Tensor::zeros(none, DType::f32, cpu());
  EXPECT_EQ(add(empty, empty).shape(), empty.shape());
}

TEST(ManyAxes, HaveGradients) {
  Tensor x = numbered(12, DType::f32);
  x.set_requires_grad();
  backward(sum(mul(x, x)));
  EXPECT_EQ(values(x.grad())[4095], 2 * 4095);
}

TEST(ManyAxes, AreRefusedWhereTheyDoNotMerge) {
  const Tensor x = numbered(9);
  Axes reversed(9);
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  EXPECT_TRUE(
      fails_with("[shape] expected at most 8 axes that do not merge into fewer, got [2, 2, 2, 2, 2, 2, 2, 2, 2]",
                 [&] { contiguous(permute(x, reversed)); }));
}

}  // namespace
}  // namespace tern
