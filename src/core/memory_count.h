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
    if (limit_ == 0) {
      live_.fetch_add(static_cast<ptrdiff_t>(bytes), std::memory_order_relaxed);
      return true;
    }
    ptrdiff_t live = balance();
    do {
      const auto used = static_cast<size_t>(live);
      if (used > limit_ || bytes > limit_ - used) return false;
    } while (!live_.compare_exchange_weak(live, live + static_cast<ptrdiff_t>(bytes), std::memory_order_relaxed));
    return true;
  }
  // With `beside`, bytes that are live, or less than none, and counted elsewhere.
  void mark_peak(ptrdiff_t beside = 0) noexcept {
    const ptrdiff_t live = live_.load(std::memory_order_relaxed) + beside;
    ptrdiff_t peak = peak_.load(std::memory_order_relaxed);
    while (peak < live && !peak_.compare_exchange_weak(peak, live, std::memory_order_relaxed)) {
    }
  }
  // What was added, here or elsewhere.
  void remove(size_t bytes) noexcept { live_.fetch_sub(static_cast<ptrdiff_t>(bytes), std::memory_order_relaxed); }

  // Less than none only where some are counted elsewhere.
  ptrdiff_t balance() const noexcept { return live_.load(std::memory_order_relaxed); }
  size_t live() const noexcept { return static_cast<size_t>(balance()); }
  size_t peak() const noexcept { return static_cast<size_t>(peak_.load(std::memory_order_relaxed)); }
  size_t limit() const noexcept { return limit_; }

 private:
  const size_t limit_;
  std::atomic<ptrdiff_t> live_ = 0, peak_ = 0;
};

}  // namespace tern
