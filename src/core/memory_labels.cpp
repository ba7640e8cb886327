// SPDX-License-Identifier: Apache-2.0
#include "core/memory_labels.h"

#include <map>
#include <mutex>
#include <utility>

#include "base/fork_mutex.h"

namespace tern {

constinit thread_local MemoryLabel* MemoryLabels::current_label = nullptr;

// Counts stay where they are once they are there.
struct MemoryLabels::Table {
  ForkMutex mutex;
  std::map<std::string, LabelCount, std::less<>> counts;
};

MemoryLabels::MemoryLabels() : table_(std::make_shared<Table>()) {}

// A label keeps the table that it was counted in last, so no other can have the same address meanwhile.
LabelCount& MemoryLabels::count_of(MemoryLabel& label) {
  if (label.table_ != table_) {
    const std::lock_guard lock(table_->mutex);
    label.entry_ = &table_->counts.try_emplace(label.name_, label.name_).first->second;
    label.table_ = table_;
  }
  return *static_cast<LabelCount*>(label.entry_);
}

std::vector<LabelStatistics> MemoryLabels::statistics() const {
  const std::lock_guard lock(table_->mutex);
  std::vector<LabelStatistics> out;
  for (const auto& [name, count] : table_->counts) {
    out.push_back({name, count.bytes.live(), count.bytes.peak(), count.blocks.load(std::memory_order_relaxed),
                   count.allocations.load(std::memory_order_relaxed)});
  }
  return out;
}

MemoryLabel::MemoryLabel(std::string_view name) : name_(name), outer_(MemoryLabels::current_label) {
  MemoryLabels::current_label = this;
}

MemoryLabel::~MemoryLabel() { MemoryLabels::current_label = outer_; }

}  // namespace tern
