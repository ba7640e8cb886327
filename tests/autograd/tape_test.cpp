// SPDX-License-Identifier: Apache-2.0
// The walk over the graph: order, accumulation, release. The gradients of the ops are judged in tests/conformance.
#include "autograd/tape.h"

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>

#include "support/fails_with.h"
#include "support/test_device.h"
#include "tern/autograd.h"
#include "tern/ops.h"

namespace tern {
namespace {

using testing::fails_with;
using Floats = std::vector<float>;

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

Tensor leaf(const Floats& values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, cpu()).set_requires_grad();
}

Tensor vector(const Floats& values) { return Tensor::from(values, {static_cast<int64_t>(values.size())}, cpu()); }

TEST(Backward, FollowsAChain) {
  const Tensor x = leaf({2, -3});
  backward(sum(square(mul(x, 3.0))));
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{36, -54}));
}

TEST(Backward, WeighsByTheGivenGradient) {
  const Tensor x = leaf({2, -3});
  backward(square(x), vector({1, 10}));
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{4, -60}));
}

TEST(Backward, OfALeafIsTheGradientItself) {
  const Tensor x = leaf({5});
  backward(x);
  backward(x);
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{2}));
}

TEST(Backward, SumsWhereAValueIsUsedTwice) {
  const Tensor x = leaf({3});
  const Tensor y = square(x);
  backward(y * y + y);
  EXPECT_EQ(x.grad().item(), 4 * 27 + 6);
  const Tensor z = leaf({3});
  backward(z * z * z);
  EXPECT_EQ(z.grad().item(), 27);
}

TEST(Backward, AccumulatesOverCalls) {
  const Tensor x = leaf({1, 2});
  for (int i = 0; i < 3; ++i) backward(sum(square(x)));
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{6, 12}));
}

TEST(Backward, LeavesAGradientAloneThatIsHeld) {
  const Tensor x = leaf({1});
  backward(square(x));
  const Tensor held = x.grad();
  backward(square(x));
  EXPECT_EQ(held.item(), 2);
  EXPECT_EQ(x.grad().item(), 4);
}

TEST(Backward, AddsInPlaceToAGradientThatNobodyHolds) {
  const Tensor x = leaf({1, 2, 3});
  backward(sum(x));
  const void* memory = x.grad().raw();
  backward(sum(x));
  EXPECT_EQ(x.grad().raw(), memory);
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{2, 2, 2}));
}

// add hands one gradient to both inputs, and views of it to others: each leaf gets memory of its own.
TEST(Backward, GradientsShareNoMemory) {
  const Tensor a = leaf({1, 2}), b = leaf({3, 4}), c = leaf({5});
  const Tensor seed = vector({1, 1});
  backward(a + b + expand(c, {2}), seed);
  EXPECT_FALSE(a.grad().shares_storage_with(b.grad()));
  EXPECT_FALSE(a.grad().shares_storage_with(seed));
  EXPECT_FALSE(b.grad().shares_storage_with(seed));
  EXPECT_TRUE(c.grad().is_contiguous());
  assign(select(a.grad(), 0, 0), Tensor::full({}, 9, DType::f32, a.device()));
  EXPECT_EQ(b.grad().to_vector<float>(), (Floats{1, 1}));
  EXPECT_EQ(seed.to_vector<float>(), (Floats{1, 1}));
}

TEST(Backward, GradientsAreContiguous) {
  const Tensor x = Tensor::from({1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f}, {2, 3}, cpu()).set_requires_grad();
  backward(transpose(x), Tensor::from({1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f}, {3, 2}, cpu()));
  EXPECT_TRUE(x.grad().is_contiguous());
  EXPECT_EQ(x.grad().to_vector<float>(), (Floats{1, 3, 5, 2, 4, 6}));
}

TEST(Backward, RefusesASecondWalk) {
  const Tensor x = leaf({2});
  const Tensor y = square(x), z = exp(y), w = mul(y, 2.0);
  backward(z);
  const Floats once = x.grad().to_vector<float>();
  EXPECT_TRUE(fails_with("released result of exp", [&] { backward(z); }));
  EXPECT_TRUE(fails_with("released result of square", [&] { backward(w); }));
  EXPECT_EQ(x.grad().to_vector<float>(), once);
}

TEST(Backward, ChecksItsArguments) {
  const Tensor x = leaf({1, 2});
  EXPECT_TRUE(fails_with("one that does not", [] { backward(vector({1})); }));
  EXPECT_TRUE(fails_with("undefined", [] { backward(Tensor()); }));
  EXPECT_TRUE(fails_with("expected a gradient for an output of shape [2], got none", [&] { backward(square(x)); }));
  EXPECT_TRUE(fails_with("got f32 [3]", [&] { backward(square(x), vector({1, 2, 3})); }));
  EXPECT_TRUE(fails_with("got i64 [2]", [&] { backward(square(x), Tensor::arange(2, DType::i64, cpu())); }));
  EXPECT_TRUE(fails_with("expected a leaf, got the result of square", [&] { square(x).set_requires_grad(); }));
  EXPECT_FALSE(x.grad().defined());
}

TEST(Backward, StopsAtDetachedTensors) {
  const Tensor x = leaf({3});
  backward(x * square(x).detach());
  EXPECT_EQ(x.grad().item(), 9);
  EXPECT_FALSE(square(x.detach()).requires_grad());
}

TEST(Backward, SkipsLeavesThatWereSwitchedOff) {
  Tensor x = leaf({3});
  const Tensor y = leaf({2});
  const Tensor z = x * y;
  x.set_requires_grad(false);
  backward(z);
  EXPECT_FALSE(x.grad().defined());
  EXPECT_EQ(y.grad().item(), 3);
}

// x is summed from its three uses in one order always: (1e8 + 1) - 1e8 differs from (1e8 - 1e8) + 1 in f32.
TEST(Backward, SumsInAFixedOrder) {
  Floats results;
  for (int i = 0; i < 5; ++i) {
    const Tensor x = leaf({1});
    backward((mul(x, 1e8) + mul(x, 1.0)) + mul(x, -1e8));
    results.push_back(static_cast<float>(x.grad().item()));
  }
  EXPECT_EQ(results, Floats(5, results[0]));
}

// A chain that recursion would not survive, walked and unwalked, forked and joined.
TEST(Graph, MayBeVeryDeep) {
  const Tensor x = leaf({1});
  Tensor walked = x, dropped = x;
  for (int i = 0; i < 100000; ++i) {
    walked = neg(walked);
    dropped = dropped + dropped;
  }
  backward(walked);
  EXPECT_EQ(x.grad().item(), 1);
}

// Only what a gradient reads is kept alive: not the inputs of add, and the inputs of mul.
TEST(Graph, KeepsOnlyWhatGradientsRead) {
  const Tensor x = leaf({1, 2});
  Tensor a = neg(x), b = neg(x);
  const std::weak_ptr<Storage> of_a = a.storage(), of_b = b.storage();
  const Tensor added = a + x, multiplied = b * x;
  a = {};
  b = {};
  EXPECT_TRUE(of_a.expired());
  EXPECT_FALSE(of_b.expired());
  backward(multiplied, vector({1, 1}));
  EXPECT_TRUE(of_b.expired());
}

TEST(Graph, ReleasesANodeAsSoonAsItHasRun) {
  const Tensor x = leaf({1});
  std::weak_ptr<Storage> saved;
  bool released = false;
  Tensor first = x.detach(), second = x.detach();
  record(first, "first", {x}, [&](const Tensor& dy) {
    released = saved.expired();
    return std::vector<Tensor>{dy};
  });
  {
    const Tensor kept = vector({7});
    saved = kept.storage();
    record(second, "second", {first}, [kept](const Tensor& dy) { return std::vector<Tensor>{dy}; });
  }
  EXPECT_FALSE(saved.expired());
  backward(second);
  EXPECT_TRUE(released);
}

TEST(Graph, IsFreedWithoutBackward) {
  const Tensor x = leaf({1});
  const Tensor big = vector({7});
  const std::weak_ptr<Storage> storage = [&] {
    const Tensor y = mul(x, 2.0), z = y * y;
    return std::weak_ptr<Storage>(y.storage());
  }();
  EXPECT_TRUE(storage.expired());
}

TEST(Record, SkipsWhatNeedsNoGradient) {
  const Tensor x = vector({1}), out = vector({2});
  record(out, "nothing", {x}, [](const Tensor& dy) { return std::vector<Tensor>{dy}; });
  EXPECT_FALSE(out.requires_grad());
  EXPECT_FALSE(needs_grad(x, out));
  EXPECT_TRUE(needs_grad(x, leaf({1})));
}

// An undefined gradient from a vjp is one that is not needed, or none at all.
TEST(Record, TakesUndefinedGradients) {
  const Tensor x = leaf({1}), y = leaf({2});
  Tensor out = vector({3});
  record(out, "half", {mul(x, 1.0), y}, [](const Tensor& dy) { return std::vector<Tensor>{Tensor(), dy}; });
  backward(out);
  EXPECT_FALSE(x.grad().defined());
  EXPECT_EQ(y.grad().item(), 1);
}

}  // namespace
}  // namespace tern
