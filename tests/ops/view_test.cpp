// SPDX-License-Identifier: Apache-2.0
// Which ops share memory, and what slices and assignments mean; their values are judged in tests/conformance.
#include <gtest/gtest.h>

#include <limits>

#include "support/test_device.h"
#include "tern/ops.h"

namespace tern {
namespace {

using Floats = std::vector<float>;

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

Tensor iota(const Shape& shape) {
  Floats values;
  for (int64_t i = 0; i < shape.numel(); ++i) values.push_back(static_cast<float>(i));
  return Tensor::from(values, shape, cpu());
}

TEST(Reshape, IsAViewWhereStridesAllow) {
  const Tensor x = iota({4, 6});
  EXPECT_TRUE(reshape(x, {2, 2, 3, 2}).shares_storage_with(x));
  EXPECT_TRUE(reshape(x, {-1}).shares_storage_with(x));
  EXPECT_TRUE(reshape(slice(x, 0, 1, 3), {12}).shares_storage_with(x));
  EXPECT_TRUE(reshape(slice(x, 1, 0, 4), {4, 2, 2}).shares_storage_with(x));
  EXPECT_TRUE(reshape(slice(x, 0, 3, -10, -1), {2, 2, 6}).shares_storage_with(x));
  EXPECT_TRUE(reshape(expand(iota({1}), {4}), {2, 2}).strides() == (Shape{0, 0}));
  EXPECT_FALSE(reshape(transpose(x), {24}).shares_storage_with(x));
  EXPECT_FALSE(reshape(slice(x, 1, 0, 4), {16}).shares_storage_with(x));
  EXPECT_EQ(reshape(slice(x, 1, 0, 4), {2, 8}).to_vector<float>(),
            (Floats{0, 1, 2, 3, 6, 7, 8, 9, 12, 13, 14, 15, 18, 19, 20, 21}));
  EXPECT_TRUE(reshape(x, {4, 6}).shares_storage_with(x));
  EXPECT_EQ(reshape(iota({0, 3}), {5, 0}).shape(), (Shape{5, 0}));
  EXPECT_EQ(reshape(iota({0, 3}), {-1, 3}).shape(), (Shape{0, 3}));
}

TEST(Views, ShareAndCopiesDoNot) {
  const Tensor x = iota({2, 3});
  for (const Tensor& view : {transpose(x), slice(x, 0, 0, 1), select(x, 1, 1), unsqueeze(x, 0), expand(x, {4, 2, 3}),
                             contiguous(x), cast(x, DType::f32)}) {
    EXPECT_TRUE(view.shares_storage_with(x));
  }
  for (const Tensor& copy :
       {clone(x), contiguous(transpose(x)), cast(x, DType::f16), sum(x, std::vector<int>{0}), to_device(x, cpu())}) {
    EXPECT_FALSE(copy.shares_storage_with(x));
    EXPECT_TRUE(copy.is_contiguous());
  }
  // A sum that adds nothing is still a tensor of its own.
  EXPECT_FALSE(sum(iota({})).shares_storage_with(iota({})));
  const Tensor scalar = iota({});
  EXPECT_FALSE(sum(scalar).shares_storage_with(scalar));
}

// Python: list(range(n))[begin:end:step], for every small combination.
TEST(Slice, IsPythons) {
  for (int64_t n = 0; n <= 4; ++n) {
    for (int64_t begin = -6; begin <= 6; ++begin) {
      for (int64_t end = -6; end <= 6; ++end) {
        for (const int64_t step : {-3, -2, -1, 1, 2, 3}) {
          const auto clip = [&](int64_t bound) {
            if (bound < 0) bound += n;
            if (step > 0) return std::min(std::max(bound, int64_t{0}), n);
            return std::min(std::max(bound, int64_t{-1}), n - 1);
          };
          Floats expected;
          for (int64_t i = clip(begin); step > 0 ? i < clip(end) : i > clip(end); i += step)
            expected.push_back(static_cast<float>(i));
          EXPECT_EQ(slice(iota({n}), 0, begin, end, step).to_vector<float>(), expected)
              << n << " " << begin << " " << end << " " << step;
        }
      }
    }
  }
}

TEST(Slice, TakesExtremeBounds) {
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min(), kMost = std::numeric_limits<int64_t>::max();
  const Tensor x = iota({5});
  EXPECT_EQ(slice(x, 0, kLeast, kMost).numel(), 5);
  EXPECT_EQ(slice(x, 0, kMost, kLeast, -1).to_vector<float>(), (Floats{4, 3, 2, 1, 0}));
  EXPECT_EQ(slice(x, 0, 1, kMost, kMost).to_vector<float>(), (Floats{1}));
  EXPECT_EQ(slice(x, 0, 3, kLeast, kLeast).to_vector<float>(), (Floats{3}));
}

TEST(Assign, WritesThroughViews) {
  const Tensor x = Tensor::zeros({3, 4}, DType::f32, cpu());
  assign(slice(x, 1, 3, -5, -2), Tensor::from({1.0f, 2.0f}, {2}, cpu()));
  assign(select(x, 0, 1), Tensor::full({}, 9, DType::f32, cpu()));
  EXPECT_EQ(x.to_vector<float>(), (Floats{0, 2, 0, 1, 9, 9, 9, 9, 0, 2, 0, 1}));
}

TEST(Assign, Converts) {
  const Tensor x = Tensor::zeros({3}, DType::i8, cpu());
  assign(x, Tensor::from({1.9f, -1.9f, 1e9f}, {3}, cpu()));
  EXPECT_EQ(x.to_vector<int8_t>(), (std::vector<int8_t>{1, -1, 127}));
}

// Overlapping source and destination: as if the source had been copied first.
TEST(Assign, MayReadWhatItWrites) {
  const Tensor x = iota({5});
  assign(x, slice(x, 0, 4, -6, -1));
  EXPECT_EQ(x.to_vector<float>(), (Floats{4, 3, 2, 1, 0}));
  assign(slice(x, 0, 1, 5), slice(x, 0, 0, 4));
  EXPECT_EQ(x.to_vector<float>(), (Floats{4, 4, 3, 2, 1}));
}

TEST(ToDevice, CopiesAnyView) {
  const Device other = testing::test_device();
  const Tensor y = to_device(transpose(iota({2, 3})), other);
  EXPECT_TRUE(y.device() == other);
  EXPECT_EQ(y.to_vector<float>(), (Floats{0, 3, 1, 4, 2, 5}));
}

TEST(Concat, JoinsAnyDtype) {
  const std::vector<Tensor> parts = {Tensor::full({2, 1}, 1, DType::boolean, cpu()),
                                     Tensor::zeros({2, 2}, DType::boolean, cpu())};
  const Tensor y = concat(parts, -1);
  EXPECT_EQ(y.shape(), (Shape{2, 3}));
  EXPECT_EQ(cast(y, DType::i32).to_vector<int32_t>(), (std::vector<int32_t>{1, 0, 0, 1, 0, 0}));
}

}  // namespace
}  // namespace tern
