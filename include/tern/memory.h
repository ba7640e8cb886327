// SPDX-License-Identifier: Apache-2.0
// What a device's memory holds.
#pragma once

#include <cstddef>

namespace tern {

// Bytes of a device's memory: of tensors, and on a GPU of what its kernels need meanwhile.
struct MemoryStatistics {
  size_t live = 0;      // in allocations
  size_t peak = 0;      // the most that `live` was since the device was opened
  size_t reserved = 0;  // held of the system's memory for these and for allocations to come, until Device::trim_memory()
  size_t limit = 0;     // what DeviceOptions::memory_limit said; 0 for none
};

}  // namespace tern
