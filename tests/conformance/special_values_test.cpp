// SPDX-License-Identifier: Apache-2.0
// NaN, the infinities, both zeros, and the largest and smallest numbers through the pointwise ops and reductions.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "support/test_device.h"
#include "tern/ops.h"

namespace tern {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kMax = std::numeric_limits<float>::max();
constexpr float kMin = std::numeric_limits<float>::min();
constexpr float kDenormal = std::numeric_limits<float>::denorm_min();

// 17 of them: a whole vector and a tail.
const std::vector<float> kSpecials = {0.0f, -0.0f, 1.0f,      -1.0f,      kInf,   -kInf,   kNan, kMax,    -kMax,
                                      kMin, -kMin, kDenormal, -kDenormal, 100.0f, -100.0f, 0.5f, -1000.0f};

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

Tensor vector(const std::vector<float>& values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, cpu());
}

std::string text(float x) { return std::to_string(x) + (std::signbit(x) ? " (negative)" : ""); }

// The same NaN-ness and sign, and the value within `ulps`.
::testing::AssertionResult same(float got, double exact, double ulps) {
  const auto expected = static_cast<float>(exact);
  const auto failure = ::testing::AssertionFailure() << "expected " << text(expected) << ", got " << text(got);
  if (std::isnan(expected) || std::isnan(got))
    return std::isnan(expected) == std::isnan(got) ? ::testing::AssertionSuccess() : failure;
  if (std::signbit(expected) != std::signbit(got)) return failure;
  if (std::isinf(expected) || std::isinf(got)) return expected == got ? ::testing::AssertionSuccess() : failure;
  const double unit = std::max(std::abs(exact) * 0x1p-23, static_cast<double>(kDenormal));
  return std::abs(static_cast<double>(got) - exact) <= ulps * unit ? ::testing::AssertionSuccess() : failure;
}

void expect_unary(const char* name, Tensor (*op)(const Tensor&), double (*f)(double), double ulps) {
  const std::vector<float> y = op(vector(kSpecials)).to_vector<float>();
  for (size_t i = 0; i < y.size(); ++i) {
    EXPECT_TRUE(same(y[i], f(static_cast<double>(kSpecials[i])), ulps)) << name << "(" << text(kSpecials[i]) << ")";
  }
}

TEST(SpecialValues, ExactUnaryOps) {
  expect_unary(
      "neg", neg, [](double x) { return -x; }, 0);
  expect_unary(
      "abs", abs, [](double x) { return std::abs(x); }, 0);
  expect_unary(
      "sqrt", sqrt, [](double x) { return std::sqrt(x); }, 0.5);
  expect_unary(
      "reciprocal", reciprocal, [](double x) { return 1 / x; }, 0.5);
  expect_unary(
      "square", square, [](double x) { return x * x; }, 0.5);
  expect_unary(
      "rsqrt", rsqrt, [](double x) { return 1 / std::sqrt(x); }, 2);
}

// relu(-0) and of what is below it is 0; the sign of a zero is not promised, NaN stays.
TEST(SpecialValues, Relu) {
  const std::vector<float> y = relu(vector(kSpecials)).to_vector<float>();
  const std::vector<float> y2 = relu2(vector(kSpecials)).to_vector<float>();
  for (size_t i = 0; i < y.size(); ++i) {
    const float x = kSpecials[i];
    const float expected = std::isnan(x) ? x : std::max(x, 0.0f);
    EXPECT_TRUE(std::isnan(x) ? std::isnan(y[i]) : y[i] == expected) << text(x);
    EXPECT_TRUE(std::isnan(x) ? std::isnan(y2[i]) : y2[i] == expected * expected) << text(x);
  }
}

// The sign of tanh's zero is not promised: + 0 takes it off.
TEST(SpecialValues, Functions) {
  expect_unary(
      "exp", exp, [](double x) { return std::exp(x); }, 4);
  expect_unary(
      "log", log, [](double x) { return std::log(x); }, 4);
  expect_unary(
      "tanh", [](const Tensor& x) { return add(tanh(x), 0.0); }, [](double x) { return std::tanh(x) + 0.0; }, 8);
  expect_unary(
      "sigmoid", sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, 8);
}

// silu(-inf) is -inf · 0: NaN by the formula, so only the finite and the positive are held to it.
TEST(SpecialValues, Silu) {
  const std::vector<float> y = silu(vector({0.0f, 1.0f, -1.0f, kInf, kNan, 100.0f})).to_vector<float>();
  EXPECT_EQ(y[0], 0.0f);
  EXPECT_NEAR(y[1], 0.7310586f, 1e-6f);
  EXPECT_NEAR(y[2], -0.2689414f, 1e-6f);
  EXPECT_EQ(y[3], kInf);
  EXPECT_TRUE(std::isnan(y[4]));
  EXPECT_EQ(y[5], 100.0f);
}

// Every pair of special values, as [17, 1] and [17].
template <class F>
void expect_binary(const char* name, Tensor (*op)(const Tensor&, const Tensor&), F f) {
  const Tensor all = vector(kSpecials);
  const std::vector<float> y = op(unsqueeze(all, 1), all).to_vector<float>();
  for (size_t i = 0; i < kSpecials.size(); ++i) {
    for (size_t j = 0; j < kSpecials.size(); ++j) {
      const float got = y[i * kSpecials.size() + j], expected = f(kSpecials[i], kSpecials[j]);
      EXPECT_TRUE(std::isnan(expected) ? std::isnan(got)
                                       : std::bit_cast<uint32_t>(got) == std::bit_cast<uint32_t>(expected))
          << name << "(" << text(kSpecials[i]) << ", " << text(kSpecials[j]) << ") gives " << text(got) << ", not "
          << text(expected);
    }
  }
}

TEST(SpecialValues, ArithmeticIsIeee) {
  expect_binary("add", add, [](float a, float b) { return a + b; });
  expect_binary("sub", sub, [](float a, float b) { return a - b; });
  expect_binary("mul", mul, [](float a, float b) { return a * b; });
  expect_binary("div", div, [](float a, float b) { return a / b; });
}

TEST(SpecialValues, ExtremaOfTwoCarryNan) {
  const Tensor all = vector(kSpecials);
  const std::vector<float> low = minimum(unsqueeze(all, 1), all).to_vector<float>();
  const std::vector<float> high = maximum(unsqueeze(all, 1), all).to_vector<float>();
  for (size_t i = 0; i < kSpecials.size(); ++i) {
    for (size_t j = 0; j < kSpecials.size(); ++j) {
      const float a = kSpecials[i], b = kSpecials[j];
      const size_t at = i * kSpecials.size() + j;
      if (std::isnan(a) || std::isnan(b)) {
        EXPECT_TRUE(std::isnan(low[at]) && std::isnan(high[at])) << text(a) << ", " << text(b);
      } else {
        EXPECT_EQ(low[at], std::min(a, b)) << text(a) << ", " << text(b);
        EXPECT_EQ(high[at], std::max(a, b)) << text(a) << ", " << text(b);
      }
    }
  }
}

std::vector<uint8_t> bytes(const Tensor& x) {
  std::vector<uint8_t> out(static_cast<size_t>(x.numel()));
  x.copy_to_host(std::as_writable_bytes(std::span(out)));
  return out;
}

TEST(SpecialValues, ComparisonsAreIeee) {
  const Tensor all = vector(kSpecials), column = unsqueeze(all, 1);
  const std::vector<uint8_t> eq = bytes(equal(column, all)), ne = bytes(not_equal(column, all));
  const std::vector<uint8_t> lt = bytes(less(column, all)), le = bytes(less_equal(column, all));
  const std::vector<uint8_t> gt = bytes(greater(column, all)), ge = bytes(greater_equal(column, all));
  for (size_t i = 0; i < kSpecials.size(); ++i) {
    for (size_t j = 0; j < kSpecials.size(); ++j) {
      const float a = kSpecials[i], b = kSpecials[j];
      const size_t at = i * kSpecials.size() + j;
      EXPECT_EQ(eq[at], a == b) << text(a) << ", " << text(b);
      EXPECT_EQ(ne[at], a != b) << text(a) << ", " << text(b);
      EXPECT_EQ(lt[at], a < b) << text(a) << ", " << text(b);
      EXPECT_EQ(le[at], a <= b) << text(a) << ", " << text(b);
      EXPECT_EQ(gt[at], a > b) << text(a) << ", " << text(b);
      EXPECT_EQ(ge[at], a >= b) << text(a) << ", " << text(b);
    }
  }
}

// A NaN anywhere in a row wins: whole vectors, tails, and columns.
TEST(SpecialValues, ReductionsCarryNan) {
  for (const int64_t extent : {1, 2, 16, 17, 33}) {
    for (int64_t place = 0; place < extent; ++place) {
      std::vector<float> values(static_cast<size_t>(extent), 1.0f);
      values[static_cast<size_t>(place)] = kNan;
      const Tensor row = vector(values), columns = expand(unsqueeze(row, 1), {extent, 3});
      for (const Tensor& x :
           {max(row, 0), min(row, 0), sum(row), select(max(columns, 0), 0, 2), select(min(columns, 0), 0, 1)}) {
        EXPECT_TRUE(std::isnan(x.item())) << extent << " " << place;
      }
      EXPECT_EQ(argmax(row, 0).item(), static_cast<double>(place));
      EXPECT_EQ(argmin(row, 0).item(), static_cast<double>(place));
    }
  }
}

TEST(SpecialValues, ReductionsOfInfinities) {
  const Tensor x = vector({1.0f, -kInf, 2.0f, kInf, -kInf, kInf});
  EXPECT_EQ(max(x, 0).item(), static_cast<double>(kInf));
  EXPECT_EQ(min(x, 0).item(), -static_cast<double>(kInf));
  EXPECT_EQ(argmax(x, 0).item(), 3);
  EXPECT_EQ(argmin(x, 0).item(), 1);
  EXPECT_TRUE(std::isnan(sum(x).item()));
  EXPECT_EQ(max(vector(std::vector<float>(19, -kInf)), 0).item(), -static_cast<double>(kInf));
}

TEST(SpecialValues, SoftmaxOfExtremes) {
  const std::vector<float> big = softmax(vector({1e30f, 1e30f, -1e30f, -kInf})).to_vector<float>();
  EXPECT_EQ(big, (std::vector<float>{0.5f, 0.5f, 0.0f, 0.0f}));
  EXPECT_TRUE(std::isnan(softmax(vector({-kInf, -kInf})).to_vector<float>()[0]));
  EXPECT_TRUE(std::isnan(softmax(vector({1.0f, kNan, 2.0f})).to_vector<float>()[0]));
}

TEST(SpecialValues, CrossEntropyOfExtremes) {
  const Tensor targets = Tensor::from<int64_t>({1, 0}, {2}, cpu());
  const Tensor logits = Tensor::from({1e4f, 0.0f, -kInf, 1e4f, 0.0f, -kInf}, {2, 3}, cpu());
  const std::vector<float> rows = cross_entropy_rows(logits, targets).to_vector<float>();
  EXPECT_EQ(rows, (std::vector<float>{1e4f, 0.0f}));
  const Tensor none = Tensor::from<int64_t>({-100, -100}, {2}, cpu());
  EXPECT_EQ(cross_entropy_rows(logits, none).to_vector<float>(), (std::vector<float>{0.0f, 0.0f}));
  EXPECT_TRUE(std::isnan(cross_entropy(logits, none).item()));
}

}  // namespace
}  // namespace tern
