// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "support/fails_with.h"
#include "support/test_device.h"
#include "tern/ops.h"
#include "tern/train.h"

namespace tern {
namespace {

using testing::fails_with;

constexpr double kUlp = 0x1p-24;  // half an ulp of f32, relative

// AdamW as torch.optim.AdamW documents it, in double.
struct Reference {
  std::vector<double> p, m, v;
  double largest_p = 0;

  void step(const std::vector<double>& grad, const AdamwOptions& o, int t) {
    for (size_t i = 0; i < p.size(); ++i) {
      p[i] -= o.lr * o.weight_decay * p[i];
      m[i] = o.beta1 * m[i] + (1 - o.beta1) * grad[i];
      v[i] = o.beta2 * v[i] + (1 - o.beta2) * grad[i] * grad[i];
      const double m_hat = m[i] / (1 - std::pow(o.beta1, t)), v_hat = v[i] / (1 - std::pow(o.beta2, t));
      p[i] -= o.lr * m_hat / (std::sqrt(v_hat) + o.eps);
      largest_p = std::max(largest_p, std::fabs(p[i]));
    }
  }
};

// Deterministic values in [-1, 1), spread over magnitudes.
std::vector<float> values(size_t count, uint32_t seed) {
  std::vector<float> out;
  for (uint32_t i = 0, state = seed; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    const double unit = static_cast<double>(state) * 0x1p-31 - 1.0;
    out.push_back(static_cast<float>(unit * std::pow(10.0, -static_cast<double>(i % 5))));
  }
  return out;
}

std::vector<double> widened(const std::vector<float>& x, double factor = 1) {
  std::vector<double> out;
  for (float value : x) out.push_back(static_cast<double>(value) * factor);
  return out;
}

Parameter parameter(const std::string& name, const std::vector<float>& x, const Shape& shape, const Device& device) {
  return {name, Tensor::from(x, shape, device).set_requires_grad()};
}

class AdamwSizes : public ::testing::TestWithParam<size_t> {};

TEST_P(AdamwSizes, FollowsTheDoubleReference) {
  constexpr int kSteps = 25;
  const size_t n = GetParam();
  const Device device = testing::test_device();
  const AdamwOptions options{1e-2, 0.9, 0.95, 1e-8, 0.1};
  const Parameter weight = parameter("w", values(n, 1), {static_cast<int64_t>(n)}, device);
  Adamw optimizer({weight});
  Reference reference{widened(values(n, 1)), std::vector<double>(n), std::vector<double>(n)};
  for (int t = 1; t <= kSteps; ++t) {
    const auto grad = values(n, 100u + static_cast<uint32_t>(t));
    Tensor value = weight.value;
    value.set_grad(Tensor::from(grad, value.shape(), device));
    optimizer.step(options, 0.25);
    reference.step(widened(grad, 0.25), options, t);
    EXPECT_FALSE(value.grad().defined());
  }
  // Each step rounds p twice, and its update of about lr (at most lr / sqrt(1 - beta2), when gradients jump) some ten
  // times; moments carry the rounding of their sums on, damped by beta.
  const double update = options.lr / std::sqrt(1 - options.beta2);
  const double bound = kSteps * kUlp * (2 * reference.largest_p + 40 * update);
  const std::vector<float> p = weight.value.to_vector<float>();
  for (size_t i = 0; i < n; ++i) EXPECT_NEAR(static_cast<double>(p[i]), reference.p[i], bound) << i;
  EXPECT_EQ(optimizer.steps(), kSteps);
}

INSTANTIATE_TEST_SUITE_P(Awkward, AdamwSizes, ::testing::Values(1, 7, 16, 17, 63, 127, 4099));

TEST(Adamw, TakesNoStepWhereThereIsNoGradient) {
  const Device device = testing::test_device();
  const Parameter with = parameter("a", {1, 2}, {2}, device), without = parameter("b", {3, 4}, {2}, device);
  Adamw optimizer({with, without});
  Tensor value = with.value;
  value.set_grad(Tensor::from({1.0f, 1.0f}, {2}, device));
  EXPECT_DOUBLE_EQ(optimizer.gradient_norm(), std::sqrt(2.0));
  optimizer.step({0.5, 0.9, 0.95, 1e-8, 0.1});
  EXPECT_NE(with.value.to_vector<float>(), (std::vector<float>{1, 2}));
  EXPECT_EQ(without.value.to_vector<float>(), (std::vector<float>{3, 4}));
  EXPECT_EQ(optimizer.gradient_norm(), 0.0);
}

TEST(Adamw, ReadsStridedGradients) {
  const Device device = testing::test_device();
  const Parameter dense = parameter("w", values(6, 1), {2, 3}, device),
                  strided = parameter("w", values(6, 1), {2, 3}, device);
  const std::vector<float> grad = values(6, 2);
  const Tensor rows = Tensor::from(grad, {2, 3}, device);
  Tensor a = dense.value, b = strided.value;
  a.set_grad(rows);
  b.set_grad(transpose(contiguous(transpose(rows))));
  ASSERT_FALSE(b.grad().is_contiguous());
  Adamw first({dense}), second({strided});
  EXPECT_EQ(first.gradient_norm(), second.gradient_norm());
  first.step({});
  second.step({});
  EXPECT_EQ(dense.value.to_vector<float>(), strided.value.to_vector<float>());
}

TEST(Adamw, MeasuresTheGlobalNormInDouble) {
  const Device device = testing::test_device();
  std::vector<Parameter> parameters;
  double sum = 0;
  for (const size_t n : {size_t{1}, size_t{2}, size_t{4097}, size_t{20000}}) {
    const std::vector<float> grad = values(n, static_cast<uint32_t>(n));
    for (float g : grad) sum += static_cast<double>(g) * static_cast<double>(g);
    parameters.push_back(parameter("w" + std::to_string(n), grad, {static_cast<int64_t>(n)}, device));
    parameters.back().value.set_grad(Tensor::from(grad, {static_cast<int64_t>(n)}, device));
  }
  // Sums within blocks of 4096 are f32 in 16 lanes: at most 256 roundings each.
  EXPECT_NEAR(Adamw(parameters).gradient_norm(), std::sqrt(sum), std::sqrt(sum) * 256 * kUlp);
  EXPECT_EQ(Adamw({}).gradient_norm(), 0.0);
}

TEST(Adamw, LetsNonFiniteGradientsShow) {
  const Device device = testing::test_device();
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Parameter weight = parameter("w", {1, 2, 3}, {3}, device);
    weight.value.set_grad(Tensor::from({0.0f, bad, 0.0f}, {3}, device));
    EXPECT_FALSE(std::isfinite(Adamw({weight}).gradient_norm()));
  }
}

TEST(Adamw, ContinuesFromItsState) {
  const Device device = testing::test_device();
  const Parameter one = parameter("w", values(37, 1), {37}, device),
                  other = parameter("w", values(37, 1), {37}, device);
  Adamw whole({one}), first({other});
  const auto step = [&](Adamw& optimizer, const Parameter& weight, uint32_t seed) {
    Tensor value = weight.value;
    value.set_grad(Tensor::from(values(37, seed), {37}, device));
    optimizer.step({});
  };
  for (uint32_t t = 1; t <= 6; ++t) step(whole, one, t);
  for (uint32_t t = 1; t <= 3; ++t) step(first, other, t);
  Adamw second({other});
  second.load_state(first.state(), first.steps());
  for (uint32_t t = 4; t <= 6; ++t) step(second, other, t);
  EXPECT_EQ(one.value.to_vector<float>(), other.value.to_vector<float>());
  EXPECT_EQ(second.steps(), 6);
}

TEST(Adamw, RefusesForeignState) {
  const Device device = testing::test_device();
  const Parameter weight = parameter("w", {1, 2}, {2}, device);
  Adamw optimizer({weight});
  const Tensor good = Tensor::full({2}, 9.0, DType::f32, device);
  EXPECT_TRUE(fails_with("v.w", [&] { optimizer.load_state({{"m.w", good}, {"v.x", good}}, 1); }));
  EXPECT_TRUE(fails_with("2 tensors", [&] { optimizer.load_state({{"m.w", good}}, 1); }));
  EXPECT_TRUE(fails_with("2 tensors", [&] { optimizer.load_state({{"m.w", good}, {"m.w", good}}, 1); }));
  const Tensor long_one = Tensor::zeros({3}, DType::f32, device), ids = Tensor::zeros({2}, DType::i64, device);
  EXPECT_TRUE(fails_with("v.w: expected f32 [2], got f32 [3]", [&] {
    optimizer.load_state({{"m.w", good}, {"v.w", long_one}}, 1);
  }));
  EXPECT_TRUE(fails_with("got i64", [&] { optimizer.load_state({{"m.w", good}, {"v.w", ids}}, 1); }));
  EXPECT_TRUE(fails_with("step count", [&] { optimizer.load_state({{"m.w", good}, {"v.w", good}}, -1); }));
  EXPECT_EQ(optimizer.state()[0].second.to_vector<float>(), (std::vector<float>{0, 0}));
}

TEST(Adamw, WantsContiguousFloats) {
  const Device device = testing::test_device();
  EXPECT_TRUE(fails_with("bf16", [&] { Adamw({{"w", Tensor::zeros({2}, DType::bf16, device)}}); }));
  EXPECT_TRUE(fails_with("contiguous", [&] { Adamw({{"w", transpose(Tensor::zeros({2, 3}, DType::f32, device))}}); }));
}

TEST(ClipScale, IsPyTorchs) {
  EXPECT_EQ(clip_scale(0.0, 1.0), 1.0);
  EXPECT_EQ(clip_scale(0.5, 1.0), 1.0);
  EXPECT_DOUBLE_EQ(clip_scale(1.0, 1.0), 1.0 / (1.0 + 1e-6));
  EXPECT_DOUBLE_EQ(clip_scale(8.0, 2.0), 2.0 / (8.0 + 1e-6));
  EXPECT_EQ(clip_scale(1e30, 0.0), 1.0);
}

}  // namespace
}  // namespace tern
