// SPDX-License-Identifier: Apache-2.0
// The gradient of cross_entropy takes the logits' memory when it may, and only then.
#include <gtest/gtest.h>

#include <functional>

#include "support/test_device.h"
#include "tern/autograd.h"
#include "tern/ops.h"

namespace tern {
namespace {

using Floats = std::vector<float>;

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

Tensor weights() { return Tensor::from({0.5f, -1.0f, 2.0f, 0.25f, 1.0f, -0.5f}, {2, 3}, cpu()); }
Tensor targets() { return Tensor::from<int64_t>({2, 0}, {2}, cpu()); }

// Gradients of a graph whose logits nobody holds, and of one whose logits are held in the way that `hold` says.
Floats gradient(const std::function<Tensor(const Tensor&)>& hold) {
  const Tensor x = weights().set_requires_grad();
  Tensor loss, held;
  Floats before;
  {
    const Tensor logits = mul(x, 2.0);
    held = hold(logits);
    if (held.defined()) before = held.to_vector<float>();
    loss = cross_entropy(logits, targets());
  }
  backward(loss);
  if (held.defined()) {
    EXPECT_EQ(held.to_vector<float>(), before);
  }
  return x.grad().to_vector<float>();
}

TEST(CrossEntropy, GradientIsTheSameInPlaceAndLeavesHeldLogitsAlone) {
  const Floats in_place = gradient([](const Tensor&) { return Tensor(); });
  EXPECT_EQ(gradient([](const Tensor& logits) { return logits; }), in_place);
  EXPECT_EQ(gradient([](const Tensor& logits) { return logits.detach(); }), in_place);
  EXPECT_EQ(gradient([](const Tensor& logits) { return select(logits, 0, 1); }), in_place);
}

TEST(CrossEntropy, LeavesItsLeafAlone) {
  const Tensor logits = weights().set_requires_grad();
  backward(cross_entropy(logits, targets()));
  EXPECT_EQ(logits.to_vector<float>(), weights().to_vector<float>());
  EXPECT_TRUE(logits.grad().defined());
}

// exp saves its result for its own gradient: the loss may not overwrite it.
TEST(CrossEntropy, LeavesLogitsAloneThatAnotherGradientReads) {
  const Tensor x = weights().set_requires_grad(), same = weights().set_requires_grad();
  backward(cross_entropy(exp(x), targets()));
  const Tensor held = exp(same);
  backward(cross_entropy(held, targets()));
  EXPECT_EQ(x.grad().to_vector<float>(), same.grad().to_vector<float>());
}

TEST(CrossEntropy, IsTheMeanOfItsRows) {
  const Tensor some = Tensor::from<int64_t>({-100, 1}, {2}, cpu());
  const Floats rows = cross_entropy_rows(weights(), targets()).to_vector<float>();
  EXPECT_EQ(cross_entropy(weights(), targets()).item(), static_cast<double>((rows[0] + rows[1]) / 2));
  const Floats counted = cross_entropy_rows(weights(), some).to_vector<float>();
  EXPECT_EQ(counted[0], 0.0f);
  EXPECT_EQ(cross_entropy(weights(), some).item(), static_cast<double>(counted[1]));
}

TEST(CrossEntropy, IgnoredRowsGetNoGradient) {
  const Tensor logits = weights().set_requires_grad();
  backward(cross_entropy(logits, Tensor::from<int64_t>({-100, 1}, {2}, cpu())));
  const Floats grad = logits.grad().to_vector<float>();
  EXPECT_EQ(Floats(grad.begin(), grad.begin() + 3), (Floats{0, 0, 0}));
  EXPECT_NE(grad[4], 0.0f);
}

}  // namespace
}  // namespace tern
