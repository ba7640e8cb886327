// SPDX-License-Identifier: Apache-2.0
// DeviceMemory: what a tensor needs of its device: bytes, and their way to and from the host.
#pragma once

#include <cstddef>

#include "tern/memory.h"

namespace tern {

class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;

  // Device memory, 64-byte aligned, never null (0 bytes give a valid address). Throws Error, naming the size, when there
  // is none, or none within the limit.
  virtual void* allocate(size_t bytes) = 0;
  virtual void release(void* data, size_t bytes) noexcept = 0;

  virtual MemoryStatistics statistics() const = 0;
  // Device::trim_memory().
  virtual void trim() = 0;

  virtual void zero(void* to, size_t bytes) = 0;
  // Copies between host and device memory; copy_to_host waits for the kernels before it.
  virtual void copy_to_device(void* to, const void* from, size_t bytes) = 0;
  virtual void copy_to_host(void* to, const void* from, size_t bytes) = 0;
};

}  // namespace tern
