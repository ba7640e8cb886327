// SPDX-License-Identifier: Apache-2.0
// What tests of the ops on arrays of any dtype begin with.
#pragma once

#include <gtest/gtest.h>

#include <limits>

#include "support/test_device.h"

namespace tern::testing {

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInf = std::numeric_limits<double>::infinity();

// The device of a program's tests, by default a CPU.
inline const Device& cpu() {
  static const Device device = test_device();
  return device;
}

}  // namespace tern::testing
