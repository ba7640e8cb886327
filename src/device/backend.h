// SPDX-License-Identifier: Apache-2.0
// Backend: what stands behind a Device handle; one subclass per folder of src/devices.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/device_memory.h"
#include "device/kernels.h"
#include "tern/device.h"

namespace tern {

// Work of a device that can be repeated in one go, which costs the host less than to launch its parts. What it reads and
// writes stays where it was: tensors made by the work belong to the recording, and go before it.
class Recording {
 public:
  virtual ~Recording() = default;
  // Repeats the work, in the order of the device's other work.
  virtual void replay() = 0;
};

class Backend : public DeviceMemory {
 public:
  virtual std::string_view name() const = 0;
  virtual std::string description() const = 0;
  virtual std::string_view isa() const = 0;
  virtual int threads() const = 0;

  // The device's kernels and what they run with. A kernel call from several threads at once is allowed; calls then queue.
  const Kernels& kernels() const { return *kernels_; }
  const Exec& exec() const { return exec_; }

  // The queue that the device's work goes through in order, a GPU's stream; null where work is done when a call returns.
  virtual void* queue() const { return nullptr; }

  // Waits until all work is done. Throws Error for what failed meanwhile.
  virtual void synchronize() {}

  // Records the kernels that `work` calls in this thread, which do not run yet. `work` copies nothing between host and
  // device. Null, without a call of it, where a device has nothing to gain.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& work) {
    static_cast<void>(work);
    return nullptr;
  }

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
