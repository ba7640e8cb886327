// SPDX-License-Identifier: Apache-2.0
// The explicit list of devices, in order of preference, of a build without CUDA.
#include <array>

#include "base/check.h"
#include "device/backend.h"

namespace tern {

namespace cpu {
std::shared_ptr<Backend> open(const DeviceOptions& options);
}  // namespace cpu

namespace {

std::shared_ptr<Backend> no_cuda(const DeviceOptions&) {
  fail("cuda", "expected a build with the CUDA device (configure with -DTERN_CUDA=ON), this one is without");
}

constexpr std::array<DeviceEntry, 2> kDevices = {{
    {"cpu", &cpu::open},
    {"cuda", &no_cuda},
}};

}  // namespace

std::span<const DeviceEntry> devices() { return kDevices; }

}  // namespace tern
