// SPDX-License-Identifier: Apache-2.0
#include "tern/creation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <limits>

#include "support/every_dtype.h"
#include "support/fails_with.h"
#include "support/gradient_check.h"
#include "support/test_device.h"
#include "tern/ops.h"

namespace tern {
namespace {

using testing::elements;
using testing::fails_with;
using testing::kEveryDType;
using Longs = std::vector<int64_t>;
using Doubles = std::vector<double>;

constexpr int64_t kLeast = std::numeric_limits<int64_t>::min(), kMost = std::numeric_limits<int64_t>::max();

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

TEST(Full, HoldsTheNumberExactlyInEveryElement) {
  for (const DType dtype : kEveryDType) {
    for (const Shape& shape : {Shape{}, Shape{0, 3}, Shape{1}, Shape{7, 9}, Shape{40001}}) {
      const Tensor y = full(shape, 1.5, dtype, cpu());
      ASSERT_EQ(y.shape(), shape);
      const auto bytes = Scalar(1.5).element(dtype, "test");
      for (const auto& element : elements(y)) {
        ASSERT_TRUE(std::equal(element.begin(), element.end(), bytes.begin())) << name_of(dtype);
      }
    }
    EXPECT_EQ(elements(ones({3}, dtype, cpu())), elements(full({3}, 1, dtype, cpu())));
    EXPECT_EQ(elements(zeros({3}, dtype, cpu())), elements(full({3}, 0, dtype, cpu())));
  }
  EXPECT_EQ(full({2}, kMost - 1, DType::i64, cpu()).to_vector<int64_t>(), (Longs{kMost - 1, kMost - 1}));
  EXPECT_EQ(full({1}, ~uint64_t{0} - 2, DType::u64, cpu()).to_vector<uint64_t>()[0], ~uint64_t{0} - 2);
  EXPECT_TRUE(fails_with("[full] expected a number that fits u8, got 256", [] { full({2}, 256, DType::u8, cpu()); }));
}

TEST(Like, TakesShapeAndDType) {
  const Tensor x = transpose(zeros({2, 3}, DType::i16, cpu()));
  EXPECT_EQ(zeros_like(x).dtype(), DType::i16);
  EXPECT_EQ(empty_like(x, DType::f64).dtype(), DType::f64);
  EXPECT_EQ(ones_like(x).to_vector<int16_t>(), (std::vector<int16_t>(6, 1)));
  EXPECT_EQ(full_like(x, 2.5, DType::f64).shape(), (Shape{3, 2}));
  EXPECT_TRUE(ones_like(x).is_contiguous());
}

TEST(Arange, CountsInIntegersExactly) {
  const auto longs = [](const Scalar& start, const Scalar& stop, const Scalar& step) {
    return arange(start, stop, step, DType::i64, cpu()).to_vector<int64_t>();
  };
  for (int64_t start = -5; start <= 5; ++start) {
    for (int64_t stop = -5; stop <= 5; ++stop) {
      for (const int64_t step : {-7, -3, -2, -1, 1, 2, 3, 7}) {
        Longs expected;
        for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step) expected.push_back(i);
        EXPECT_EQ(longs(start, stop, step), expected) << start << " " << stop << " " << step;
        const Doubles real(expected.begin(), expected.end());
        EXPECT_EQ(arange(start, stop, step, DType::f64, cpu()).to_vector<double>(), real);
        EXPECT_EQ(arange(1.0 * start, 1.0 * stop, 1.0 * step, DType::f64, cpu()).to_vector<double>(), real);
      }
    }
  }
  EXPECT_EQ(longs(kMost - 2, kMost, 1), (Longs{kMost - 2, kMost - 1}));
  EXPECT_EQ(longs(kLeast, kMost, kMost), (Longs{kLeast, -1, kMost - 1}));
  EXPECT_EQ(arange(~uint64_t{0} - 1, 0, -(int64_t{1} << 62), DType::u64, cpu()).numel(), 4);
  EXPECT_EQ(arange(250, 256, 1, DType::u8, cpu()).to_vector<uint8_t>().back(), 255);
  EXPECT_TRUE(fails_with("fit u8", [] { arange(250, 257, 1, DType::u8, cpu()); }));
  EXPECT_TRUE(fails_with("a step other than 0", [] { arange(0, 1, 0, DType::i64, cpu()); }));
  EXPECT_TRUE(fails_with("expected step to be an integer for i32", [] { arange(0, 1, 0.5, DType::i32, cpu()); }));
  EXPECT_TRUE(fails_with("got bool", [] { arange(0, 1, 1, DType::boolean, cpu()); }));
  EXPECT_TRUE(fails_with("2^62", [] { arange(0, 1e30, 1, DType::f64, cpu()); }) ||
              fails_with("finite length", [] { arange(0, 1e30, 1, DType::f64, cpu()); }));
}

TEST(Arange, StepsInDoubleAndRoundsOnce) {
  const Tensor y = arange(0.1, 99.95, 0.3, DType::f32, cpu());
  const std::vector<float> got = y.to_vector<float>();
  ASSERT_EQ(got.size(), 333u);
  for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], static_cast<float>(0.1 + static_cast<double>(i) * 0.3));
  EXPECT_EQ(arange(0, 1, 0.25, DType::f16, cpu()).numel(), 4);
  EXPECT_EQ(arange(5.0, 1.0, 0.25, DType::bf16, cpu()).numel(), 0);
}

TEST(Linspace, HasBothEnds) {
  for (const int64_t count : {0, 1, 2, 3, 7, 50, 1009}) {
    for (const bool endpoint : {true, false}) {
      const Doubles y = linspace(-1.3, 2.9, count, DType::f64, cpu(), endpoint).to_vector<double>();
      ASSERT_EQ(static_cast<int64_t>(y.size()), count);
      const double step = (2.9 - -1.3) / static_cast<double>(std::max<int64_t>(endpoint ? count - 1 : count, 1));
      for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], -1.3 + static_cast<double>(i) * step, 1e-15 * 4);
      EXPECT_TRUE(count == 0 || y[0] == -1.3);
      EXPECT_TRUE(count < 2 || !endpoint || y.back() == 2.9);
    }
  }
  EXPECT_EQ(linspace(-3, 3, 4, DType::i8, cpu()).to_vector<int8_t>(), (std::vector<int8_t>{-3, -1, 1, 3}));
  EXPECT_EQ(linspace(0, -3, 3, DType::i32, cpu()).to_vector<int32_t>(), (std::vector<int32_t>{0, -2, -3}));
  using C = std::complex<double>;
  EXPECT_EQ(linspace(C(0, 1), C(4, -1), 3, DType::c128, cpu()).to_vector<C>(),
            (std::vector<C>{{0, 1}, {2, 0}, {4, -1}}));
  EXPECT_TRUE(fails_with("a count of 0 or more", [] { linspace(0, 1, -1, DType::f32, cpu()); }));
}

TEST(Eye, HasOnesOnItsDiagonal) {
  for (const DType dtype : kEveryDType) {
    for (const int64_t rows : {0, 1, 3, 5}) {
      for (const int64_t cols : {0, 1, 4}) {
        for (int64_t offset = -6; offset <= 6; ++offset) {
          const auto y = elements(eye(rows, cols, offset, dtype, cpu()));
          ASSERT_EQ(static_cast<int64_t>(y.size()), rows * cols);
          for (int64_t i = 0; i < rows * cols; ++i) {
            const auto bytes = Scalar(i % cols - i / cols == offset ? 1 : 0).element(dtype, "test");
            const auto& element = y[static_cast<size_t>(i)];
            ASSERT_TRUE(std::equal(element.begin(), element.end(), bytes.begin())) << name_of(dtype);
          }
        }
      }
    }
  }
  EXPECT_EQ(eye(3, {}, 0, DType::f32, cpu()).shape(), (Shape{3, 3}));
}

TEST(Triangles, KeepWhatIsOnTheirSide) {
  for (const DType dtype : kEveryDType) {
    const Tensor x = transpose(testing::counting({2, 5, 4}, dtype, cpu()));
    const auto all = elements(x);
    const auto none = elements(zeros({}, dtype, cpu()))[0];
    for (int64_t offset = -7; offset <= 7; ++offset) {
      const auto low = elements(tril(x, offset)), up = elements(triu(x, offset));
      for (size_t i = 0; i < all.size(); ++i) {
        const auto row = static_cast<int64_t>(i) / 5 % 4, col = static_cast<int64_t>(i) % 5;
        ASSERT_EQ(low[i], col - row <= offset ? all[i] : none);
        ASSERT_EQ(up[i], col - row >= offset ? all[i] : none);
      }
    }
  }
  EXPECT_EQ(tril(zeros({0, 3, 3}, DType::f32, cpu())).shape(), (Shape{0, 3, 3}));
  EXPECT_TRUE(fails_with("[tril] expected x with at least 2 axes", [] { tril(zeros({3}, DType::f32, cpu())); }));
}

TEST(Diag, IsAViewOrAMatrix) {
  const Tensor x = reshape(arange(0, 12, 1, DType::i64, cpu()), {3, 4});
  EXPECT_EQ(diag(x, 1).to_vector<int64_t>(), (Longs{1, 6, 11}));
  EXPECT_EQ(diag(x, -1).to_vector<int64_t>(), (Longs{4, 9}));
  EXPECT_EQ(diag(x, 9).numel(), 0);
  EXPECT_TRUE(diag(x).shares_storage_with(x));
  EXPECT_EQ(diag(arange(1, 3, 1, DType::i64, cpu()), -1).to_vector<int64_t>(), (Longs{0, 0, 0, 1, 0, 0, 0, 2, 0}));
}

TEST(Meshgrid, RepeatsAlongTheOthers) {
  const std::vector<Tensor> axes = {arange(0, 2, 1, DType::i64, cpu()), arange(5, 8, 1, DType::i16, cpu()),
                                    full({}, 9, DType::i64, cpu())};
  const auto ij = meshgrid(axes, GridIndexing::ij), xy = meshgrid(axes);
  EXPECT_EQ(ij[0].shape(), (Shape{2, 3, 1}));
  EXPECT_EQ(xy[0].shape(), (Shape{3, 2, 1}));
  EXPECT_EQ(ij[0].to_vector<int64_t>(), (Longs{0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(xy[0].to_vector<int64_t>(), (Longs{0, 1, 0, 1, 0, 1}));
  EXPECT_EQ(ij[1].to_vector<int16_t>(), (std::vector<int16_t>{5, 6, 7, 5, 6, 7}));
  EXPECT_EQ(xy[2].to_vector<int64_t>(), Longs(6, 9));
  EXPECT_FALSE(ij[0].shares_storage_with(axes[0]));
  EXPECT_TRUE(meshgrid({}).empty());
}

TEST(Asarray, CopiesWhenItMust) {
  const Tensor x = ones({2}, DType::f32, cpu());
  EXPECT_TRUE(asarray(x).shares_storage_with(x));
  EXPECT_FALSE(asarray(x, {}, {}, true).shares_storage_with(x));
  EXPECT_EQ(asarray(x, DType::i8).dtype(), DType::i8);
  EXPECT_TRUE(asarray(x, {}, testing::test_device()).device() != cpu());
  EXPECT_TRUE(fails_with("[asarray] expected no copy", [&] { asarray(x, DType::i8, {}, false); }));
}

TEST(CreationGradient, AgreesWithDifferences) {
  using Inputs = std::vector<Tensor>;
  const Tensor x = linspace(-1, 1, 12, DType::f32, cpu());
  EXPECT_TRUE(testing::gradients_agree([](const Inputs& in) { return tril(reshape(in[0], {3, 4}), 1); }, {x}));
  EXPECT_TRUE(testing::gradients_agree([](const Inputs& in) { return triu(reshape(in[0], {2, 3, 2})); }, {x}));
  EXPECT_TRUE(testing::gradients_agree([](const Inputs& in) { return diag(reshape(in[0], {3, 4}), 1); }, {x}));
  EXPECT_TRUE(testing::gradients_agree([](const Inputs& in) { return diag(in[0], -1); }, {x}));
}

}  // namespace
}  // namespace tern
