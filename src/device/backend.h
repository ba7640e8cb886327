// SPDX-License-Identifier: Apache-2.0
// Backend: what stands behind a Device handle; one subclass per folder of src/devices.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/device_memory.h"
#include "device/kernels.h"
#include "tern/device.h"

namespace tern {

class Backend : public DeviceMemory {
 public:
  virtual std::string_view name() const = 0;
  virtual std::string description() const = 0;
  virtual std::string_view isa() const = 0;
  virtual int threads() const = 0;

  // The device's kernels and what they run with. A kernel call from several threads at once is allowed; calls then queue.
  const Kernels& kernels() const { return *kernels_; }
  const Exec& exec() const { return exec_; }

 protected:
  const Kernels* kernels_ = nullptr;
  Exec exec_;
};

// An entry of the explicit list of devices. open throws Error where the device cannot be used.
struct DeviceEntry {
  const char* name;
  std::shared_ptr<Backend> (*open)(const DeviceOptions&);
};
std::span<const DeviceEntry> devices();

}  // namespace tern
