// SPDX-License-Identifier: Apache-2.0
// DeviceMemory: what a tensor needs of its device: bytes, and their way to and from the host.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/memory_labels.h"
#include "tern/memory.h"

namespace tern {

// Bytes on their way to the host. Until wait() returns, or this goes, the memory that they come from stays as it is.
class HostCopy {
 public:
  virtual ~HostCopy() = default;
  // Waits for them. Throws Error for what failed meanwhile.
  virtual std::span<const std::byte> wait() = 0;
};

// Bytes that are there.
class DoneHostCopy final : public HostCopy {
 public:
  explicit DoneHostCopy(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  std::span<const std::byte> wait() override { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;

  // Device memory, 64-byte aligned, never null (0 bytes give a valid address). Throws Error, naming the size, when
  // there is none, or none within the limit.
  virtual void* allocate(size_t bytes) = 0;
  virtual void release(void* data, size_t bytes) noexcept = 0;

  virtual MemoryStatistics statistics() const = 0;
  // Of the tensors: Storage counts here what it allocates.
  MemoryLabels& labels() noexcept { return labels_; }
  const MemoryLabels& labels() const noexcept { return labels_; }
  // Device::trim_memory().
  virtual void trim() = 0;

  virtual void zero(void* to, size_t bytes) = 0;
  // Copies between host and device memory; copy_to_host waits for the kernels before it.
  virtual void copy_to_device(void* to, const void* from, size_t bytes) = 0;
  virtual void copy_to_host(void* to, const void* from, size_t bytes) = 0;
  // to = what is `there` on the device after the kernels before, and behind it what is `here` on the host.
  virtual void join_to_device(void* to, std::span<const std::byte> there, std::span<const std::byte> here) {
    std::vector<std::byte> bytes(there.size());
    copy_to_host(bytes.data(), there.data(), there.size());
    bytes.insert(bytes.end(), here.begin(), here.end());
    copy_to_device(to, bytes.data(), bytes.size());
  }

  // What is there after the kernels before it. A device that works while the host does gives it without waiting, and
  // does what comes behind it meanwhile.
  virtual std::unique_ptr<HostCopy> start_copy_to_host(const void* from, size_t bytes) {
    std::vector<std::byte> host(bytes);
    copy_to_host(host.data(), from, bytes);
    return std::make_unique<DoneHostCopy>(std::move(host));
  }

 private:
  MemoryLabels labels_;
};

}  // namespace tern
