// SPDX-License-Identifier: Apache-2.0
// Gradients through conversions: every float dtype passes them on, f64 among them, and what would lose one refuses it.
#include <gtest/gtest.h>

#include <array>
#include <functional>

#include "support/array_test.h"
#include "support/fails_with.h"
#include "support/gradient_check.h"
#include "tern/autograd.h"
#include "tern/elementwise.h"
#include "tern/indexing.h"
#include "tern/manipulation.h"
#include "tern/reductions.h"

namespace tern {
namespace {

using testing::cpu;
using testing::fails_with;
using testing::gradients_agree;
using Floats = std::vector<float>;
using Tensors = std::vector<Tensor>;

constexpr DType kFloats[] = {DType::f32, DType::f64, DType::f16, DType::bf16};


// A conversion rounds, which has no derivative to speak of: the gradient is that of no conversion at all.
TEST(CastGradient, IsPassedOnBetweenAllFloats) {
  const Tensor weight = Tensor::from({3.0f, -1.0f, 0.125f}, {3}, cpu());
  for (const DType from : {DType::f32, DType::f16, DType::bf16}) {
    for (const DType through : kFloats) {
      for (const DType to : kFloats) {
        const Tensor x = cast(Tensor::from({1.0f, -2.5f, 0.75f}, {3}, cpu()), from).set_requires_grad();
        const Tensor y = cast(cast(x, through), to);
        ASSERT_TRUE(y.requires_grad()) << name_of(from) << " " << name_of(through) << " " << name_of(to);
        EXPECT_EQ(y.dtype(), to);
        backward(y, weight);
        EXPECT_EQ(x.grad().dtype(), DType::f32);
        EXPECT_EQ(x.grad().to_vector<float>(), weight.to_vector<float>());
      }
    }
  }
}

// f32 functions with a piece of f64 in them that only moves and adds: against differences.
TEST(CastGradient, OfWhatF64MovesAndAdds) {
  const Tensor x = Tensor::from({0.5f, -1.25f, 2.0f, 0.75f, -0.5f, 1.5f}, {2, 3}, cpu());
  const auto agrees = [&](const std::function<Tensor(const Tensor&)>& f) {
    return gradients_agree([&](const Tensors& in) { return square(cast(f(cast(in[0], DType::f64)), DType::f32)); },
                           {x});
  };
  EXPECT_TRUE(agrees([](const Tensor& w) { return transpose(w); }));
  EXPECT_TRUE(agrees([](const Tensor& w) { return reshape(transpose(w), {6}); }));
  EXPECT_TRUE(agrees([](const Tensor& w) { return expand(slice(w, 1, 2, 0, -1), {2, 2, 2}); }));
  EXPECT_TRUE(agrees([](const Tensor& w) { return concat(std::array{w, flip(w)}, 0); }));
  EXPECT_TRUE(agrees([](const Tensor& w) { return index(w, {Tensor::from({1, 0, 1}, {3}, cpu())}); }));
  EXPECT_TRUE(agrees([](const Tensor& w) { return sum(w, std::array{1}); }));
  EXPECT_TRUE(gradients_agree(
      [](const Tensors& in) { return square(cast(sum(in[0], {}, false, DType::f64), DType::f32)); }, {x}));
}

TEST(CastGradient, IsRefusedByWhatComputesInF64) {
  const Tensor x = cast(Tensor::from({4.0f, 1.0f, 1.0f, 3.0f}, {2, 2}, cpu()).set_requires_grad(), DType::f64);
  const Tensor plain = x.detach();
  const std::pair<const char*, std::function<Tensor()>> computations[] = {
      {"[exp]", [&] { return exp(x); }},
      {"[mul]", [&] { return x * plain; }},
      {"[matmul]", [&] { return matmul(x, plain); }},
      {"[mean]", [&] { return mean(x); }},
      {"[var]", [&] { return var(x); }},
      {"[std]", [&] { return tern::std(x); }},
      {"[max]", [&] { return max(x, 0); }},
      {"[prod]", [&] { return prod(x); }},
      {"[cumulative_sum]", [&] { return cumulative_sum(x, 0); }},
      {"[logsumexp]", [&] { return logsumexp(x); }},
      {"[quantile]", [&] { return quantile(x, 0.3); }},
      {"[where]", [&] { return where(greater(plain, plain), x, plain); }},
      {"[cast]", [&] { return cast(x, DType::c128); }},
  };
  for (const auto& [name, compute] : computations) {
    EXPECT_TRUE(fails_with("without a gradient", compute)) << name;
  }
  // What has no gradient, and what is cut off, is as it always was.
  EXPECT_FALSE(cast(x, DType::i32).requires_grad());
  EXPECT_FALSE(greater(x, plain).requires_grad());
  EXPECT_NO_THROW(exp(x.detach()));
}

TEST(CastGradient, OfF64IsF32) {
  const Tensor y = cast(Tensor::from({1.0f}, {1}, cpu()).set_requires_grad(), DType::f64);
  EXPECT_TRUE(fails_with("[backward] expected a gradient f32 [1] on the output's device, got f64 [1]",
                         [&] { backward(y, Tensor::full({1}, 1, DType::f64, cpu())); }));
  EXPECT_TRUE(fails_with("[requires_grad] expected f32, bf16 or f16, got f64",
                         [] { Tensor::zeros({1}, DType::f64, cpu()).set_requires_grad(); }));
}

}  // namespace
}  // namespace tern
