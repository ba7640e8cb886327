// SPDX-License-Identifier: Apache-2.0
// Quantiles against the definitions of Hyndman and Fan (1996), and against values worked out by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "support/array_test.h"
#include "support/fails_with.h"
#include "support/gradient_check.h"
#include "tern/reductions.h"

namespace tern {
namespace {

using testing::cpu;
using testing::fails_with;
using testing::gradients_agree;

using Axes = std::vector<int>;
using Doubles = std::vector<double>;
using Method = QuantileMethod;


// The paper's Q(p): x[j] and x[j + 1] of the elements numbered from 1, with j = floor(n·p + m) and weight g or, for the
// discontinuous kinds, 0, 1/2 or 1.
double by_the_paper(Doubles x, double p, int kind) {
  std::sort(x.begin(), x.end());
  const auto n = static_cast<double>(x.size());
  const double m[] = {0, 0, -0.5, 0, 0.5, p, 1 - p, (p + 1) / 3, p / 4 + 3.0 / 8};
  // Rounding could put what is a whole number on paper just below it.
  const double at = n * p + m[kind - 1], j = std::floor(at + 1e-9), g = std::max(at - j, 0.0);
  const bool whole = g < 1e-9;
  const double weight = kind == 1   ? (whole ? 0 : 1)
                        : kind == 2 ? (whole ? 0.5 : 1)
                        : kind == 3 ? (whole && std::fmod(j, 2) == 0 ? 0 : 1)
                                    : g;
  const auto element = [&](double number) { return x[static_cast<size_t>(std::clamp(number, 1.0, n)) - 1]; };
  return element(j) * (1 - weight) + element(j + 1) * weight;
}

TEST(Quantile, EveryKindOfThePaper) {
  constexpr Method kinds[] = {Method::inverted_cdf,
                              Method::averaged_inverted_cdf,
                              Method::closest_observation,
                              Method::interpolated_inverted_cdf,
                              Method::hazen,
                              Method::weibull,
                              Method::linear,
                              Method::median_unbiased,
                              Method::normal_unbiased};
  for (const size_t n : {1u, 2u, 3u, 4u, 7u, 8u}) {
    std::vector<float> values;
    for (size_t i = 0; i < n; ++i) values.push_back(static_cast<float>((i * 5) % 8) - 2.5f);
    const Tensor x = Tensor::from(values, {static_cast<int64_t>(n)}, cpu());
    for (const double q : {0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0}) {
      for (int kind = 1; kind <= 9; ++kind) {
        const double want = by_the_paper(Doubles(values.begin(), values.end()), q, kind);
        // Two roundings of numbers up to 8.
        EXPECT_NEAR(quantile(x, q, {}, false, kinds[kind - 1]).item(), want, 8 * 0x1p-22)
            << n << " " << q << " " << kind;
      }
    }
  }
}

TEST(Quantile, VariantsOfLinear) {
  const Tensor x = Tensor::from<float>({4, 1, 3, 2}, {4}, cpu());
  EXPECT_EQ(quantile(x, 0.4, {}, false, Method::lower).item(), 2);
  EXPECT_EQ(quantile(x, 0.4, {}, false, Method::higher).item(), 3);
  EXPECT_EQ(quantile(x, 0.4, {}, false, Method::midpoint).item(), 2.5);
  EXPECT_EQ(quantile(x, 0.4, {}, false, Method::nearest).item(), 2);
  EXPECT_EQ(quantile(x, 0.5, {}, false, Method::nearest).item(), 3);  // 1.5 rounds to 2
  EXPECT_FLOAT_EQ(static_cast<float>(quantile(x, 0.4).item()), 2.2f);
  EXPECT_EQ(median(x).item(), 2.5);
}

TEST(Quantile, AxesAndSeveral) {
  const Tensor x = Tensor::from<float>({1, 9, 2, 8, 3, 7}, {3, 2}, cpu());
  EXPECT_EQ(median(x, Axes{0}).to_vector<float>(), (std::vector<float>{2, 8}));
  EXPECT_EQ(median(x, Axes{1}, true).shape(), (Shape{3, 1}));
  const Doubles q = {0, 1};
  const Tensor ends = quantile(x, q, Axes{0}, true);
  EXPECT_EQ(ends.shape(), (Shape{2, 1, 2}));
  EXPECT_EQ(ends.to_vector<float>(), (std::vector<float>{1, 7, 3, 9}));
  EXPECT_EQ(quantile(x, Doubles{}, Axes{0}).shape(), (Shape{0, 2}));
  EXPECT_EQ(median(cast(x, DType::f16)).dtype(), DType::f16);
  for (const DType dtype : {DType::f64, DType::i8, DType::u64}) {
    const Tensor y = median(cast(x, dtype), Axes{0, 1});
    EXPECT_EQ(y.dtype(), dtype == DType::f64 ? DType::f64 : DType::f32);
    EXPECT_EQ(y.item(), 5);
  }
}

TEST(Quantile, NanAndInfinity) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const std::vector<float> y =
      median(Tensor::from<float>({1, nan, inf, inf, -inf, 2}, {3, 2}, cpu()), Axes{1}).to_vector<float>();
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_EQ(y[1], inf);
  EXPECT_EQ(y[2], -inf);
}

TEST(Quantile, Errors) {
  EXPECT_TRUE(fails_with("[quantile] expected q in [0, 1], got 1.5",
                         [] { quantile(Tensor::zeros({2}, DType::f32, cpu()), 1.5); }));
  EXPECT_TRUE(
      fails_with("[quantile] expected at least one element", [] { median(Tensor::zeros({0}, DType::f32, cpu())); }));
}

TEST(Quantile, Gradients) {
  const Tensor x = Tensor::from<float>({0.5f, -1, 2, 0.25f, 3, -2, 1, 0}, {2, 4}, cpu());
  EXPECT_TRUE(gradients_agree([](const auto& t) { return median(t[0], Axes{1}); }, {x}));
  EXPECT_TRUE(gradients_agree([](const auto& t) { return quantile(t[0], 0.3); }, {x}));
}

}  // namespace
}  // namespace tern
