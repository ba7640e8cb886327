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

// A look-up adds the rows it met to the gradient of the table's other uses in place: unless that is another's, too.
TEST(Backward, AddsRowsToTheGradientOfOtherUses) {
  const auto rows = [](const Tensor& table, std::initializer_list<int64_t> ids, double by) {
    return sum(mul(embedding(table, Tensor::from<int64_t>(ids, {std::ssize(ids)}, cpu())), by));
  };
  const auto table_of = [] { return Tensor::from<float>({1, 2, 3, 4, 5, 6}, {3, 2}, cpu()).set_requires_grad(); };
  for (const bool first : {false, true}) {
    SCOPED_TRACE(first ? "looked up first" : "looked up last");
    const auto both = [first](const Tensor& a, const Tensor& b) { return first ? b + a : a + b; };
    const Tensor squared = table_of();
    backward(both(rows(squared, {2, 0, 2}, 10), sum(square(squared))));
    EXPECT_EQ(squared.grad().to_vector<float>(), (Floats{12, 14, 6, 8, 30, 32}));

    const Tensor shares = table_of(), other = table_of();
    backward(both(rows(shares, {1}, 10), sum(square(shares + other))));
    EXPECT_EQ(shares.grad().to_vector<float>(), (Floats{4, 8, 22, 26, 20, 24}));
    EXPECT_EQ(other.grad().to_vector<float>(), (Floats{4, 8, 12, 16, 20, 24}));

    const Tensor strided = table_of();  // the other use's gradient is a transposed view
    backward(
        both(rows(strided, {0}, 10), sum(transpose(strided) * Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3}, cpu()))));
    EXPECT_EQ(strided.grad().to_vector<float>(), (Floats{11, 14, 2, 5, 3, 6}));
  }
  const Tensor twice = table_of();
  backward(rows(twice, {0, 1}, 2) + rows(twice, {1}, 3));
  backward(rows(twice, {2}, 1));
  EXPECT_EQ(twice.grad().to_vector<float>(), (Floats{2, 2, 5, 5, 1, 1}));
  const Tensor still = table_of(), moves = leaf({1, 1});
  backward(rows(still.detach(), {0}, 2) + sum(moves));
  EXPECT_FALSE(still.grad().defined());
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

// What backward() comes to, in order.
class Finished {
 public:
  void watch(const Tensor& leaf, char name) {
    leaf.grad_state()->on_grad = [this, name] { text += name; };
  }
  std::string text;
};

// An op that says when its gradient is pulled back.
Tensor said(const Tensor& x, Finished& finished, char name) {
  const Tensor out = x.detach();
  record(out, "said", {x}, [&finished, name](const Tensor& dy) {
    finished.text += name;
    return std::vector<Tensor>{dy};
  });
  return out;
}

// Weights are first among the inputs of the ops here, which a walk comes to last, and yet done as soon as possible.
TEST(Leaf, IsDoneAsSoonAsNothingMoreComes) {
  Finished finished;
  const Tensor a = leaf({2}), b = leaf({3}), x = leaf({4});
  finished.watch(a, 'a');
  finished.watch(b, 'b');
  finished.watch(x, 'x');
  const Tensor first = a * said(x, finished, '1');
  const Tensor second = b * said(first, finished, '2');
  backward(second);
  EXPECT_EQ(finished.text, "b2a1x");
  EXPECT_EQ(a.grad().item(), 12);
}

TEST(Leaf, IsDoneOnceWhereItIsUsedTwice) {
  Finished finished;
  const Tensor tied = leaf({2}), w = leaf({3});
  double gradient = 0;
  finished.watch(w, 'w');
  tied.grad_state()->on_grad = [&] {
    finished.text += 't';
    gradient = tied.grad().item();
  };
  backward(tied * said(w * said(tied * tied, finished, '1'), finished, '2'));
  EXPECT_EQ(finished.text, "2w1t");
  EXPECT_EQ(gradient, 3 * 3 * 4);
}

// One branch of a product has no gradient to give.
TEST(Leaf, IsDoneWhenItsLastUseGivesNothing) {
  Finished finished;
  const Tensor x = leaf({2}), y = leaf({5});
  finished.watch(x, 'x');
  finished.watch(y, 'y');
  Tensor half = vector({1});
  record(half, "half", {mul(x, 1.0), y}, [](const Tensor& dy) { return std::vector<Tensor>{Tensor(), dy}; });
  backward(half + x);
  EXPECT_EQ(finished.text, "yx");
  const Tensor z = leaf({2});
  finished.watch(z, 'z');
  backward(z);
  backward(z);
  EXPECT_EQ(finished.text, "yxzz");
}

TEST(Leaf, MayLoseItsGradientWhenDone) {
  Tensor x = leaf({2});
  Tensor taken;
  x.grad_state()->on_grad = [&] {
    taken = x.grad();
    x.set_grad({});
  };
  backward(square(x));
  EXPECT_EQ(taken.item(), 4);
  EXPECT_FALSE(x.grad().defined());
  x.grad_state()->on_grad = nullptr;
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

// ---------------------------------------------------------------- recomputed

// A layer with a weight of its own; `weight` is a leaf where a graph is wanted.
Tensor layer(const Tensor& x, const Tensor& weight, bool with_grad) {
  const Tensor w = with_grad ? weight : weight.detach();
  return x + tanh(x * w) * w;
}

struct ChainGradients {
  Floats output, input;
  std::vector<Floats> weights;
};

// Of a chain of three layers, backward run twice over graphs of its own.
ChainGradients chain(bool again) {
  const Tensor x = leaf({0.3f, -1.7f, 2.5f});
  const std::vector<Tensor> weights = {leaf({0.1f, 0.7f, -0.4f}), leaf({1.3f, -0.2f, 0.9f}), leaf({0.5f, 0.6f, 0.7f})};
  Floats output;
  for (int i = 0; i < 2; ++i) {
    Tensor y = mul(x, 1.1);
    for (const Tensor& w : weights) {
      y = again ? recomputed(y, [w](const Tensor& in, bool with_grad) { return layer(in, w, with_grad); })
                : layer(y, w, true);
    }
    output = y.to_vector<float>();
    backward(y, vector({1, 0.5f, -2}));
  }
  ChainGradients out{output, x.grad().to_vector<float>(), {}};
  for (const Tensor& w : weights) out.weights.push_back(w.grad().to_vector<float>());
  return out;
}

TEST(Recomputed, GivesTheSameBits) {
  const ChainGradients kept = chain(false), again = chain(true);
  EXPECT_EQ(again.output, kept.output);
  EXPECT_EQ(again.input, kept.input);
  EXPECT_EQ(again.weights, kept.weights);
}

TEST(Recomputed, KeepsItsInputAlone) {
  const Tensor x = leaf({1, 2});
  std::weak_ptr<Storage> inside;
  int runs = 0;
  const auto fn = [&](const Tensor& in, bool) {
    ++runs;
    const Tensor middle = exp(in);
    inside = middle.storage();
    return square(middle);
  };
  Tensor input = mul(x, 2.0);
  const std::weak_ptr<Storage> kept = input.storage();
  const Tensor y = recomputed(input, fn);
  input = {};
  EXPECT_TRUE(inside.expired());
  EXPECT_FALSE(kept.expired());
  backward(y, vector({1, 1}));
  EXPECT_TRUE(kept.expired());
  EXPECT_EQ(runs, 2);
}

TEST(Recomputed, MayBeNested) {
  const auto gradient = [](bool again) {
    const Tensor x = leaf({0.3f, -0.7f});
    const auto inner = [](const Tensor& in, bool) { return tanh(square(in)); };
    const auto outer = [&](const Tensor& in, bool with_grad) {
      return mul(with_grad && again ? recomputed(in, inner) : inner(in, with_grad), 3.0) + in;
    };
    backward(again ? recomputed(x, outer) : outer(x, true), vector({1, 2}));
    return x.grad().to_vector<float>();
  };
  EXPECT_EQ(gradient(true), gradient(false));
}

TEST(Recomputed, ChecksItsArguments) {
  const auto same = [](const Tensor& in, bool) { return in; };
  EXPECT_TRUE(fails_with("[recomputed] expected x to require a gradient", [&] { recomputed(vector({1}), same); }));
  EXPECT_TRUE(fails_with("undefined", [&] { recomputed(Tensor(), same); }));
  const Tensor x = leaf({1});
  const Tensor cut = recomputed(x, [](const Tensor& in, bool) { return in.detach(); });
  EXPECT_TRUE(fails_with("expected an output that requires a gradient", [&] { backward(cut); }));
  const Tensor y = recomputed(x, same);
  backward(y);
  EXPECT_EQ(x.grad().item(), 1);
  EXPECT_TRUE(fails_with("released result of recomputed", [&] { backward(y); }));
}

}  // namespace
}  // namespace tern
