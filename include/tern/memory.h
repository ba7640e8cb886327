// SPDX-License-Identifier: Apache-2.0
// What a device's memory holds, by label and by tensor. Device (device.h) answers the questions, and trims.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tern/dtype.h"
#include "tern/shape.h"

namespace tern {

class Tensor;

// Bytes of a device's memory: of tensors, and on a GPU of what its kernels need meanwhile.
struct MemoryStatistics {
  size_t live = 0;  // in allocations
  size_t peak = 0;  // the most that `live` was since the device was opened
  size_t reserved =
      0;              // held of the system's memory for these and for allocations to come, until Device::trim_memory()
  size_t limit = 0;   // what DeviceOptions::memory_limit said; 0 for none
  size_t blocks = 0;  // allocations that are live
  size_t allocations = 0;  // made since the device was opened
};

// Names the tensors that its thread makes while it is in scope: "weights", "kv cache". The innermost name counts, and a
// tensor keeps it as long as its memory lives. It lives on the stack, of the one thread, and goes in reverse order.
class MemoryLabel {
 public:
  explicit MemoryLabel(std::string_view name);
  ~MemoryLabel();
  MemoryLabel(const MemoryLabel&) = delete;
  MemoryLabel& operator=(const MemoryLabel&) = delete;

 private:
  friend class MemoryLabels;

  std::string name_;
  MemoryLabel* outer_;
  // The table of the device that was asked last, and the name's entry in it.
  std::shared_ptr<void> table_;
  void* entry_ = nullptr;
};

// Of the tensors of one label.
struct LabelStatistics {
  std::string label;
  size_t live = 0, peak = 0;  // bytes, as in MemoryStatistics
  size_t blocks = 0, allocations = 0;
};

// What is still allocated where nothing should be (Device::memory_leaks, DeviceOptions::on_close).
struct MemoryLeak {
  std::string label;  // empty for what has none
  size_t bytes = 0;
  size_t blocks = 0;
};

// Where a tensor's elements lie.
struct TensorMemory {
  DType dtype = DType::f32;
  Shape shape, strides;  // strides in elements
  bool contiguous = true;
  size_t bytes = 0;          // of the elements, each counted as often as the shape names it
  size_t storage_bytes = 0;  // of the block that they lie in
  int64_t offset = 0;        // bytes from the block's begin to the first element
  long sharers = 0;          // tensors over this block, itself included
  bool owned = true;         // the block is the device's; else it is memory of others, as of a mapped file
  std::string label;         // of the block; empty where it has none

  // Others may see what is written here, or the block holds more than these elements.
  bool is_view() const { return sharers > 1 || offset != 0 || bytes != storage_bytes; }
};

// Of a defined tensor.
TensorMemory memory_report(const Tensor& tensor);

// In one line: "f32 [2, 3], strides [3, 1]: 24 bytes at 0 of a block of 24, 'weights', 1 tensor".
std::string to_string(const TensorMemory& memory);

}  // namespace tern
