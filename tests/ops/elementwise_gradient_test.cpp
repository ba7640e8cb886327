// SPDX-License-Identifier: Apache-2.0
// Gradients of the functions of elements: by differences where they are smooth, by hand at ties, zeros and kinks.
#include <gtest/gtest.h>

#include <functional>

#include "support/gradient_check.h"
#include "support/test_device.h"
#include "tern/elementwise.h"

namespace tern {
namespace {

using Floats = std::vector<float>;
using Unary = Tensor (*)(const Tensor&);
using Binary = Tensor (*)(const Tensor&, const Tensor&);
using testing::gradients_agree;

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

Tensor vector(const Floats& values) { return Tensor::from(values, {static_cast<int64_t>(values.size())}, cpu()); }
Tensor leaf(const Floats& values) { return vector(values).set_requires_grad(); }

TEST(ElementwiseGradient, OfOneInput) {
  struct Case {
    const char* name;
    Unary op;
    Floats at;
  };
  const Floats anywhere = {-1.4f, -0.6f, -0.2f, 0.3f, 0.8f, 1.3f}, inside = {-0.8f, -0.5f, -0.1f, 0.2f, 0.6f, 0.8f};
  const Floats positive_ones = {0.3f, 0.5f, 0.9f, 1.2f, 2.0f}, above_one = {1.4f, 1.8f, 2.5f, 3.0f};
  const Case cases[] = {
      {"expm1", expm1, anywhere},
      {"log1p", log1p, inside},
      {"log2", log2, positive_ones},
      {"log10", log10, positive_ones},
      {"sin", sin, anywhere},
      {"cos", cos, anywhere},
      {"tan", tan, inside},
      {"asin", asin, inside},
      {"acos", acos, inside},
      {"atan", atan, anywhere},
      {"sinh", sinh, anywhere},
      {"cosh", cosh, anywhere},
      {"asinh", asinh, anywhere},
      {"acosh", acosh, above_one},
      {"atanh", atanh, inside},
      {"negative", negative, anywhere},
      {"positive", positive, anywhere},
      {"conj", conj, anywhere},
  };
  for (const Case& c : cases) {
    EXPECT_TRUE(gradients_agree([&](const std::vector<Tensor>& in) { return c.op(in[0]); }, {vector(c.at)})) << c.name;
    // f16 and bf16 through f32: the gradient of what was rounded.
    for (const DType half : {DType::f16, DType::bf16}) {
      const Tensor x = cast(vector(c.at), half);
      const Tensor wide = cast(x, DType::f32).detach().set_requires_grad();
      const Tensor narrow = x.detach().set_requires_grad();
      backward(sum(cast(c.op(wide), DType::f32)));
      backward(sum(cast(c.op(narrow), DType::f32)));
      EXPECT_EQ(narrow.grad().to_vector<float>(), wide.grad().to_vector<float>()) << c.name;
    }
  }
}

TEST(ElementwiseGradient, OfTwoInputs) {
  struct Case {
    const char* name;
    Binary op;
    Floats a, b;
  };
  const Floats a = {0.4f, 0.9f, 1.3f, 1.8f}, b = {1.5f, -0.7f, 0.5f, -1.2f}, signs = {0.7f, -1.5f, -0.6f, 1.1f};
  const Case cases[] = {
      {"pow", pow, a, b},
      {"hypot", hypot, signs, b},
      {"atan2", atan2, signs, b},
      {"divide", divide, signs, b},
      {"logaddexp", logaddexp, signs, b},
      {"subtract", subtract, signs, b},
      {"multiply", multiply, signs, b},
      {"remainder", remainder, {2.3f, 1.0f, -0.4f, 3.1f}, {0.9f, -0.7f, 1.5f, -1.2f}},
  };
  for (const Case& c : cases) {
    const auto f = [&](const std::vector<Tensor>& in) { return c.op(in[0], in[1]); };
    EXPECT_TRUE(gradients_agree(f, {vector(c.a), vector(c.b)})) << c.name;
    EXPECT_TRUE(gradients_agree(f, {reshape(vector(c.a), {4, 1}), vector({c.b[0], c.b[1]})}))
        << c.name << ", broadcast";
  }
  const auto signed_like = [](const std::vector<Tensor>& in) { return copysign(in[0], in[1].detach()); };
  EXPECT_TRUE(gradients_agree(
      [&](const std::vector<Tensor>& in) {
        return signed_like({in[0], vector({1, -1, 1, -1})});
      },
      {vector(signs)}));
}

TEST(ElementwiseGradient, OfMixedDtypes) {
  const Tensor half = cast(vector({0.5f, 2.0f}), DType::bf16).set_requires_grad();
  const Tensor single = leaf({3.0f, -1.0f});
  backward(sum(mul(half, single)));
  EXPECT_EQ(half.grad().to_vector<float>(), (Floats{3, -1}));
  EXPECT_EQ(single.grad().to_vector<float>(), (Floats{0.5f, 2}));
  const Tensor x = leaf({3, 5});
  backward(sum(mul(x, Tensor::from<int32_t>({2, -4}, {2}, cpu()))));
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{2, -4}));
}

TEST(ElementwiseGradient, IsZeroOfSteps) {
  for (const Unary op : {Unary{floor}, Unary{ceil}, Unary{trunc}, Unary{round}, Unary{sign}}) {
    const Tensor x = leaf({-1.5f, 0.25f, 3});
    backward(sum(op(x)));
    EXPECT_EQ(x.grad().to_vector<float>(), (Floats{0, 0, 0}));
  }
}

TEST(ElementwiseGradient, AtZerosIsTheLimit) {
  const Tensor base = leaf({0, 0, 2, -2}), exponent = leaf({2, 0, 0, 3});
  backward(sum(pow(base, exponent)));
  EXPECT_EQ(base.grad().to_vector<float>(), (Floats{0, 0, 0, 12}));
  const Floats to_exponent = exponent.grad().to_vector<float>();
  EXPECT_EQ(to_exponent[0], 0.0f);
  EXPECT_EQ(to_exponent[1], 0.0f);
  EXPECT_FLOAT_EQ(to_exponent[2], std::log(2.0f));
  EXPECT_TRUE(std::isnan(to_exponent[3]));  // (-2)ᵇ is a number for integers b only
  for (const Binary op : {Binary{hypot}, Binary{atan2}}) {
    const Tensor a = leaf({0}), b = leaf({0});
    backward(op(a, b));
    EXPECT_EQ(a.grad().item(), 0);
    EXPECT_EQ(b.grad().item(), 0);
  }
  const Tensor a = leaf({-HUGE_VALF}), b = leaf({-HUGE_VALF});
  backward(logaddexp(a, b));
  EXPECT_EQ(a.grad().item(), 0.5);
  EXPECT_EQ(b.grad().item(), 0.5);
}

TEST(ElementwiseGradient, OfClipGoesToWhatIsChosen) {
  const Tensor x = leaf({-2, -1, 0, 1, 2}), low = leaf({-1}), high = leaf({1});
  backward(sum(clip(x, low, high)));
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{0, 1, 1, 1, 0}));
  EXPECT_EQ(low.grad().item(), 1);
  EXPECT_EQ(high.grad().item(), 1);
  const Tensor y = leaf({-2, 0, 2});
  backward(sum(clip(y, Tensor::full({}, -1, DType::f32, cpu()), {})));
  EXPECT_EQ(y.grad().to_vector<float>(), (Floats{0, 1, 1}));
}

TEST(ElementwiseGradient, IsNotRecordedWithoutNeed) {
  const Tensor x = leaf({1, 2});
  for (const Tensor& y : {isnan(x), logical_not(x), signbit(x), nextafter(x, x), less(x, x)})
    EXPECT_FALSE(y.requires_grad());
}

}  // namespace
}  // namespace tern
