// SPDX-License-Identifier: Apache-2.0
// bf16 and f16: computed in f32 and rounded once, in every op family; gradients are f32.
#include <gtest/gtest.h>

#include <functional>

#include "support/test_device.h"
#include "tern/autograd.h"
#include "tern/elementwise.h"
#include "tern/ops.h"

namespace tern {
namespace {

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

Tensor numbers(const Shape& shape, float shift) {
  std::vector<float> values;
  for (int64_t i = 0; i < shape.numel(); ++i)
    values.push_back(static_cast<float>((i * 37 + 11) % 29) / 7.3f - 1.9f + shift);
  return Tensor::from(values, shape, cpu());
}

struct Case {
  const char* name;
  std::vector<Shape> shapes;
  std::function<Tensor(const std::vector<Tensor>&)> op;
};

const std::vector<int> kFirst = {0};

std::vector<Case> cases() {
  using Tensors = std::vector<Tensor>;
  return {{"add", {{3, 5}, {5}}, [](const Tensors& x) { return x[0] + x[1]; }},
          {"div", {{3, 5}, {3, 1}}, [](const Tensors& x) { return x[0] / x[1]; }},
          {"maximum", {{3, 5}, {5}}, [](const Tensors& x) { return maximum(x[0], x[1]); }},
          {"add number", {{7}}, [](const Tensors& x) { return add(x[0], 0.5); }},
          {"where", {{3, 5}, {5}}, [](const Tensors& x) { return where(less(x[0], x[1]), x[0], x[1]); }},
          {"exp", {{17}}, [](const Tensors& x) { return exp(x[0]); }},
          {"silu", {{17}}, [](const Tensors& x) { return silu(x[0]); }},
          {"relu2_gate", {{3, 5}, {3, 5}}, [](const Tensors& x) { return relu2_gate(x[0], x[1]); }},
          {"sum", {{65, 3}}, [](const Tensors& x) { return sum(x[0], kFirst); }},
          {"mean", {{65, 3}}, [](const Tensors& x) { return mean(x[0], kFirst, true); }},
          {"max", {{3, 5}}, [](const Tensors& x) { return max(x[0], 1); }},
          {"rms_norm", {{3, 33}, {33}}, [](const Tensors& x) { return rms_norm(x[0], x[1], 1e-5f); }},
          {"softmax", {{3, 33}}, [](const Tensors& x) { return softmax(x[0]); }},
          {"matmul", {{3, 33}, {33, 5}}, [](const Tensors& x) { return matmul(x[0], x[1]); }},
          {"attention", {{1, 3, 2, 4}, {1, 3, 1, 4}, {1, 3, 1, 4}}, [](const Tensors& x) {
             return attention(x[0], x[1], x[2], 0.5f);
           }}};
}

// The op on halves is the op on their f32 values, rounded; its gradients are those of the f32 op.
TEST(Half, IsComputedInF32AndRoundedOnce) {
  for (const Case& c : cases()) {
    for (const DType dtype : {DType::bf16, DType::f16}) {
      SCOPED_TRACE(std::string(c.name) + " " + std::string(name_of(dtype)));
      std::vector<Tensor> halves, wides;
      for (size_t i = 0; i < c.shapes.size(); ++i) {
        halves.push_back(cast(numbers(c.shapes[i], 0.13f * static_cast<float>(i)), dtype).set_requires_grad());
        wides.push_back(cast(halves.back().detach(), DType::f32).set_requires_grad());
      }
      const Tensor y = c.op(halves), expected = c.op(wides);
      ASSERT_EQ(y.dtype(), dtype);
      EXPECT_EQ(cast(y, DType::f32).to_vector<float>(), cast(cast(expected, dtype), DType::f32).to_vector<float>());
      const Tensor dy = numbers(y.shape(), 0.4f);
      backward(y, dy);
      backward(expected, dy);
      for (size_t i = 0; i < halves.size(); ++i) {
        ASSERT_EQ(halves[i].grad().dtype(), DType::f32);
        EXPECT_EQ(halves[i].grad().to_vector<float>(), wides[i].grad().to_vector<float>()) << i;
      }
    }
  }
}

// Runs of every length, from an element that no vector begins with: of vectors, their halves and single elements.
TEST(Half, ConvertsEveryLength) {
  for (const DType half : {DType::f16, DType::bf16}) {
    for (int64_t count = 0; count <= 131; ++count) {
      const Tensor x = slice(numbers({count + 1}, 0.017f), 0, 1, count + 1);
      std::vector<float> expected = x.to_vector<float>();
      for (float& value : expected) {
        value = half == DType::f16 ? static_cast<float>(f16(value)) : static_cast<float>(bf16(value));
      }
      const Tensor y = astype(x, half);
      ASSERT_EQ(astype(y, DType::f32).to_vector<float>(), expected) << count;
      const int64_t begin = count > 0 ? 1 : 0;
      ASSERT_EQ(astype(slice(y, 0, begin, count), DType::f32).to_vector<float>(),
                std::vector<float>(expected.begin() + begin, expected.end()))
          << count;
    }
  }
}

TEST(Half, CompareAndFindExtremes) {
  const Tensor x = cast(Tensor::from({1.0f, 3.0f, -2.0f}, {3}, cpu()), DType::bf16);
  EXPECT_EQ(argmax(x, 0).item(), 1);
  EXPECT_EQ(argmin(x, 0).item(), 2);
  EXPECT_EQ(cast(less(x, slice(x, 0, 0, 1)), DType::i32).to_vector<int32_t>(), (std::vector<int32_t>{0, 0, 1}));
}

TEST(Half, LossIsF32) {
  const Tensor logits = cast(numbers({3, 5}, 0), DType::bf16), targets = Tensor::arange(3, DType::i64, cpu());
  EXPECT_EQ(cross_entropy(logits, targets).dtype(), DType::f32);
  EXPECT_EQ(cross_entropy(logits, targets).item(), cross_entropy(cast(logits, DType::f32), targets).item());
}

TEST(Half, LinearWeightsAreTakenAsTheyAre) {
  const Tensor x = numbers({3, 33}, 0).set_requires_grad();
  const Tensor same = x.detach().set_requires_grad();
  for (const DType dtype : {DType::bf16, DType::f16}) {
    const Tensor w = cast(numbers({5, 33}, 0.2f), dtype);
    const Tensor y = linear(x, w), expected = linear(same, cast(w, DType::f32));
    // Another device than a CPU may add up products with halves in another order: each sum of 33 is within 33·2^-24 of
    // the sum of the magnitudes, and so half of their distance.
    const std::vector<float> got = y.to_vector<float>(), values = expected.to_vector<float>();
    const std::vector<float> sizes = linear(abs(same.detach()), abs(cast(w, DType::f32))).to_vector<float>();
    const double unit = x.device().name() == "cpu" ? 0 : 2 * 33 * 0x1p-24;
    for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(got[i], values[i], unit * sizes[i]) << name_of(dtype);
    backward(sum(y));
    backward(sum(expected));
    EXPECT_EQ(x.grad().to_vector<float>(), same.grad().to_vector<float>());
  }
}

TEST(Half, EmbeddingKeepsTheDtypeOfItsTable) {
  const Tensor table = cast(numbers({5, 3}, 0), DType::bf16).set_requires_grad();
  const Tensor y = embedding(table, Tensor::from<int64_t>({4, 0, 4}, {3}, cpu()));
  EXPECT_EQ(y.dtype(), DType::bf16);
  backward(y, Tensor::full({3, 3}, 1, DType::f32, cpu()));
  EXPECT_EQ(table.grad().to_vector<float>(), (std::vector<float>{1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2}));
}

TEST(Half, CastsPassGradientsThrough) {
  const Tensor x = numbers({7}, 0).set_requires_grad();
  const Tensor dy = numbers({7}, 0.123f);
  backward(cast(cast(x, DType::bf16), DType::f16), dy);
  EXPECT_EQ(x.grad().to_vector<float>(), dy.to_vector<float>());
  EXPECT_FALSE(cast(x, DType::i32).requires_grad());
}

}  // namespace
}  // namespace tern
