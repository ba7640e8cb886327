// SPDX-License-Identifier: Apache-2.0
// Gradients where differences cannot judge: at ties and kinks, and what is not recorded.
#include <gtest/gtest.h>

#include <initializer_list>

#include "support/test_device.h"
#include "tern/autograd.h"
#include "tern/ops.h"

namespace tern {
namespace {

using Floats = std::vector<float>;
using Unary = Tensor (*)(const Tensor&);
using Binary = Tensor (*)(const Tensor&, const Tensor&);

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

Tensor leaf(const Floats& values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, cpu()).set_requires_grad();
}

TEST(Gradient, OfTiesGoesHalfToEach) {
  for (const Binary op : std::initializer_list<Binary>{minimum, maximum}) {
    const Tensor a = leaf({1, 2, 3}), b = leaf({1, 2, 3});
    backward(sum(op(a, b)));
    EXPECT_EQ(a.grad().to_vector<float>(), (Floats{0.5f, 0.5f, 0.5f}));
    EXPECT_EQ(b.grad().to_vector<float>(), (Floats{0.5f, 0.5f, 0.5f}));
  }
}

TEST(Gradient, OfAnExtremeGoesToTheFirst) {
  const Tensor a = leaf({1, 5, 5, 2}), b = leaf({3, 1, 1, 2});
  backward(max(a, 0));
  backward(min(b, 0));
  EXPECT_EQ(a.grad().to_vector<float>(), (Floats{0, 1, 0, 0}));
  EXPECT_EQ(b.grad().to_vector<float>(), (Floats{0, 1, 0, 0}));
}

TEST(Gradient, AtKinksIsZero) {
  for (const Unary op : std::initializer_list<Unary>{relu, relu2, abs}) {
    const Tensor x = leaf({0.0f, -0.0f});
    backward(sum(op(x)));
    EXPECT_EQ(x.grad().to_vector<float>(), (Floats{0, 0}));
  }
}

TEST(Gradient, OfOneInputOnly) {
  const Tensor a = leaf({2}), b = leaf({5}).detach();
  for (const Binary op : std::initializer_list<Binary>{add, sub, mul, div, minimum, relu2_gate}) {
    backward(op(a, b));
    backward(op(b, a));
    EXPECT_FALSE(b.grad().defined());
  }
  EXPECT_TRUE(a.grad().defined());
}

TEST(Gradient, OfRepeatedRowsAddsUp) {
  const Tensor table = Tensor::zeros({3, 2}, DType::f32, cpu()).set_requires_grad();
  backward(embedding(table, Tensor::from<int64_t>({2, 0, 2, 2}, {4}, cpu())),
           Tensor::from({1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f, 7.0f, 8.0f}, {4, 2}, cpu()));
  EXPECT_EQ(table.grad().to_vector<float>(), (Floats{3, 4, 0, 0, 13, 16}));
}

TEST(Gradient, IsNotRecordedByWhatIsNotDifferentiable) {
  const Tensor x = leaf({1, 2});
  for (const Tensor& y :
       {equal(x, x), argmax(x, 0), cast(x, DType::i32), to_device(x, cpu()), quantize_rows(x).scale}) {
    EXPECT_FALSE(y.requires_grad());
  }
}

TEST(Gradient, IsNotRecordedWithoutNeed) {
  const Tensor x = leaf({1, 2}).detach();
  for (const Tensor& y : {x + x, exp(x), sum(x), reshape(x, {2, 1}), softmax(x), clone(x)})
    EXPECT_FALSE(y.requires_grad());
}

// More rows than a device adds in one go, an id that is everywhere, some that are rare, and runs of each length: small
// integers, whose sums are exact in any order.
TEST(Gradient, OfAnEmbeddingOfManyRows) {
  constexpr int64_t kTable = 601;
  for (const int64_t cols : {1, 7, 12}) {
    for (const int64_t count : {2047, 2049, 5003}) {
      std::vector<int64_t> ids;
      Floats gradient;
      std::vector<double> expected(static_cast<size_t>(kTable * cols));
      for (int64_t i = 0; i < count; ++i) {
        const int64_t id = i % 3 == 0 ? 5 : i % 7 == 0 ? kTable - 1 : (i * i + i / 11) % (kTable - 100);
        ids.push_back(id);
        for (int64_t j = 0; j < cols; ++j) {
          gradient.push_back(static_cast<float>((i * 13 + j * 5) % 17 - 8));
          expected[static_cast<size_t>(id * cols + j)] += double{gradient.back()};
        }
      }
      const Tensor table = Tensor::zeros({kTable, cols}, DType::f32, cpu()).set_requires_grad();
      backward(embedding(table, Tensor::from(ids, {count}, cpu())), Tensor::from(gradient, {count, cols}, cpu()));
      EXPECT_EQ(table.grad().to_vector<float>(), Floats(expected.begin(), expected.end())) << count << " x " << cols;
    }
  }
}

}  // namespace
}  // namespace tern
