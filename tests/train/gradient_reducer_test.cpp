// SPDX-License-Identifier: Apache-2.0
// When gradients leave for the other processes, and how many wait at once; tests/distributed judges the sums.
#include "train/gradient_reducer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "support/fails_with.h"
#include "support/test_device.h"
#include "tern/autograd.h"
#include "tern/ops.h"

namespace tern {
namespace {

using testing::fails_with;

// The first of two processes, the other of which has the same gradients. Writes down what it is asked for.
class Diary final : public Collectives {
 public:
  explicit Diary(const Device& device) : Collectives(0, 2, device) {}

  Ticket start(std::span<const Operation> operations) override {
    for (const auto& [kind, from, to, count] : operations) {
      text += kind == Kind::reduce_scatter_sum ? 'R' : 'r';
      assign(to, mul(slice(from, 0, 0, count), 2.0));
    }
    text += '.';
    most_waiting = std::max(most_waiting, ++started - waited);
    return started;
  }
  void wait(Ticket ticket) override { waited = std::max(waited, ticket); }
  void all_reduce_sum(std::span<double>) override {}
  void fail(std::string_view) noexcept override {}
  void check_alive() override {}

  std::string text;
  Ticket started = 0, waited = 0, most_waiting = 0;
};

// A chain of layers y = w · x, w of 32 elements each; says when a layer's gradient is pulled back.
struct Chain {
  explicit Chain(int layers) : device(testing::test_device(1)), diary(device) {
    for (int i = 0; i < layers; ++i) {
      Tensor w = Tensor::full({32}, 1.0 + i, DType::f32, device);
      parameters.push_back({"w" + std::to_string(i), w.set_requires_grad()});
    }
  }

  Tensor forward() {
    Tensor x = Tensor::full({32}, 1.0, DType::f32, device);
    for (size_t i = 0; i < parameters.size(); ++i) {
      const Tensor y = mul(parameters[i].value, x);
      x = y.detach();
      record(x, "said", {y}, [this, i](const Tensor& dy) {
        diary.text += static_cast<char>('0' + i);
        return std::vector<Tensor>{dy};
      });
    }
    return sum(x);
  }
  ShardPlan plan(int64_t bucket_elements) const {
    return ShardPlan(std::vector<int64_t>(parameters.size(), 32), 2, bucket_elements);
  }

  Device device;
  Diary diary;
  std::vector<Parameter> parameters;
};

TEST(GradientReducer, StartsBucketsWhileBackwardGoesOn) {
  Chain chain(6);
  const ShardPlan plan = chain.plan(64);  // two layers
  GradientReducer reducer(chain.parameters, plan, chain.diary);
  reducer.begin();
  backward(chain.forward());
  EXPECT_EQ(chain.diary.text, "54RR.32RR.10RR.");
  for (const Parameter& parameter : chain.parameters) EXPECT_FALSE(parameter.value.grad().defined());
  reducer.finish();
  EXPECT_EQ(chain.diary.text, "54RR.32RR.10RR.");
  // The derivative by a layer's element is the product of the others': 720 / (1 + i). This process has the first half
  // of each layer, the last first.
  const std::vector<float> sums = reducer.sums().to_vector<float>();
  ASSERT_EQ(sums.size(), 96u);
  for (size_t i = 0; i < 96; ++i) EXPECT_FLOAT_EQ(sums[i], 2 * 720.0f / static_cast<float>(6 - i / 16)) << i;
}

TEST(GradientReducer, CountsEarlierGradients) {
  Chain chain(2);
  const ShardPlan plan = chain.plan(1000);
  GradientReducer reducer(chain.parameters, plan, chain.diary);
  backward(chain.forward());
  EXPECT_EQ(chain.diary.text, "10");
  reducer.begin();
  backward(chain.forward());
  reducer.finish();
  EXPECT_EQ(chain.diary.text, "1010RR.");
  // By w1's 1 and by w0's 2, twice, of two processes.
  const std::vector<float> sums = reducer.sums().to_vector<float>();
  for (size_t i = 0; i < 32; ++i) EXPECT_EQ(sums[i], 2 * 2 * (i < 16 ? 1.0f : 2.0f)) << i;
}

TEST(GradientReducer, KeepsFewBucketsWaiting) {
  Chain chain(20);
  const ShardPlan plan = chain.plan(32);
  GradientReducer reducer(chain.parameters, plan, chain.diary);
  reducer.begin();
  backward(chain.forward());
  reducer.finish();
  EXPECT_EQ(chain.diary.started, 20u);
  EXPECT_LE(chain.diary.most_waiting, 2u);
  EXPECT_EQ(chain.diary.waited, 20u);
}

// The unused layer's bucket goes with the rest at the end, as zeros.
TEST(GradientReducer, KnowsWhichParametersHaveNone) {
  Chain chain(3);
  Tensor unused = Tensor::full({32}, 1.0, DType::f32, chain.device);
  chain.parameters.push_back({"unused", unused.set_requires_grad()});
  const ShardPlan plan = chain.plan(32);
  GradientReducer reducer(chain.parameters, plan, chain.diary);
  for (int step = 0; step < 2; ++step) {
    reducer.begin();
    const std::vector<Parameter> all = chain.parameters;
    chain.parameters.pop_back();
    const Tensor y = chain.forward();
    chain.parameters = all;
    backward(y);
    reducer.finish();
    EXPECT_TRUE(reducer.has_gradient(0));
    EXPECT_TRUE(reducer.has_gradient(2));
    EXPECT_FALSE(reducer.has_gradient(3));
    EXPECT_EQ(reducer.sums().to_vector<float>()[0], 0);
  }
  EXPECT_EQ(chain.diary.text, "210R.R.R.R.210R.R.R.R.");
}

// Parameters of 40 elements: 32 are divided, 8 are everyone's and summed where they end up.
TEST(GradientReducer, SumsWhatIsNotDivided) {
  Chain chain(1);
  std::vector<float> values(40);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  Tensor w = Tensor::full({40}, 1.0, DType::f32, chain.device).set_requires_grad();
  chain.parameters = {{"w", w}};
  const ShardPlan plan(std::vector<int64_t>{40}, 2, 1000);
  GradientReducer reducer(chain.parameters, plan, chain.diary);
  reducer.begin();
  backward(sum(mul(w, Tensor::from(values, {40}, chain.device))));
  reducer.finish();
  EXPECT_EQ(chain.diary.text, "Rr.");
  const std::vector<float> sums = reducer.sums().to_vector<float>();
  ASSERT_EQ(sums.size(), 32u);  // 16 and 8 of them, padded
  for (size_t i = 0; i < 24; ++i) EXPECT_EQ(sums[i], 2 * values[i < 16 ? i : i + 16]) << i;
}

TEST(GradientReducer, RefusesMoreOfAGradientThatHasLeft) {
  Chain chain(1);
  const ShardPlan plan = chain.plan(32);
  GradientReducer reducer(chain.parameters, plan, chain.diary);
  reducer.begin();
  backward(chain.forward());
  EXPECT_TRUE(fails_with("w0: expected one whole gradient a step", [&] { backward(chain.forward()); }));
}

TEST(GradientReducer, StopsListening) {
  Chain chain(1);
  const ShardPlan plan = chain.plan(32);
  {
    GradientReducer reducer(chain.parameters, plan, chain.diary);
    reducer.begin();
  }
  backward(chain.forward());
  EXPECT_TRUE(chain.parameters[0].value.grad().defined());
  EXPECT_EQ(chain.diary.started, 0u);
}

}  // namespace
}  // namespace tern
