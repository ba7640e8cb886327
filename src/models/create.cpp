// SPDX-License-Identifier: Apache-2.0
// Models with fresh weights.
#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <vector>

#include "base/random.h"
#include "device/parallel.h"
#include "models/architecture.h"
#include "models/head.h"
#include "ops/pack_rows.h"

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

constexpr int64_t kCodesPerWord = 16;

// 16 codes from 64 random bits, at about the frequencies of a trained model: 6 of 16 are 0, 5 each are -1 and +1.
void random_codes(uint64_t bits, int8_t* codes) {
  constexpr uint64_t kOnes = 0x0101010101010101u;
  for (int half = 0; half < 2; ++half) {
    const uint64_t u = (bits >> (4 * half)) & 0x0f * kOnes;            // eight numbers below 16
    const uint64_t from_6 = ((u + (128 - 6) * kOnes) >> 7) & kOnes;    // 1 where u >= 6
    const uint64_t from_11 = ((u + (128 - 11) * kOnes) >> 7) & kOnes;  // 1 where u >= 11
    const uint64_t eight = from_6 + from_11 * 0xfe;                    // 0, 1, or 1 - 2 in every byte
    std::memcpy(codes + 8 * half, &eight, sizeof eight);
  }
}

// A row's words of random bits have numbers of their own, so a row does not depend on those before it.
void random_row(uint64_t stream, int64_t row, std::span<int8_t> codes) {
  const auto cols = static_cast<int64_t>(codes.size());
  auto word = static_cast<uint64_t>(row * ((cols + kCodesPerWord - 1) / kCodesPerWord));
  int64_t col = 0;
  for (; col + kCodesPerWord <= cols; col += kCodesPerWord)
    random_codes(random_bits(stream, word++), codes.data() + col);
  if (col == cols) return;
  int8_t tail[kCodesPerWord];
  random_codes(random_bits(stream, word), tail);
  std::memcpy(codes.data() + col, tail, static_cast<size_t>(cols - col));
}

// Of a finite number, rounded to nearest even; inline, since there are hundreds of millions.
bf16 to_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  bf16 out;
  out.bits = static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
  return out;
}

// Uniform in (-half_width, half_width), 16 bits each.
Tensor random_bf16(const Shape& shape, double half_width, uint64_t stream, const Device& device) {
  constexpr int64_t kBlock = 1 << 16;  // elements, four to a word of random bits
  const Tensor out = Tensor::empty(shape, DType::bf16, device);
  const float step = static_cast<float>(half_width / 32768);
  parallel_blocks(device, (shape.numel() + kBlock - 1) / kBlock, [&](int, int64_t block) {
    std::vector<bf16> values(static_cast<size_t>(std::min(kBlock, shape.numel() - block * kBlock)));
    for (size_t i = 0; i < values.size(); i += 4) {
      uint64_t bits = random_bits(stream, (static_cast<uint64_t>(block * kBlock) + i) / 4);
      for (size_t j = i; j < std::min(i + 4, values.size()); ++j, bits >>= 16) {
        values[j] = to_bf16((static_cast<float>(static_cast<int16_t>(bits)) + 0.5f) * step);
      }
    }
    device.memory().copy_to_device(out.data<bf16>() + block * kBlock, values.data(), values.size() * sizeof(bf16));
  });
  return out;
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
    const double half_width = model_.config().initializer_range * 1.7320508;  // of a uniform with that deviation
    weight = DenseWeight(random_bf16(shape, half_width, random_bits(seed_, count_++), model_.device()), false);
  }
  void ternary(const std::string&, BitLinear& linear, int64_t rows, int64_t cols) override {
    const uint64_t stream = random_bits(seed_, count_++);
    const auto scale = static_cast<float>(model_.config().initializer_range);
    linear = BitLinear(
        pack_ternary_rows(rows, cols, scale, model_.device(), [&](int64_t row, int64_t count, std::span<int8_t> codes) {
          for (int64_t r = 0; r < count; ++r) {
            random_row(stream, row + r, codes.subspan(static_cast<size_t>(r * cols), static_cast<size_t>(cols)));
          }
        }));
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
  const MemoryLabel label("weights");
  std::shared_ptr<Architecture> model = make(config, device, Weights::masters);
  Initializer initializer(*model, seed);
  model->visit(initializer);
  return Model(std::move(model));
}

Model Model::create_random_packed(const ModelConfig& config, const Device& device, uint64_t seed,
                                  const LoadOptions& options) {
  const MemoryLabel label("weights");
  std::shared_ptr<Architecture> model = make(config, device, Weights::packed);
  RandomPacked filler(*model, seed);
  model->visit(filler);
  tern::set_head(*model, options.head.value_or(default_head(*model)));
  return Model(std::move(model));
}

}  // namespace tern
