// SPDX-License-Identifier: Apache-2.0
#include "quant/absmean.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "quant/scheme.h"
#include "support/test_device.h"
#include "tern/ops.h"

namespace tern {
namespace {

// The formulas of arXiv 2402.17764 in double, with the clamp of the published code.
struct Naive {
  double scale;
  std::vector<int> codes;
};

Naive naive_absmean(const std::vector<float>& w) {
  double sum = 0;
  for (const float x : w) sum += std::fabs(static_cast<double>(x));
  Naive out{std::max(sum / static_cast<double>(w.size()), 1e-5), {}};
  for (const float x : w) {
    const double rounded = std::nearbyint(static_cast<double>(x) / out.scale);
    out.codes.push_back(static_cast<int>(std::fmin(1.0, std::fmax(-1.0, rounded))));
  }
  return out;
}

TernaryCodes absmean(const Tensor& w) { return find_weight_scheme("absmean").quantize(w); }

std::vector<float> gaussian(int64_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0.0f, 0.02f);
  std::vector<float> out(static_cast<size_t>(count));
  for (float& x : out) x = normal(engine);
  return out;
}

TEST(Absmean, EqualsTheFormulasOnAwkwardShapes) {
  const Device device = testing::test_device();
  for (const Shape& shape : {Shape{1, 1}, Shape{1, 17}, Shape{17, 1}, Shape{7, 63}, Shape{64, 65}, Shape{127, 131}}) {
    const std::vector<float> w = gaussian(shape.numel(), 7);
    const TernaryCodes got = absmean(Tensor::from(w, shape, device));
    const Naive want = naive_absmean(w);
    // One rounding of the mean to f32 beside sums whose error is far below it.
    EXPECT_NEAR(got.scale, want.scale, want.scale * 2e-7) << to_string(shape);
    const std::vector<int8_t> codes = got.codes.to_vector<int8_t>();
    for (size_t i = 0; i < w.size(); ++i) {
      const double ratio = std::fabs(static_cast<double>(w[i])) / want.scale;
      const bool on_an_edge = std::fabs(ratio - 0.5) < 1e-6;
      if (!on_an_edge) {
        EXPECT_EQ(codes[i], want.codes[i]) << to_string(shape) << " element " << i;
      }
    }
  }
}

TEST(Absmean, ZerosAndTinyWeightsUseTheSmallestScale) {
  const Device device = testing::test_device();
  const TernaryCodes zeros = absmean(Tensor::zeros({3, 5}, DType::f32, device));
  EXPECT_EQ(zeros.scale, 1e-5f);
  for (const int8_t code : zeros.codes.to_vector<int8_t>()) EXPECT_EQ(code, 0);
  const TernaryCodes tiny = absmean(Tensor::full({2, 2}, 1e-7, DType::f32, device));
  EXPECT_EQ(tiny.scale, 1e-5f);
  for (const int8_t code : tiny.codes.to_vector<int8_t>()) EXPECT_EQ(code, 0);
}

TEST(Absmean, TiesRoundToEven) {
  // Mean |w| is 1 exactly, so 0.5 is a tie (to 0) and 1.5 rounds to 2 and is clamped to 1.
  const TernaryCodes got = absmean(Tensor::from({0.5f, -0.5f, 1.5f, -1.5f}, {2, 2}, testing::test_device()));
  EXPECT_EQ(got.scale, 1.0f);
  EXPECT_EQ(got.codes.to_vector<int8_t>(), (std::vector<int8_t>{0, 0, 1, -1}));
}

TEST(Absmean, TheSameBitsForEveryThreadCount) {
  const std::vector<float> w = gaussian(511 * 257, 3);
  std::vector<float> scales;
  std::vector<std::vector<int8_t>> codes;
  for (const int threads : {1, 2, 3}) {
    const TernaryCodes got = absmean(Tensor::from(w, {511, 257}, Device::open("cpu", {threads, ""})));
    scales.push_back(got.scale);
    codes.push_back(got.codes.to_vector<int8_t>());
  }
  EXPECT_EQ(scales[0], scales[1]);
  EXPECT_EQ(scales[0], scales[2]);
  EXPECT_EQ(codes[0], codes[1]);
  EXPECT_EQ(codes[0], codes[2]);
}

TEST(Absmean, MeasuresManyAsEachAlone) {
  const Device device = testing::test_device();
  std::vector<Tensor> matrices;
  for (const Shape& shape : {Shape{1, 1}, Shape{7, 63}, Shape{64, 65}, Shape{127, 131}}) {
    matrices.push_back(Tensor::from(gaussian(shape.numel(), 5), shape, device));
  }
  matrices.push_back(transpose(matrices.back()));  // not contiguous
  const std::vector<float> scales = absmean_scales(matrices);
  ASSERT_EQ(scales.size(), matrices.size());
  for (size_t i = 0; i < scales.size(); ++i) EXPECT_EQ(scales[i], absmean(matrices[i]).scale) << i;
  EXPECT_TRUE(absmean_scales({}).empty());
}

TEST(Schemes, AreFoundByName) {
  for (const WeightScheme& scheme : weight_schemes()) EXPECT_EQ(&find_weight_scheme(scheme.name), &scheme);
  try {
    find_weight_scheme("absmedian?");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("absmedian?"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("absmean"), std::string::npos);
  }
}

}  // namespace
}  // namespace tern
