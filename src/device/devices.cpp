// SPDX-License-Identifier: Apache-2.0
// Devices by name, from the list of this build (devices_cpu.cpp, devices_cpu_cuda.cpp).
#include "base/check.h"
#include "device/backend.h"
#include "tern/device.h"

namespace tern {

namespace cpu {
std::vector<std::string> isa_names();
}  // namespace cpu

Device Device::open(std::string_view name, const DeviceOptions& options) {
  for (const DeviceEntry& entry : devices()) {
    if (entry.name == name) return Device(entry.open(options), options.on_close);
  }
  fail("device", "expected one of {}, got '{}'", fmt::join(names(), ", "), name);
}

std::vector<std::string> Device::names() {
  std::vector<std::string> out;
  for (const DeviceEntry& entry : devices()) out.emplace_back(entry.name);
  return out;
}

std::vector<std::string> Device::cpu_isas() { return cpu::isa_names(); }

}  // namespace tern
