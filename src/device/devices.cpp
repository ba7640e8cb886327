// SPDX-License-Identifier: Apache-2.0
// The explicit list of devices, in order of preference.
#include <array>
#include <memory>

#include "base/check.h"
#include "device/backend.h"
#include "tern/device.h"

namespace tern {

namespace cpu {
std::shared_ptr<Backend> open(const DeviceOptions& options);
std::vector<std::string> isa_names();
}  // namespace cpu

namespace {

constexpr std::array<DeviceEntry, 1> kDevices = {{
    {"cpu", &cpu::open},
}};

}  // namespace

Device Device::open(std::string_view name, const DeviceOptions& options) {
  for (const DeviceEntry& entry : kDevices) {
    if (entry.name == name) return Device(entry.open(options));
  }
  fail("device", "expected one of {}, got '{}'", fmt::join(names(), ", "), name);
}

std::vector<std::string> Device::names() {
  std::vector<std::string> out;
  for (const DeviceEntry& entry : kDevices) out.emplace_back(entry.name);
  return out;
}

std::vector<std::string> Device::cpu_isas() { return cpu::isa_names(); }

}  // namespace tern
