// SPDX-License-Identifier: Apache-2.0
// When gradients leave for the other processes, and how many wait at once; tests/distributed judges the sums.
#include "train/gradient_reducer.h"

#include <gtest/gtest.h>

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

  void wait(Ticket ticket) override { waited = std::max(waited, ticket); }
  void fail(std::string_view) noexcept override {}
  void check_alive() override {}

  std::string text;
  Ticket started = 0, waited = 0, most_waiting = 0;

 private:
  Ticket start(const Operation& operation) override {
    text += 'R';
    assign(operation.to, mul(slice(operation.from, 0, 0, operation.count), 2.0));
    most_waiting = std::max(most_waiting, ++started - waited);
    return started;
  }
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
  FlatSpace space(int64_t bucket_elements) const {
    return FlatSpace(std::vector<int64_t>(parameters.size(), 32), 2, bucket_elements);
  }

  Device device;
  Diary diary;
  std::vector<Parameter> parameters;
};

TEST(GradientReducer, StartsBucketsWhileBackwardGoesOn) {
  Chain chain(6);
  const FlatSpace space = chain.space(64);  // two layers
  GradientReducer reducer(chain.parameters, space, chain.diary);
  reducer.begin();
  backward(chain.forward());
  EXPECT_EQ(chain.diary.text, "54R32R10R");
  for (const Parameter& parameter : chain.parameters) EXPECT_FALSE(parameter.value.grad().defined());
  reducer.finish();
  EXPECT_EQ(chain.diary.text, "54R32R10R");
  // The derivative by a layer's element is the product of the others': 720 / (1 + i). This share has the first half of
  // each bucket: w5, w3, w1.
  const std::vector<float> shares = reducer.shares().to_vector<float>();
  ASSERT_EQ(shares.size(), 96u);
  for (size_t i = 0; i < 96; ++i) EXPECT_FLOAT_EQ(shares[i], 2 * 720.0f / (i < 32 ? 6 : i < 64 ? 4 : 2)) << i;
}

TEST(GradientReducer, CountsEarlierGradients) {
  Chain chain(2);
  const FlatSpace space = chain.space(1000);
  GradientReducer reducer(chain.parameters, space, chain.diary);
  backward(chain.forward());
  EXPECT_EQ(chain.diary.text, "10");
  reducer.begin();
  backward(chain.forward());
  reducer.finish();
  EXPECT_EQ(chain.diary.text, "1010R");
  EXPECT_EQ(reducer.shares().to_vector<float>(), std::vector<float>(32, 2 * 2 * 1.0f));  // w1's: by 1, twice, of two
}

TEST(GradientReducer, KeepsFewBucketsWaiting) {
  Chain chain(20);
  const FlatSpace space = chain.space(32);
  GradientReducer reducer(chain.parameters, space, chain.diary);
  reducer.begin();
  backward(chain.forward());
  reducer.finish();
  EXPECT_EQ(chain.diary.started, 20u);
  EXPECT_LE(chain.diary.most_waiting, 4u);
  EXPECT_EQ(chain.diary.waited, 20u);
}

// The unused layer's bucket goes with the rest at the end, as zeros.
TEST(GradientReducer, KnowsWhichParametersHaveNone) {
  Chain chain(3);
  Tensor unused = Tensor::full({32}, 1.0, DType::f32, chain.device);
  chain.parameters.push_back({"unused", unused.set_requires_grad()});
  const FlatSpace space = chain.space(32);
  GradientReducer reducer(chain.parameters, space, chain.diary);
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
    EXPECT_EQ(reducer.shares().to_vector<float>()[0], 0);
  }
  EXPECT_EQ(chain.diary.text, "210RRRR210RRRR");
}

TEST(GradientReducer, RefusesMoreOfAGradientThatHasLeft) {
  Chain chain(1);
  const FlatSpace space = chain.space(32);
  GradientReducer reducer(chain.parameters, space, chain.diary);
  reducer.begin();
  backward(chain.forward());
  EXPECT_TRUE(fails_with("w0: expected one whole gradient a step", [&] { backward(chain.forward()); }));
}

TEST(GradientReducer, StopsListening) {
  Chain chain(1);
  const FlatSpace space = chain.space(32);
  {
    GradientReducer reducer(chain.parameters, space, chain.diary);
    reducer.begin();
  }
  backward(chain.forward());
  EXPECT_TRUE(chain.parameters[0].value.grad().defined());
  EXPECT_EQ(chain.diary.started, 0u);
}

}  // namespace
}  // namespace tern
