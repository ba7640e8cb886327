// SPDX-License-Identifier: Apache-2.0
// What tests of the ops that need kernels for arrays begin with.
#pragma once

#include <gtest/gtest.h>

#include <limits>

#include "device/backend.h"
#include "support/test_device.h"

namespace tern::testing {

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInf = std::numeric_limits<double>::infinity();

// The device of a program's tests.
inline const Device& cpu() {
  static const Device device = test_device();
  return device;
}

// Kernels for arrays are a CPU's so far: elsewhere there is nothing to test.
class ArrayTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (cpu().backend().kernels().array == nullptr) GTEST_SKIP() << "no kernels for arrays";
  }
};

}  // namespace tern::testing
