// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "support/fails_with.h"
#include "support/test_device.h"
#include "tern/train.h"
#include "train/tiny_run.h"

namespace tern {
namespace {

using testing::fails_with;

Model model_on(const Device& device) { return Model::create(testing::tiny_config().model, device, 3); }

// Mean of -log softmax(logits)[next], a token at a time, in double.
double naive_loss(const Model& model, const std::vector<int32_t>& ids, int64_t window) {
  double sum = 0;
  for (size_t begin = 0; begin + 1 < ids.size(); begin += static_cast<size_t>(window - 1)) {
    const size_t end = std::min(ids.size(), begin + static_cast<size_t>(window));
    const std::vector<int64_t> inputs(ids.begin() + static_cast<int64_t>(begin),
                                      ids.begin() + static_cast<int64_t>(end) - 1);
    const auto count = static_cast<int64_t>(inputs.size());
    const std::vector<float> logits = model.logits(Tensor::from(inputs, {1, count}, model.device())).to_vector<float>();
    const size_t classes = logits.size() / inputs.size();
    for (size_t t = 0; t < inputs.size(); ++t) {
      double total = 0;
      for (size_t c = 0; c < classes; ++c) total += std::exp(static_cast<double>(logits[t * classes + c]));
      sum += std::log(total) - static_cast<double>(logits[t * classes + static_cast<size_t>(ids[begin + t + 1])]);
    }
  }
  return sum / static_cast<double>(ids.size() - 1);
}

TEST(Evaluate, IsTheMeanLossOfEveryTokenButTheFirst) {
  const Model model = model_on(testing::test_device());
  for (const size_t count : {2u, 3u, 9u, 32u, 33u, 34u, 65u, 640u}) {
    const std::vector<int32_t> ids = testing::babble(count, 4);
    for (const int64_t window : {2, 3, 8, 33}) {
      const Evaluation result = evaluate(model, ids, 2 * static_cast<int64_t>(count), window);
      const double expected = naive_loss(model, ids, window);
      // Each token's loss is f32, of size about 6, from a sum of 256 exponentials.
      EXPECT_NEAR(result.loss, expected, 1e-5) << count << " " << window;
      EXPECT_EQ(result.tokens, static_cast<int64_t>(count) - 1);
      EXPECT_DOUBLE_EQ(result.perplexity, std::exp(result.loss));
      EXPECT_NEAR(result.bits_per_byte, result.loss / std::log(2.0) / 2, 1e-12);
      EXPECT_GT(result.tokens_per_second, 0);
    }
  }
}

TEST(Evaluate, DoesNotDependOnThreads) {
  const std::vector<int32_t> ids = testing::babble(777, 4);
  const double one = evaluate(model_on(Device::open("cpu", {1, ""})), ids, 777, 33).loss;
  for (const int threads : {2, 3}) {
    EXPECT_EQ(evaluate(model_on(Device::open("cpu", {threads, ""})), ids, 777, 33).loss, one) << threads;
  }
}

TEST(Evaluate, OtherKvTypesDoNotDependOnThreadsOrInstructionSetsEither) {
  const std::vector<int32_t> ids = testing::babble(777, 4);
  const double exact = evaluate(model_on(Device::open("cpu", {1, ""})), ids, 777, 33).loss;
  for (const KvType kv : {KvType::f16, KvType::int8, KvType::int4}) {
    const double loss = evaluate(model_on(Device::open("cpu", {1, "scalar"})), ids, 777, 33, kv).loss;
    EXPECT_NE(loss, exact);
    EXPECT_NEAR(loss, exact, 0.1) << name_of(kv);
    for (const std::string& isa : Device::cpu_isas()) {
      EXPECT_EQ(evaluate(model_on(Device::open("cpu", {2, isa})), ids, 777, 33, kv).loss, loss) << name_of(kv) << isa;
    }
  }
}

// With so large a vocabulary one window's logits are too many to be held at once.
TEST(Evaluate, GoesThroughLongWindowsInChunks) {
  TrainConfig config = testing::tiny_config();
  config.model.hidden_size = 16;
  config.model.intermediate_size = 16;
  config.model.num_hidden_layers = 1;
  config.model.vocab_size = 1 << 20;
  config.model.max_position_embeddings = 64;
  const Model model = Model::create(config.model, testing::test_device(), 3);
  const std::vector<int32_t> ids = testing::babble(40, 4);
  EXPECT_NEAR(evaluate(model, ids, 40, 41).loss, naive_loss(model, ids, 41), 1e-4);
}

TEST(Evaluate, HasNoBitsPerByteWithoutBytes) {
  EXPECT_EQ(evaluate(model_on(testing::test_device()), testing::babble(9, 1), 0, 5).bits_per_byte, 0);
}

TEST(Evaluate, RefusesWhatItCannotMeasure) {
  const Model model = model_on(testing::test_device());
  const std::vector<int32_t> ids = testing::babble(9, 1);
  EXPECT_TRUE(fails_with("at least 2 tokens, got 0", [&] { evaluate(model, {}, 0, 8); }));
  EXPECT_TRUE(fails_with("got 1", [&] { evaluate(model, std::span(ids).first(1), 1, 8); }));
  EXPECT_TRUE(fails_with("window of 2 to 33", [&] { evaluate(model, ids, 9, 34); }));
  EXPECT_TRUE(fails_with("window", [&] { evaluate(model, ids, 9, 1); }));
  EXPECT_TRUE(fails_with("bytes", [&] { evaluate(model, ids, -1, 8); }));
  for (const int32_t bad : {-100, -1, 256}) {
    EXPECT_TRUE(fails_with("[0, 256)", [&] { evaluate(model, std::vector<int32_t>{1, 2, bad}, 3, 8); })) << bad;
  }
}

}  // namespace
}  // namespace tern
