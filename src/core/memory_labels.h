// SPDX-License-Identifier: Apache-2.0
// Counts what a device allocates under each MemoryLabel.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/memory_count.h"
#include "tern/memory.h"

namespace tern {

struct LabelCount {
  explicit LabelCount(std::string label) : name(std::move(label)) {}

  void add(size_t size) noexcept {
    bytes.add(size);
    bytes.mark_peak();
    blocks.fetch_add(1, std::memory_order_relaxed);
    allocations.fetch_add(1, std::memory_order_relaxed);
  }
  void remove(size_t size) noexcept {
    bytes.remove(size);
    blocks.fetch_sub(1, std::memory_order_relaxed);
  }

  const std::string name;
  MemoryCount bytes{0};
  std::atomic<size_t> blocks = 0, allocations = 0;
};

// Safe to use from several threads.
class MemoryLabels {
 public:
  MemoryLabels();

  // The count of the calling thread's label, null where it has none. It lives as long as this.
  LabelCount* current() { return current_label == nullptr ? nullptr : &count_of(*current_label); }

  // By name.
  std::vector<LabelStatistics> statistics() const;

 private:
  friend class MemoryLabel;
  struct Table;

  // Where it begins as a constant and ends without a destructor, looking it up is one load.
  static constinit thread_local MemoryLabel* current_label;

  LabelCount& count_of(MemoryLabel& label);

  std::shared_ptr<Table> table_;
};

}  // namespace tern
