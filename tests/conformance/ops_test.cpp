// SPDX-License-Identifier: Apache-2.0
// Every op's values against the naive double reference, on every layout of its inputs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "conformance/op_cases.h"
#include "support/test_device.h"

namespace tern::conformance {
namespace {

std::vector<reference::Array> arrays_of(const OpCase& c) {
  std::vector<reference::Array> out;
  const std::vector<std::vector<float>> values = values_of(c);
  for (size_t i = 0; i < values.size(); ++i) {
    const Shape& shape = c.inputs[i].shape;
    out.push_back({{shape.begin(), shape.end()}, {values[i].begin(), values[i].end()}});
  }
  return out;
}

// An f32 result is off by a few ulps of its own for the functions in it, and by one per term of a sum, then of the
// largest element, for terms may cancel in the others.
double tolerance(const OpCase& c, double expected, double largest) {
  const double size = c.terms > 1 ? largest : std::abs(expected);
  return 0x1p-23 * static_cast<double>(8 + c.terms) * size;
}

void expect_agrees(const OpCase& c, const reference::Array& expected, const Tensor& y) {
  ASSERT_EQ(y.shape(), Shape(expected.shape));
  double largest = 0;
  for (const double value : expected.values) largest = std::max(largest, std::abs(value));
  const bool empty =
      std::any_of(c.inputs.begin(), c.inputs.end(), [](const Operand& x) { return x.shape.numel() == 0; });
  ASSERT_TRUE(largest > 0 || empty || expected.values.empty()) << "a reference of zeros shows nothing";
  const std::vector<float> values = y.to_vector<float>();
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(values[i]), expected.values[i], tolerance(c, expected.values[i], largest))
        << "element " << i;
  }
}

TEST(Ops, AgreeWithReferencesInDouble) {
  const Device device = testing::test_device();
  for (const OpCase& c : op_cases()) {
    const reference::Array expected = c.reference(arrays_of(c));
    for (const Layout layout : kLayouts) {
      SCOPED_TRACE(c.name + ", " + name_of(layout));
      expect_agrees(c, expected, run(c, layout, bases(c, layout, device)));
    }
  }
}

TEST(Ops, CasesHaveNamesOfTheirOwn) {
  std::vector<std::string> names;
  for (const OpCase& c : op_cases()) names.push_back(c.name);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

}  // namespace
}  // namespace tern::conformance
