// SPDX-License-Identifier: Apache-2.0
// Every differentiable op's gradient against central differences, on every layout of its inputs.
#include <gtest/gtest.h>

#include "conformance/op_cases.h"
#include "support/gradient_check.h"
#include "support/test_device.h"
#include "tern/ops.h"

namespace tern::conformance {
namespace {

TEST(Gradients, AgreeWithCentralDifferences) {
  const Device device = testing::test_device();
  for (const OpCase& c : op_cases()) {
    for (const Layout layout : kLayouts) {
      const auto f = [&](const std::vector<Tensor>& inputs) { return run(c, layout, inputs); };
      EXPECT_TRUE(testing::gradients_agree(f, bases(c, layout, device))) << c.name << ", " << name_of(layout);
    }
  }
}

// The check itself: it must see a gradient that is wrong.
TEST(Gradients, TheCheckSeesAWrongGradient) {
  const Device device = testing::test_device();
  const Tensor x = Tensor::from({0.5f, -1.25f, 2.0f}, {3}, device);
  const auto doubled = [](const std::vector<Tensor>& in) { return add(in[0], in[0].detach()); };
  EXPECT_FALSE(testing::gradients_agree(doubled, {x}));
  const auto shrunk = [](const std::vector<Tensor>& in) {
    return add(square(in[0]), mul(square(in[0].detach()), 0.002));
  };
  EXPECT_FALSE(testing::gradients_agree(shrunk, {x}));
  EXPECT_FALSE(testing::gradients_agree([](const std::vector<Tensor>& in) { return mul(in[0], 0.0); }, {x}));
  EXPECT_TRUE(testing::gradients_agree([](const std::vector<Tensor>& in) { return square(in[0]); }, {x}));
}

}  // namespace
}  // namespace tern::conformance
