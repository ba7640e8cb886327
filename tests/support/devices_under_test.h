// SPDX-License-Identifier: Apache-2.0
// The devices of a test that runs kernels by ops, on any of them.
#pragma once

#include <vector>

#include "support/cpus.h"
#include "support/test_device.h"
#include "tern/device.h"

namespace tern::testing {

// Those of cpus(), or the one of TERN_TEST_DEVICE where it names no CPU.
inline const std::vector<Device>& devices_under_test() {
  static const std::vector<Device> devices = [] {
    const Device named = test_device();
    return named.name() == "cpu" ? cpus() : std::vector<Device>{named};
  }();
  return devices;
}

// Whether the device is one for what need not run on each of cpus(): of so many threads, if it is a CPU.
inline bool has_threads(const Device& device, int threads) {
  return device.name() != "cpu" || device.threads() == threads;
}

}  // namespace tern::testing
