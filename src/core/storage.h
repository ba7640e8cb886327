// SPDX-License-Identifier: Apache-2.0
// Storage: the bytes behind tensors, owned once and shared by views.
#pragma once

#include <cstddef>
#include <memory>

#include "core/memory_labels.h"
#include "tern/device.h"

namespace tern {

// A block of memory, released when the last tensor over it goes. The device is kept alive until then.
class Storage {
 public:
  // `bytes` bytes of the device's memory under the thread's label, their content undefined. Throws Error when there is
  // no memory.
  Storage(const Device& device, size_t bytes);
  // Over memory of others that lives as long as `keeper`, which goes at the end; a shared_ptr's deleter can be any
  // function.
  Storage(const Device& device, void* data, size_t bytes, std::shared_ptr<const void> keeper);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  const Device& device() const { return device_; }
  // Whether the block is the device's.
  bool owned() const { return owned_; }
  // What counts it, null for a block without a label.
  const LabelCount* label() const { return label_; }

 private:
  const Device device_;
  const size_t bytes_;
  const bool owned_;
  LabelCount* const label_ = nullptr;
  void* const data_;
  const std::shared_ptr<const void> keeper_;
};

}  // namespace tern
