// SPDX-License-Identifier: Apache-2.0
// Models with fresh weights.
#include <vector>

#include "base/random.h"
#include "models/architecture.h"
#include "models/head.h"

namespace tern {
namespace {

// normal(0, deviation); the numbers of a weight depend on the seed and on how many weights came before it.
Tensor normal(const Shape& shape, double deviation, Random random, const Device& device) {
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  for (float& value : values) value = static_cast<float>(random.normal() * deviation);
  return Tensor::from(values, shape, device);
}

// A stream of its own for the i-th weight.
Random stream(uint64_t seed, uint64_t weight) { return Random(random_bits(seed, weight)); }

class Initializer final : public WeightVisitor {
 public:
  Initializer(const Architecture& model, uint64_t seed) : model_(model), seed_(seed) {}

  void dense(const std::string&, DenseWeight& weight, const Shape& shape) override {
    const Random random = stream(seed_, count_++);
    Tensor value = shape.rank() == 1 ? Tensor::full(shape, 1.0, DType::f32, model_.device())
                                     : normal(shape, model_.config().initializer_range, random, model_.device());
    weight = DenseWeight(std::move(value), true);
  }
  void ternary(const std::string&, BitLinear& linear, int64_t rows, int64_t cols) override {
    const Random random = stream(seed_, count_++);
    linear = BitLinear(normal({rows, cols}, model_.config().initializer_range, random, model_.device()),
                       find_weight_scheme("absmean"));
  }

 private:
  const Architecture& model_;
  uint64_t seed_;
  uint64_t count_ = 0;
};

// Codes at about the frequencies of a trained model: 6 of 16 are 0, 5 each are -1 and +1.
Tensor random_codes(int64_t rows, int64_t cols, Random random, const Device& device) {
  constexpr int8_t kCodes[16] = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1};
  std::vector<int8_t> codes(static_cast<size_t>(rows * cols));
  uint64_t bits = 0;
  for (size_t i = 0; i < codes.size(); ++i) {
    if (i % 16 == 0) bits = random.bits();
    codes[i] = kCodes[bits & 15];
    bits >>= 4;
  }
  return Tensor::from(codes, {rows, cols}, device);
}

class RandomPacked final : public WeightVisitor {
 public:
  RandomPacked(const Architecture& model, uint64_t seed) : model_(model), seed_(seed) {}

  // The embedding in bf16, as bitnet-b1.58-2B-4T stores it.
  void dense(const std::string&, DenseWeight& weight, const Shape& shape) override {
    if (shape.rank() == 1) {
      weight = DenseWeight(Tensor::full(shape, 1.0, DType::f32, model_.device()), false);
      return;
    }
    Random random = stream(seed_, count_++);
    const double half_width = model_.config().initializer_range * 1.7320508;  // of a uniform with that deviation
    std::vector<bf16> values(static_cast<size_t>(shape.numel()));
    for (bf16& value : values) value = bf16(static_cast<float>((random.uniform() * 2 - 1) * half_width));
    weight = DenseWeight(Tensor::from(values, shape, model_.device()), false);
  }
  void ternary(const std::string&, BitLinear& linear, int64_t rows, int64_t cols) override {
    const Tensor codes = random_codes(rows, cols, stream(seed_, count_++), model_.device());
    linear = BitLinear(pack_ternary(codes, static_cast<float>(model_.config().initializer_range)));
  }

 private:
  const Architecture& model_;
  uint64_t seed_;
  uint64_t count_ = 0;
};

std::shared_ptr<Architecture> make(const ModelConfig& config, const Device& device, Weights weights) {
  config.validate();
  std::shared_ptr<Architecture> model = find_architecture(config.architecture).make(config, device);
  model->weights = weights;
  return model;
}

}  // namespace

Model Model::create(const ModelConfig& config, const Device& device, uint64_t seed) {
  std::shared_ptr<Architecture> model = make(config, device, Weights::masters);
  Initializer initializer(*model, seed);
  model->visit(initializer);
  return Model(std::move(model));
}

Model Model::create_random_packed(const ModelConfig& config, const Device& device, uint64_t seed) {
  std::shared_ptr<Architecture> model = make(config, device, Weights::packed);
  RandomPacked filler(*model, seed);
  model->visit(filler);
  tern::set_head(*model, default_head(*model));
  return Model(std::move(model));
}

}  // namespace tern
