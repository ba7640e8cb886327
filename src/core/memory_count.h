// SPDX-License-Identifier: Apache-2.0
// Counts the bytes of a device's allocations against a limit.
#pragma once

#include <atomic>
#include <cstddef>

namespace tern {

// Safe to use from several threads.
class MemoryCount {
 public:
  // At most `limit` bytes; 0 for any number.
  explicit MemoryCount(size_t limit) : limit_(limit) {}

  // For an allocation that is tried: mark_peak() or remove() follows, as it succeeds or fails. False, and nothing is
  // added, where it would pass the limit.
  bool add(size_t bytes) noexcept {
    size_t live = live_.load(std::memory_order_relaxed);
    do {
      if (limit_ > 0 && (live > limit_ || bytes > limit_ - live)) return false;
    } while (!live_.compare_exchange_weak(live, live + bytes, std::memory_order_relaxed));
    return true;
  }
  void mark_peak() noexcept {
    const size_t live = live_.load(std::memory_order_relaxed);
    size_t peak = peak_.load(std::memory_order_relaxed);
    while (peak < live && !peak_.compare_exchange_weak(peak, live, std::memory_order_relaxed)) {
    }
  }
  // What was added.
  void remove(size_t bytes) noexcept { live_.fetch_sub(bytes, std::memory_order_relaxed); }

  size_t live() const noexcept { return live_.load(std::memory_order_relaxed); }
  size_t peak() const noexcept { return peak_.load(std::memory_order_relaxed); }
  size_t limit() const noexcept { return limit_; }

 private:
  const size_t limit_;
  std::atomic<size_t> live_ = 0, peak_ = 0;
};

}  // namespace tern
