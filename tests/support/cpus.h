// SPDX-License-Identifier: Apache-2.0
// The CPU devices that a kernel test runs on, and comparison of their results.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "device/backend.h"
#include "tern/device.h"

namespace tern::testing {

// Every instruction set of this machine with 1, 2 and 3 threads; scalar with 1 thread comes first. Opened once:
// qemu-user keeps memory for every thread that ever ran, and threads of their own for each case came to gigabytes.
inline const std::vector<Device>& cpus() {
  static const std::vector<Device> devices = [] {
    std::vector<Device> opened;
    for (const std::string& isa : Device::cpu_isas()) {
      for (int threads = 1; threads <= 3; ++threads) opened.push_back(Device::open("cpu", {threads, isa}));
    }
    return opened;
  }();
  return devices;
}

// Calls one kernel of a device: run_kernel(device, &Kernels::matmul, args).
template <class Family, class Args>
void run_kernel(const Device& device, Kernel<Args> Family::*kernel, const Args& args) {
  (device.backend().kernels().*kernel)(device.backend().exec(), args);
}

// Bit equality, in which any NaN equals any NaN: which NaN comes out of two is not promised.
inline ::testing::AssertionResult same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return ::testing::AssertionFailure() << a.size() << " and " << b.size() << " elements";
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0) {
      return ::testing::AssertionFailure() << "element " << i << ": " << a[i] << " and " << b[i];
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace tern::testing
