// SPDX-License-Identifier: Apache-2.0
// The device that a test runs on when any will do.
#pragma once

#include <cstdlib>

#include "tern/device.h"

namespace tern::testing {

// Device::open of the name in TERN_TEST_DEVICE, or of "cpu".
inline Device test_device(const DeviceOptions& options) {
  const char* const name = std::getenv("TERN_TEST_DEVICE");
  return Device::open(name == nullptr ? "cpu" : name, options);
}
inline Device test_device(int threads = 0) { return test_device(DeviceOptions{.threads = threads}); }

}  // namespace tern::testing
