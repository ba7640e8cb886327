// SPDX-License-Identifier: Apache-2.0
// What a thread keeps of a pool: small blocks at hand, and its share of the counts.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>

#include "memory/small_blocks.h"

namespace tern {

// A number that one thread writes and others read.
template <class T>
class OwnNumber {
 public:
  T get() const noexcept { return value_.load(std::memory_order_relaxed); }
  void set(T value) noexcept { value_.store(value, std::memory_order_relaxed); }
  void add(T value) noexcept { set(get() + value); }

 private:
  std::atomic<T> value_ = 0;
};

// Of one thread and one pool. A block that another thread allocated is as good as the thread's own.
struct ThreadCache {
  // Bytes allocated less those released since the pool last counted them, and the most that was.
  OwnNumber<ptrdiff_t> live, most_live;
  OwnNumber<size_t> allocations, releases;
  std::array<FreeBlocks, kSizeClasses> free;

  void count_allocation(size_t bytes) noexcept {
    live.add(static_cast<ptrdiff_t>(bytes));
    if (live.get() > most_live.get()) most_live.set(live.get());
    allocations.add(1);
  }
  void count_release(size_t bytes) noexcept {
    live.add(-static_cast<ptrdiff_t>(bytes));
    releases.add(1);
  }
};

}  // namespace tern
