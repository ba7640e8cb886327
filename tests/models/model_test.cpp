// SPDX-License-Identifier: Apache-2.0
// The same bits whichever way a model runs: training or inference, masters or packed, any thread count, with a cache or
// without.
#include "tern/model.h"

#include <gtest/gtest.h>

#include <cmath>

#include "io/safetensors.h"
#include "support/fails_with.h"
#include "support/temporary_directory.h"
#include "support/test_device.h"
#include "tern/autograd.h"
#include "tern/ops.h"

namespace tern {
namespace {

using testing::TemporaryDirectory;

std::string fixture(const std::string& name) { return TERN_TEST_DATA "/hf/" + name; }

Tensor fixture_ids(const std::string& name, const Device& device) {
  return clone(SafetensorsFile(fixture(name) + "/expected.safetensors").tensor("input_ids", device));
}

ModelConfig odd_config() {
  ModelConfig config;
  config.vocab_size = 67;
  config.hidden_size = 42;
  config.intermediate_size = 53;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 3;
  config.num_key_value_heads = 1;
  config.max_position_embeddings = 31;
  config.tie_word_embeddings = false;
  return config;
}

TEST(Model, TrainingAndPackedInferenceScoreAlike) {
  const Device device = testing::test_device();
  for (const std::string family : {"tiny", "tied"}) {
    const Tensor ids = fixture_ids(family + "-online", device);
    const TemporaryDirectory directory;
    const Model masters = Model::load(fixture(family + "-online"), device);
    masters.save(directory.path(), Weights::packed);
    const Model packed = Model::load(directory.path(), device);
    const std::vector<float> inference = packed.logits(ids).to_vector<float>();
    const Tensor training = masters.training_logits(ids);
    EXPECT_TRUE(training.requires_grad());
    EXPECT_EQ(training.to_vector<float>(), inference) << family;
    EXPECT_EQ(masters.logits(ids).to_vector<float>(), inference) << family;
    EXPECT_FALSE(packed.training_logits(ids).requires_grad());
    EXPECT_EQ(masters.loss(ids).item(), packed.loss(ids).item()) << family;
  }
}

TEST(Model, ThreadsDoNotChangeABit) {
  for (const std::string name : {"tiny-online", "tiny-packed-bitlinear", "tied-packed-autobitlinear"}) {
    std::vector<std::vector<float>> logits;
    for (const int threads : {1, 2, 3}) {
      const Device device = Device::open("cpu", {threads, ""});
      logits.push_back(Model::load(fixture(name), device).logits(fixture_ids(name, device)).to_vector<float>());
    }
    EXPECT_EQ(logits[0], logits[1]) << name;
    EXPECT_EQ(logits[0], logits[2]) << name;
  }
}

TEST(Model, InstructionSetsDoNotChangeABit) {
  std::vector<float> first;
  for (const std::string& isa : Device::cpu_isas()) {
    const Device device = Device::open("cpu", {2, isa});
    const std::vector<float> logits =
        Model::load(fixture("tiny-online"), device).logits(fixture_ids("tiny-online", device)).to_vector<float>();
    if (first.empty()) first = logits;
    EXPECT_EQ(first, logits) << isa;
  }
}

TEST(Model, GradientsAreTheSameForEveryThreadCountAndInstructionSet) {
  std::vector<std::vector<float>> first;
  for (const std::string& isa : Device::cpu_isas()) {
    for (const int threads : {1, 3}) {
      const Device device = Device::open("cpu", {threads, isa});
      const Model model = Model::create(odd_config(), device, 5);
      const Tensor ids = Tensor::from(std::vector<int64_t>{1, 2, 3, 66, 0, 9, 9, 9, 5, 4, 3, 2, 1, 0}, {2, 7}, device);
      backward(model.loss(ids));
      std::vector<std::vector<float>> gradients;
      for (const Parameter& parameter : model.parameters())
        gradients.push_back(parameter.value.grad().to_vector<float>());
      if (first.empty()) first = gradients;
      EXPECT_EQ(first, gradients) << isa << " " << threads;
    }
  }
}

TEST(Model, ACacheDoesNotChangeABit) {
  const Device device = testing::test_device();
  const Model model = Model::create(odd_config(), device, 11);
  const int64_t tokens = 29;
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < 2 * tokens; ++i) ids.push_back(i * 7 % 67);
  const Tensor all = Tensor::from(ids, {2, tokens}, device);
  const std::vector<float> whole = model.logits(all).to_vector<float>();
  for (const int64_t chunk : {1, 2, 5, 28, 29}) {
    KvCache cache = model.make_cache(2, tokens);
    std::vector<Tensor> parts;
    for (int64_t begin = 0; begin < tokens; begin += chunk) {
      parts.push_back(model.logits(slice(all, 1, begin, std::min(begin + chunk, tokens)), &cache));
    }
    EXPECT_EQ(cache.length, tokens);
    EXPECT_EQ(concat(parts, 1).to_vector<float>(), whole) << chunk;
  }
  KvCache cache = model.make_cache(2, tokens);
  const Tensor last = model.next_logits(all, &cache);
  EXPECT_EQ(last.to_vector<float>(), select(model.logits(all), 1, tokens - 1).to_vector<float>());
}

TEST(Model, RefusesWhatDoesNotFit) {
  const Device device = testing::test_device();
  const Model model = Model::create(odd_config(), device, 1);
  const auto ids = [&](int64_t batch, int64_t tokens, int64_t value) {
    return Tensor::full({batch, tokens}, static_cast<double>(value), DType::i64, device);
  };
  EXPECT_THROW(model.logits(ids(1, 32, 0)), Error) << "longer than the window";
  EXPECT_THROW(model.logits(ids(1, 0, 0)), Error);
  EXPECT_THROW(model.logits(ids(1, 3, 67)), Error) << "beyond the vocabulary";
  EXPECT_THROW(model.logits(ids(1, 3, -1)), Error);
  EXPECT_THROW(model.logits(Tensor::zeros({3}, DType::i64, device)), Error);
  EXPECT_THROW(model.logits(Tensor::zeros({1, 3}, DType::i32, device)), Error);
  EXPECT_THROW(model.loss(ids(1, 1, 0)), Error);
  KvCache cache = model.make_cache(1, 4);
  EXPECT_THROW(model.logits(ids(2, 2, 0), &cache), Error);
  EXPECT_THROW(model.logits(ids(1, 5, 0), &cache), Error);
  EXPECT_EQ(cache.length, 0);
  EXPECT_THROW(model.make_cache(0, 4), Error);
}

TEST(Model, CreateDependsOnTheSeedAlone) {
  const auto weights = [](uint64_t seed, int threads) {
    std::vector<std::vector<float>> out;
    for (const Parameter& p : Model::create(odd_config(), Device::open("cpu", {threads, ""}), seed).parameters())
      out.push_back(p.value.to_vector<float>());
    return out;
  };
  EXPECT_EQ(weights(3, 1), weights(3, 2));
  EXPECT_NE(weights(3, 1), weights(4, 1));
}

TEST(Model, CreateHasTheAskedDeviation) {
  ModelConfig config = odd_config();
  config.initializer_range = 0.05;
  for (const Parameter& p : Model::create(config, testing::test_device(), 9).parameters()) {
    double sum = 0, squares = 0;
    const std::vector<float> values = p.value.to_vector<float>();
    for (const float v : values) sum += v, squares += double(v) * v;
    const auto n = static_cast<double>(values.size());
    if (p.value.rank() == 1) {
      EXPECT_EQ(sum, n) << p.name;
    } else {
      // Five standard errors of the mean and of the standard deviation.
      EXPECT_NEAR(sum / n, 0.0, 5 * 0.05 / std::sqrt(n)) << p.name;
      EXPECT_NEAR(std::sqrt(squares / n), 0.05, 5 * 0.05 / std::sqrt(2 * n)) << p.name;
    }
  }
}

TEST(Model, InfoCounts) {
  const Model model = Model::load(fixture("tied-packed-autobitlinear"), testing::test_device());
  const ModelInfo info = model.info();
  const int64_t ternary = 2 * (4 * 192 * 192 + 3 * 192 * 512);
  EXPECT_EQ(info.ternary_parameters, ternary);
  EXPECT_EQ(info.parameters, ternary + 512 * 192 + 2 * (3 * 192 + 512) + 192);
  EXPECT_EQ(info.f32_bytes, info.parameters * 4);
  EXPECT_EQ(info.packed_bytes, ternary / 4 + 4 * 14 + (info.parameters - ternary) * 4);
  EXPECT_GT(model.zero_share(), 0.2);
  EXPECT_LT(model.zero_share(), 0.5);
  EXPECT_GE(info.ternary_bytes, ternary / 4);
}

// The packed file's bytes.
std::string saved(const Model& model) {
  const TemporaryDirectory directory;
  model.save(directory.path(), Weights::packed);
  return directory.read("model.safetensors");
}

TEST(Model, RandomPackedWeightsDependOnTheSeedAlone) {
  ModelConfig config = odd_config();
  config.intermediate_size = 5003;  // several blocks of rows
  config.vocab_size = 3001;
  const std::string one = saved(Model::create_random_packed(config, Device::open("cpu", {.threads = 1}), 3));
  EXPECT_EQ(saved(Model::create_random_packed(config, Device::open("cpu", {.threads = 4}), 3)), one);
  EXPECT_EQ(saved(Model::create_random_packed(config, Device::open("cpu", {.threads = 2, .isa = "scalar"}), 3)), one);
  EXPECT_NE(saved(Model::create_random_packed(config, Device::open("cpu", {.threads = 1}), 4)), one);
}

TEST(Model, RandomPackedWeightsHaveTheFrequenciesOfATrainedModel) {
  const Device device = testing::test_device();
  ModelConfig config = odd_config();
  config.hidden_size = 384;
  config.intermediate_size = 1009;
  const Model model = Model::create_random_packed(config, device, 3);
  const TemporaryDirectory directory;
  model.save(directory.path(), Weights::packed);
  const SafetensorsFile file(directory.path() + "/model.safetensors");
  int64_t counts[4] = {}, all = 0;
  for (const std::string& name : file.names()) {
    if (!file.info(name).dtype || *file.info(name).dtype != DType::u8) continue;
    const Tensor packed = file.tensor(name, device);
    if (packed.size(1) * 4 > packed.numel()) continue;
    for (const uint8_t byte : packed.to_vector<uint8_t>()) {
      for (int shift = 0; shift < 6; shift += 2) ++counts[(byte >> shift) & 3];  // the last rows may be none
      all += 3;
    }
  }
  const double total = static_cast<double>(all);  // about 4 million: a standard deviation is below 0.00025
  EXPECT_NEAR(static_cast<double>(counts[0]) / total, 5.0 / 16, 0.002);
  EXPECT_NEAR(static_cast<double>(counts[1]) / total, 6.0 / 16, 0.002);
  EXPECT_NEAR(static_cast<double>(counts[2]) / total, 5.0 / 16, 0.002);
  const std::vector<float> embedding =
      cast(file.tensor("model.embed_tokens.weight", device), DType::f32).to_vector<float>();
  double sum = 0, squares = 0;
  for (const float value : embedding) sum += value, squares += static_cast<double>(value) * value;
  const double count = static_cast<double>(embedding.size());  // 25728: deviations of 0.6 % and 0.4 %
  EXPECT_NEAR(sum / count, 0, 0.03 * config.initializer_range);
  EXPECT_NEAR(std::sqrt(squares / count), config.initializer_range, 0.02 * config.initializer_range);
}

TEST(Model, RandomPackedModelsRun) {
  const Device device = testing::test_device();
  const Model model = Model::create_random_packed(odd_config(), device, 2);
  EXPECT_EQ(model.weights(), Weights::packed);
  for (const float logit : model.logits(Tensor::zeros({1, 3}, DType::i64, device)).to_vector<float>())
    EXPECT_TRUE(std::isfinite(logit));
}

// The losses and gradients of a batch whose targets are ignored here and there.
TokenBatch some_batch() {
  TokenBatch batch{2, {1, 2, 3, 66, 0, 9, 9, 9, 5, 4, 3, 2, 1, 0}, {2, 3, 66, 0, 9, 9, -100, 5, -100, 3, 2, 1, 0, 66}};
  return batch;
}

struct LossAndGradients {
  double loss;
  std::vector<std::vector<float>> gradients;
  friend bool operator==(const LossAndGradients&, const LossAndGradients&) = default;
};

template <class Loss>
LossAndGradients outcome_of(const ModelConfig& config, const Device& device, const Loss& loss_of) {
  const Model model = Model::create(config, device, 5);
  LossAndGradients out;
  for (int i = 0; i < 2; ++i) {  // the second adds to the first
    const Tensor loss = loss_of(model);
    out.loss = loss.item();
    backward(loss);
  }
  for (const Parameter& parameter : model.parameters())
    out.gradients.push_back(parameter.value.grad().to_vector<float>());
  return out;
}

TEST(Model, LossIsTheCrossEntropyOfItsLogits) {
  const Device device = testing::test_device();
  for (const bool tied : {false, true}) {
    ModelConfig config = odd_config();
    config.tie_word_embeddings = tied;
    const TokenBatch batch = some_batch();
    const Tensor ids = Tensor::from(batch.ids, {2, 7}, device), targets = Tensor::from(batch.targets, {2, 7}, device);
    const LossAndGradients expected = outcome_of(
        config, device, [&](const Model& model) { return cross_entropy(model.training_logits(ids), targets); });
    EXPECT_EQ(outcome_of(config, device, [&](const Model& model) { return model.loss(batch); }), expected);
    EXPECT_EQ(outcome_of(config, device, [&](const Model& model) { return model.loss(ids, targets); }), expected);
  }
}

TEST(Model, RecomputingDoesNotChangeABit) {
  const Device device = testing::test_device();
  for (const bool tied : {false, true}) {
    ModelConfig config = odd_config();
    config.tie_word_embeddings = tied;
    const auto with = [&](bool recompute) {
      return outcome_of(config, device,
                        [&](const Model& model) { return model.loss(some_batch(), {.recompute = recompute}); });
    };
    EXPECT_EQ(with(true), with(false));
  }
}

TEST(Model, ALossOutlivesItsModel) {
  Tensor loss;
  std::vector<Parameter> parameters;
  {
    const Model model = Model::create(odd_config(), testing::test_device(), 5);
    parameters = model.parameters();
    loss = model.loss(some_batch(), {.recompute = true});
  }
  backward(loss);
  for (const Parameter& parameter : parameters) EXPECT_TRUE(parameter.value.grad().defined()) << parameter.name;
}

TEST(Model, ChecksABatch) {
  const Model model = Model::create(odd_config(), testing::test_device(), 1);
  const auto loss = [&](int64_t sequences, std::vector<int64_t> ids, std::vector<int64_t> targets) {
    return [=] { model.loss(TokenBatch{sequences, ids, targets}); };
  };
  using testing::fails_with;
  EXPECT_TRUE(fails_with("expected ids in [0, 67), got 67 at [0, 1]", loss(2, {0, 67, 1, 2}, {0, 0, 0, 0})));
  EXPECT_TRUE(
      fails_with("[loss] expected targets in [0, 67) or -100, got -1 at [1, 0]", loss(2, {0, 1, 1, 2}, {0, 0, -1, 0})));
  EXPECT_TRUE(fails_with("got 3 ids and 3 targets in 2", loss(2, {0, 1, 2}, {0, 1, 2})));
  EXPECT_TRUE(fails_with("got 2 ids and 1 targets in 1", loss(1, {0, 1}, {0})));
  EXPECT_TRUE(fails_with("at least one", loss(1, {}, {})));
  EXPECT_TRUE(fails_with("got 0", loss(0, {}, {})));
}

TEST(Model, ItsMemoryHasLabels) {
  const Device device = testing::test_device();
  const Model model = Model::create({.hidden_size = 64, .intermediate_size = 128, .num_hidden_layers = 1}, device, 1);
  const KvPool pool = model.make_kv_pool({.pages = 1});
  size_t weights = 0, keys_and_values = 0;
  for (const LabelStatistics& label : device.memory_labels()) {
    if (label.label == "weights") weights = label.live;
    if (label.label == "keys and values") keys_and_values = label.live;
  }
  EXPECT_GE(weights, static_cast<size_t>(model.info().parameters) * 4);  // masters
  EXPECT_GE(keys_and_values, static_cast<size_t>(pool.bytes()));
}

}  // namespace
}  // namespace tern
