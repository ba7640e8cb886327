// SPDX-License-Identifier: Apache-2.0
// Storage: the bytes behind tensors, owned once and shared by views.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "tern/device.h"

namespace tern {

// A block of device memory, released when the last tensor over it goes.
class Storage {
 public:
  using Release = std::function<void(void* data, size_t bytes)>;

  // Takes over `data`; calls release (if set) at the end. The device is kept alive until then.
  Storage(Device device, void* data, size_t bytes, Release release);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  const Device& device() const { return device_; }

 private:
  Device device_;
  void* data_;
  size_t bytes_;
  Release release_;
};

}  // namespace tern
