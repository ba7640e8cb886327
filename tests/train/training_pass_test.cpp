// SPDX-License-Identifier: Apache-2.0
// A pass that a device may replay, beside Model::loss and backward(), which other tests judge: the same bits.
#include "train/training_pass.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/test_device.h"
#include "tern/autograd.h"
#include "tern/error.h"
#include "tern/ops.h"
#include "tern/train.h"

namespace tern {
namespace {

const Device& device() {
  static const Device device = testing::test_device(DeviceOptions{.matmul_precision = MatmulPrecision::bf16});
  return device;
}

ModelConfig config() {
  ModelConfig config;
  config.vocab_size = 72;
  config.hidden_size = 64;
  config.intermediate_size = 96;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.max_position_embeddings = 64;
  return config;
}

TokenBatch batch_of(int64_t sequences, int64_t tokens, int64_t which, int64_t ignored = 0) {
  TokenBatch batch{sequences, {}, {}};
  for (int64_t i = 0; i < sequences * tokens; ++i) {
    batch.ids.push_back((i * i + 5 * i + 31 * which) % 72);
    batch.targets.push_back(i < ignored ? -100 : (i * i + 7 * i + 1 + 31 * which) % 72);
  }
  return batch;
}

// A step's micro-batches; each has its share of the gradient.
using Step = std::vector<TokenBatch>;

// Loss and gradients of each step, and parameters at the end, as bits.
struct Numbers {
  std::vector<std::vector<float>> numbers;
  int64_t replays = 0;
};

void keep_gradients(const Model& model, Numbers& run) {
  for (const Parameter& parameter : model.parameters())
    run.numbers.push_back(parameter.value.grad().to_vector<float>());
}

Numbers plain_run(const std::vector<Step>& steps, const LossOptions& options) {
  Model model = Model::create(config(), device(), 3);
  Adamw optimizer(model.parameters());
  Numbers run;
  for (const Step& step : steps) {
    for (const TokenBatch& batch : step) {
      const Tensor loss = model.loss(batch, options);
      run.numbers.push_back({loss.to_vector<float>()});
      backward(mul(loss, 1.0 / static_cast<double>(step.size())));
    }
    keep_gradients(model, run);
    optimizer.step({.lr = 1e-2});
    model.requantize();
  }
  return run;
}

Numbers recorded_run(const std::vector<Step>& steps, const LossOptions& options) {
  Model model = Model::create(config(), device(), 3);
  Adamw optimizer(model.parameters());
  TrainingPass pass(model, options);
  Numbers run;
  for (const Step& step : steps) {
    std::vector<Tensor> losses;
    for (const TokenBatch& batch : step) {
      losses.push_back(pass.forward(batch, 1.0 / static_cast<double>(step.size())));
      pass.backward();
    }
    for (const Tensor& loss : losses) run.numbers.push_back(loss.to_vector<float>());
    keep_gradients(model, run);
    optimizer.step({.lr = 1e-2});
    model.requantize();
  }
  run.replays = pass.replays();
  return run;
}

void expect_the_same(const std::vector<Step>& steps, int64_t replays, const LossOptions& options = {}) {
  const Numbers plain = plain_run(steps, options), recorded = recorded_run(steps, options);
  EXPECT_EQ(recorded.numbers, plain.numbers);
  const bool records = Model::create(config(), device(), 3).trains_by_kernels_alone();
  EXPECT_EQ(recorded.replays, records ? replays : 0);
}

TEST(TrainingPass, GivesTheBitsOfLossAndBackward) {
  std::vector<Step> steps;
  for (int64_t i = 0; i < 6; ++i) steps.push_back({batch_of(3, 17, i)});
  expect_the_same(steps, 5);
  expect_the_same(steps, 5, {.recompute = true});
}

TEST(TrainingPass, AddsMicroBatches) {
  std::vector<Step> steps;
  for (int64_t i = 0; i < 5; ++i) steps.push_back({batch_of(2, 9, i), batch_of(2, 9, i + 10), batch_of(2, 9, i + 20)});
  // The first step is plain; of the second the first is replayed, and the next is the first that adds to a recording's
  // gradients; of the others all are.
  expect_the_same(steps, 1 + 3 * 3);
}

TEST(TrainingPass, TakesShapesInTurns) {
  std::vector<Step> steps;
  for (int64_t i = 0; i < 9; ++i) {
    steps.push_back({batch_of(1 + i % 3, 8 + i % 2, i, i % 3)});
    if (i % 4 == 3) steps.back().push_back(batch_of(2, 5, i));
  }
  for (size_t i = 0; i < 9; ++i) steps.push_back(steps[i]);
  const Numbers plain = plain_run(steps, {}), recorded = recorded_run(steps, {});
  EXPECT_EQ(recorded.numbers, plain.numbers);
}

// Those of somebody else are added to as ever.
TEST(TrainingPass, AddsToGradientsThatItDidNotMake) {
  const auto run = [](bool recorded) {
    const Model model = Model::create(config(), device(), 3);
    TrainingPass pass(model, {});
    std::vector<std::vector<float>> numbers;
    for (int64_t i = 0; i < 4; ++i) {
      backward(model.loss(batch_of(2, 6, 50 + i)));
      if (recorded) {
        pass.forward(batch_of(2, 6, i));
        pass.backward();
      } else {
        backward(model.loss(batch_of(2, 6, i)));
      }
      for (const Parameter& parameter : model.parameters()) {
        numbers.push_back(parameter.value.grad().to_vector<float>());
        Tensor value = parameter.value;
        if (i % 2 == 1) value.set_grad({});
      }
    }
    return numbers;
  };
  EXPECT_EQ(run(true), run(false));
}

// The first parameter among them.
TEST(TrainingPass, LeavesParametersThatRequireNoGradient) {
  const auto run = [](bool recorded) {
    const Model model = Model::create(config(), device(), 3);
    for (const size_t frozen : {size_t{0}, size_t{4}}) {
      Tensor value = model.parameters()[frozen].value;
      value.set_requires_grad(false);
    }
    TrainingPass pass(model, {});
    std::vector<std::vector<float>> numbers;
    for (int64_t i = 0; i < 6; ++i) {
      if (recorded) {
        pass.forward(batch_of(2, 6, i));
        pass.backward();
      } else {
        backward(model.loss(batch_of(2, 6, i)));
      }
      for (const Parameter& parameter : model.parameters()) {
        Tensor value = parameter.value;
        numbers.push_back(value.grad().defined() ? value.grad().to_vector<float>() : std::vector<float>());
        if (i % 2 == 1) value.set_grad({});
      }
    }
    return numbers;
  };
  EXPECT_EQ(run(true), run(false));
}

TEST(TrainingPass, TakesItsGradientsAlong) {
  const Model model = Model::create(config(), device(), 3);
  {
    TrainingPass pass(model, {});
    for (int64_t i = 0; i < 3; ++i) {
      for (const Parameter& parameter : model.parameters()) {
        Tensor value = parameter.value;
        value.set_grad({});
      }
      pass.forward(batch_of(2, 6, i));
      pass.backward();
    }
    EXPECT_TRUE(model.parameters()[0].value.grad().defined());
    if (pass.replays() == 0) return;
  }
  EXPECT_FALSE(model.parameters()[0].value.grad().defined());
}

TEST(TrainingPass, RefusesWhatLossRefuses) {
  const Model model = Model::create(config(), device(), 3);
  TrainingPass pass(model, {});
  EXPECT_THROW(pass.backward(), Error);
  for (int64_t i = 0; i < 3; ++i) {
    pass.forward(batch_of(2, 6, i));
    pass.backward();
    EXPECT_THROW(pass.backward(), Error);
    for (const Parameter& parameter : model.parameters()) {
      Tensor value = parameter.value;
      value.set_grad({});
    }
  }
  TokenBatch wrong = batch_of(2, 6, 0);
  wrong.ids[3] = 72;
  EXPECT_THROW(pass.forward(wrong), Error);
  EXPECT_THROW(pass.backward(), Error);
  EXPECT_THROW(pass.forward(batch_of(2, 65, 0)), Error);
  EXPECT_THROW(pass.forward({2, {1, 2, 3}, {1, 2, 3}}), Error);
  EXPECT_THROW(pass.forward({0, {}, {}}), Error);
}

}  // namespace
}  // namespace tern
