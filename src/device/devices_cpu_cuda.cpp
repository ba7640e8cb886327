// SPDX-License-Identifier: Apache-2.0
// The explicit list of devices, in order of preference, of a build with CUDA.
#include <array>

#include "device/backend.h"

namespace tern {

namespace cpu {
std::shared_ptr<Backend> open(const DeviceOptions& options);
}  // namespace cpu
namespace cuda {
std::shared_ptr<Backend> open(const DeviceOptions& options);
}  // namespace cuda

namespace {

constexpr std::array<DeviceEntry, 2> kDevices = {{
    {"cpu", &cpu::open},
    {"cuda", &cuda::open},
}};

}  // namespace

std::span<const DeviceEntry> devices() { return kDevices; }

}  // namespace tern
