// SPDX-License-Identifier: Apache-2.0
// A model on a device that was asked for bf16, beside the same one in f32, which other tests judge. Where the device has
// mixed-precision kernels the two differ by roundings; elsewhere not at all.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "ops/mixed.h"
#include "support/test_device.h"
#include "tern/autograd.h"
#include "tern/model.h"
#include "tern/ops.h"

namespace tern {
namespace {

const Device& in_f32() {
  static const Device device = testing::test_device();
  return device;
}
const Device& in_bf16() {
  static const Device device = testing::test_device(DeviceOptions{.matmul_precision = MatmulPrecision::bf16});
  return device;
}

ModelConfig config_of(int64_t hidden, int64_t intermediate, int64_t heads, int64_t kv_heads, int64_t vocab) {
  ModelConfig config;
  config.vocab_size = vocab;
  config.hidden_size = hidden;
  config.intermediate_size = intermediate;
  config.num_hidden_layers = 3;
  config.num_attention_heads = heads;
  config.num_key_value_heads = kv_heads;
  config.max_position_embeddings = 256;
  return config;
}

struct Step {
  double loss;
  std::vector<std::string> names;
  std::vector<std::vector<float>> gradients;
};

Step step_of(const ModelConfig& config, const Device& device, int64_t batch, int64_t tokens, bool recompute) {
  const Model model = Model::create(config, device, 11);
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < batch * tokens; ++i) ids.push_back((i * i + 3 * i + 7 * (i / tokens)) % config.vocab_size);
  const Tensor loss = model.loss(Tensor::from(ids, {batch, tokens}, device), {.recompute = recompute});
  backward(loss);
  Step step{loss.item(), {}, {}};
  for (const Parameter& parameter : model.parameters()) {
    step.names.push_back(parameter.name);
    step.gradients.push_back(parameter.value.grad().to_vector<float>());
  }
  return step;
}

// ‖a - b‖ / ‖b‖.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (double{a[i]} - double{b[i]}) * (double{a[i]} - double{b[i]});
    size += double{b[i]} * double{b[i]};
  }
  return size == 0 ? std::sqrt(difference) : std::sqrt(difference / size);
}

// An activation rounded to bf16 is off by 2^-9 of itself at most, 2^-9 / √3 at rms. Then int8 rounding turns an error of
// e < 1/4 of a code into a whole one with probability e: the codes of a row (rms about 40) get an error of rms √0.05, half a
// percent. Each of a layer's four products adds this once, its gradients as much again, and the squared gate doubles its
// share: about 1 % a layer, with three layers and both directions below 6 %.
constexpr double kGradientTolerance = 0.06;
// Of the loss only what the logits' errors leave in the mean over all tokens.
constexpr double kLossTolerance = 0.01;

void expect_near(const ModelConfig& config, int64_t batch, int64_t tokens, bool recompute) {
  SCOPED_TRACE(config.hidden_size);
  const Step wide = step_of(config, in_f32(), batch, tokens, recompute);
  const Step mixed = step_of(config, in_bf16(), batch, tokens, recompute);
  const bool rounds = mixed::is_available(in_bf16());
  EXPECT_NEAR(mixed.loss, wide.loss, rounds ? kLossTolerance * wide.loss : 0.0);
  ASSERT_EQ(mixed.names, wide.names);
  for (size_t i = 0; i < wide.names.size(); ++i) {
    EXPECT_LE(distance(mixed.gradients[i], wide.gradients[i]), rounds ? kGradientTolerance : 0.0) << wide.names[i];
  }
}

TEST(MixedTraining, GradientsAreThoseOfF32ButForRoundings) {
  expect_near(config_of(64, 96, 4, 2, 72), 3, 33, false);
  expect_near(config_of(128, 320, 2, 1, 1000), 2, 130, false);
  expect_near(config_of(48, 40, 1, 1, 264), 1, 17, false);
}

TEST(MixedTraining, RecomputedLayersGiveTheSameBits) {
  const ModelConfig config = config_of(64, 96, 4, 2, 72);
  const Step kept = step_of(config, in_bf16(), 2, 65, false), again = step_of(config, in_bf16(), 2, 65, true);
  EXPECT_EQ(kept.loss, again.loss);
  EXPECT_EQ(kept.gradients, again.gradients);
}

TEST(MixedTraining, EachRunGivesTheSameBits) {
  const ModelConfig config = config_of(128, 256, 2, 2, 512);
  const Step first = step_of(config, in_bf16(), 4, 128, false), second = step_of(config, in_bf16(), 4, 128, false);
  EXPECT_EQ(first.loss, second.loss);
  EXPECT_EQ(first.gradients, second.gradients);
}

// Extents that the kernels do not take: trained as ever.
TEST(MixedTraining, OddExtentsTrainToo) {
  for (const ModelConfig& config : {config_of(42, 53, 3, 1, 67), config_of(64, 96, 4, 2, 71)}) {
    const Step wide = step_of(config, in_f32(), 2, 9, false), mixed = step_of(config, in_bf16(), 2, 9, false);
    EXPECT_NEAR(mixed.loss, wide.loss, kLossTolerance * wide.loss);
  }
}

}  // namespace
}  // namespace tern
