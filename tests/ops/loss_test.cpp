// SPDX-License-Identifier: Apache-2.0
// The gradient of cross_entropy takes the logits' memory when it may, and only then; linear_cross_entropy is the same
// loss without the logits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include "ops/checked_indices.h"
#include "support/cpus.h"
#include "support/fails_with.h"
#include "support/test_device.h"
#include "tern/autograd.h"
#include "tern/ops.h"

namespace tern {
namespace {

using Floats = std::vector<float>;

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

Tensor weights() { return Tensor::from({0.5f, -1.0f, 2.0f, 0.25f, 1.0f, -0.5f}, {2, 3}, cpu()); }
Tensor targets() { return Tensor::from<int64_t>({2, 0}, {2}, cpu()); }

// Gradients of a graph whose logits nobody holds, and of one whose logits are held in the way that `hold` says.
Floats gradient(const std::function<Tensor(const Tensor&)>& hold) {
  const Tensor x = weights().set_requires_grad();
  Tensor loss, held;
  Floats before;
  {
    const Tensor logits = mul(x, 2.0);
    held = hold(logits);
    if (held.defined()) before = held.to_vector<float>();
    loss = cross_entropy(logits, targets());
  }
  backward(loss);
  if (held.defined()) {
    EXPECT_EQ(held.to_vector<float>(), before);
  }
  return x.grad().to_vector<float>();
}

TEST(CrossEntropy, GradientIsTheSameInPlaceAndLeavesHeldLogitsAlone) {
  const Floats in_place = gradient([](const Tensor&) { return Tensor(); });
  EXPECT_EQ(gradient([](const Tensor& logits) { return logits; }), in_place);
  EXPECT_EQ(gradient([](const Tensor& logits) { return logits.detach(); }), in_place);
  EXPECT_EQ(gradient([](const Tensor& logits) { return select(logits, 0, 1); }), in_place);
}

TEST(CrossEntropy, LeavesItsLeafAlone) {
  const Tensor logits = weights().set_requires_grad();
  backward(cross_entropy(logits, targets()));
  EXPECT_EQ(logits.to_vector<float>(), weights().to_vector<float>());
  EXPECT_TRUE(logits.grad().defined());
}

// exp saves its result for its own gradient: the loss may not overwrite it.
TEST(CrossEntropy, LeavesLogitsAloneThatAnotherGradientReads) {
  const Tensor x = weights().set_requires_grad(), same = weights().set_requires_grad();
  backward(cross_entropy(exp(x), targets()));
  const Tensor held = exp(same);
  backward(cross_entropy(held, targets()));
  EXPECT_EQ(x.grad().to_vector<float>(), same.grad().to_vector<float>());
}

TEST(CrossEntropy, IsTheMeanOfItsRows) {
  const Tensor some = Tensor::from<int64_t>({-100, 1}, {2}, cpu());
  const Floats rows = cross_entropy_rows(weights(), targets()).to_vector<float>();
  EXPECT_EQ(cross_entropy(weights(), targets()).item(), static_cast<double>((rows[0] + rows[1]) / 2));
  const Floats counted = cross_entropy_rows(weights(), some).to_vector<float>();
  EXPECT_EQ(counted[0], 0.0f);
  EXPECT_EQ(cross_entropy(weights(), some).item(), static_cast<double>(counted[1]));
}

TEST(CrossEntropy, IgnoredRowsGetNoGradient) {
  const Tensor logits = weights().set_requires_grad();
  backward(cross_entropy(logits, Tensor::from<int64_t>({-100, 1}, {2}, cpu())));
  const Floats grad = logits.grad().to_vector<float>();
  EXPECT_EQ(Floats(grad.begin(), grad.begin() + 3), (Floats{0, 0, 0}));
  EXPECT_NE(grad[4], 0.0f);
}

// ---------------------------------------------------------------- linear_cross_entropy

Tensor random_floats(const Shape& shape, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0.0f, 1.0f);
  Floats values(static_cast<size_t>(shape.numel()));
  for (float& value : values) value = normal(engine);
  return Tensor::from(values, shape, cpu());
}

constexpr int64_t kRows = 11, kWidth = 37, kClasses = 53;

// Every third row ignored, or all of them.
std::vector<int64_t> some_targets(bool all_ignored) {
  std::vector<int64_t> targets;
  for (int64_t i = 0; i < kRows; ++i) targets.push_back(all_ignored || i % 3 == 2 ? -100 : i * 17 % kClasses);
  return targets;
}

struct LossAndGradients {
  Floats loss, hidden, weight;
};

// Of loss(hidden, weight), times `factor`.
LossAndGradients outcome_of(const std::function<Tensor(const Tensor&, const Tensor&)>& loss, double factor = 1) {
  const Tensor hidden = random_floats({kRows, kWidth}, 1).set_requires_grad();
  const Tensor weight = random_floats({kClasses, kWidth}, 2).set_requires_grad();
  const Tensor value = loss(hidden, weight);
  backward(factor == 1 ? value : mul(value, factor));
  return {value.to_vector<float>(), hidden.grad().to_vector<float>(), weight.grad().to_vector<float>()};
}

// The same bits on a CPU. Another device may add products up in another order in each chunk.
void expect_same(const Floats& got, const Floats& expected) {
  ASSERT_EQ(got.size(), expected.size());
  if (cpu().name() == "cpu") {
    EXPECT_TRUE(testing::same_bits(got, expected));
  } else {
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-5f);
  }
}

void expect_same(const LossAndGradients& got, const LossAndGradients& expected) {
  EXPECT_TRUE(testing::same_bits(got.loss, expected.loss));
  expect_same(got.hidden, expected.hidden);
  expect_same(got.weight, expected.weight);
}

LossAndGradients unchunked(const Tensor& targets, double factor = 1) {
  return outcome_of([&](const Tensor& x, const Tensor& w) { return cross_entropy(linear(x, w), targets); }, factor);
}

TEST(LinearCrossEntropy, IsTheLossOfTheLogitsInChunksOfAnySize) {
  for (const bool all_ignored : {false, true}) {
    const std::vector<int64_t> classes = some_targets(all_ignored);
    const Tensor targets = Tensor::from(classes, {kRows}, cpu());
    const int64_t counted = kRows - std::count(classes.begin(), classes.end(), -100);
    const LossAndGradients expected = unchunked(targets);
    EXPECT_EQ(std::isnan(expected.loss[0]), all_ignored);
    for (const int64_t rows : {1, 2, 3, 7, 10, 11, 12, 1000}) {
      SCOPED_TRACE(rows);
      expect_same(outcome_of([&](const Tensor& x, const Tensor& w) {
                    return checked::linear_cross_entropy(x, w, targets, counted, rows);
                  }),
                  expected);
    }
    expect_same(outcome_of([&](const Tensor& x, const Tensor& w) { return linear_cross_entropy(x, w, targets); }),
                expected);
  }
}

TEST(LinearCrossEntropy, TakesTheGradientThatFlowsBack) {
  const Tensor targets = Tensor::from(some_targets(false), {kRows}, cpu());
  const auto chunked = [&](double factor) {
    return outcome_of([&](const Tensor& x, const Tensor& w) { return linear_cross_entropy(x, w, targets); }, factor);
  };
  expect_same(chunked(0.25), unchunked(targets, 0.25));  // a power of two moves no rounding
  const LossAndGradients got = chunked(1.0 / 3), expected = unchunked(targets, 1.0 / 3);
  for (size_t i = 0; i < got.hidden.size(); ++i) EXPECT_NEAR(got.hidden[i], expected.hidden[i], 1e-6f);
  for (size_t i = 0; i < got.weight.size(); ++i) EXPECT_NEAR(got.weight[i], expected.weight[i], 1e-6f);
}

// The embedding of a tied head: gradients of both uses add up, and go through any shape and strides.
TEST(LinearCrossEntropy, AddsToOtherUsesOfTheWeight) {
  const Tensor ids = Tensor::from<int64_t>({3, 1, 4, 1, 5, 9}, {2, 3}, cpu());
  const Tensor targets = Tensor::from<int64_t>({1, 4, 1, 5, 9, -100}, {2, 3}, cpu());
  const auto gradient = [&](bool chunked) {
    const Tensor table = random_floats({kClasses, kWidth}, 3).set_requires_grad();
    const Tensor hidden = transpose(transpose(tanh(embedding(table, ids))));
    backward(chunked ? linear_cross_entropy(hidden, table, targets) : cross_entropy(linear(hidden, table), targets));
    return table.grad().to_vector<float>();
  };
  expect_same(gradient(true), gradient(false));
  const Tensor strided = transpose(random_floats({kWidth, kRows}, 4));
  const Tensor classes = Tensor::from(some_targets(false), {kRows}, cpu()),
               weight = random_floats({kClasses, kWidth}, 5);
  EXPECT_EQ(linear_cross_entropy(strided, weight, classes).item(),
            cross_entropy(linear(strided, weight), classes).item());
}

TEST(LinearCrossEntropy, MakesTheGradientsThatAreNeeded) {
  const Tensor targets = Tensor::from(some_targets(false), {kRows}, cpu());
  const Tensor hidden = random_floats({kRows, kWidth}, 1), weight = random_floats({kClasses, kWidth}, 2);
  EXPECT_FALSE(linear_cross_entropy(hidden, weight, targets).requires_grad());
  const LossAndGradients expected = unchunked(targets);
  const Tensor x = hidden.detach().set_requires_grad(), w = weight.detach().set_requires_grad();
  backward(linear_cross_entropy(x, weight, targets));
  backward(linear_cross_entropy(hidden, w, targets));
  expect_same(x.grad().to_vector<float>(), expected.hidden);
  expect_same(w.grad().to_vector<float>(), expected.weight);
  const Tensor half = cast(weight, DType::bf16);
  const auto hidden_gradient = [&](bool chunked) {
    const Tensor in = hidden.detach().set_requires_grad();
    backward(chunked ? linear_cross_entropy(in, half, targets) : cross_entropy(linear(in, half), targets));
    return in.grad().to_vector<float>();
  };
  expect_same(hidden_gradient(true), hidden_gradient(false));
}

TEST(LinearCrossEntropy, WorksWithoutRows) {
  const Tensor x = Tensor::zeros({0, kWidth}, DType::f32, cpu()).set_requires_grad();
  const Tensor w = random_floats({kClasses, kWidth}, 2).set_requires_grad();
  const Tensor loss = linear_cross_entropy(x, w, Tensor::zeros({0}, DType::i64, cpu()));
  EXPECT_TRUE(std::isnan(loss.item()));
  backward(loss, Tensor::full({}, 1, DType::f32, cpu()));
  EXPECT_EQ(w.grad().to_vector<float>(), Floats(static_cast<size_t>(kClasses * kWidth), 0.0f));
}

TEST(LinearCrossEntropy, ChecksItsArguments) {
  const Tensor x = random_floats({2, 3}, 1), w = random_floats({5, 3}, 2);
  const auto classes = [](std::initializer_list<int64_t> values) {
    return Tensor::from(values, {static_cast<int64_t>(values.size())}, cpu());
  };
  using testing::fails_with;
  EXPECT_TRUE(fails_with("[linear_cross_entropy] expected targets in [0, 5) or -100, got 5 at [1]", [&] {
    linear_cross_entropy(x, w, classes({0, 5}));
  }));
  EXPECT_TRUE(fails_with("expected targets of shape [2], got [3]", [&] {
    linear_cross_entropy(x, w, classes({0, 1, 2}));
  }));
  EXPECT_TRUE(fails_with("[classes, k], got [2, 3] and [3, 5]", [&] {
    linear_cross_entropy(x, transpose(w), classes({0, 1}));
  }));
  EXPECT_TRUE(fails_with("hidden of dtype f32", [&] {
    linear_cross_entropy(cast(x, DType::bf16), w, classes({0, 1}));
  }));
}

}  // namespace
}  // namespace tern
