// SPDX-License-Identifier: Apache-2.0
// What a program allocates and releases, recorded by a device in front of another and played again.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "device/backend.h"
#include "tern/device.h"

namespace tern::benchmarks {

struct MemoryEvent {
  bool allocates;
  uint32_t block;  // its number, from 0
  size_t bytes;
};

struct MemoryTrace {
  std::vector<MemoryEvent> events;
  uint32_t blocks = 0;
  size_t peak = 0;           // bytes that were live at most
  size_t peak_event = 0;     // after this event
  size_t peak_reserved = 0;  // what the device held of the system's memory then
};

// Does everything as the device behind it, and keeps a trace.
class RecordingBackend final : public Backend {
 public:
  explicit RecordingBackend(Device device) : device_(std::move(device)) {
    kernels_ = &device_.backend().kernels();
    exec_ = device_.backend().exec();
  }

  MemoryTrace trace() const {
    const std::lock_guard lock(mutex_);
    return trace_;
  }

  std::string_view name() const override { return device_.name(); }
  std::string description() const override { return device_.description(); }
  std::string_view isa() const override { return device_.isa(); }
  int threads() const override { return device_.threads(); }

  void* allocate(size_t bytes) override {
    void* const block = device_.memory().allocate(bytes);
    const std::lock_guard lock(mutex_);
    numbers_[block] = trace_.blocks;
    trace_.events.push_back({true, trace_.blocks++, bytes});
    live_ += bytes;
    if (live_ > trace_.peak) {
      trace_.peak = live_;
      trace_.peak_event = trace_.events.size() - 1;
      trace_.peak_reserved = device_.memory_statistics().reserved;
    }
    return block;
  }
  void release(void* block, size_t bytes) noexcept override {
    const std::lock_guard lock(mutex_);
    trace_.events.push_back({false, numbers_[block], bytes});
    live_ -= bytes;
    device_.memory().release(block, bytes);
  }
  MemoryStatistics statistics() const override { return device_.memory_statistics(); }
  void trim() override { device_.trim_memory(); }
  void zero(void* to, size_t bytes) override { device_.memory().zero(to, bytes); }
  void copy_to_device(void* to, const void* from, size_t bytes) override {
    device_.memory().copy_to_device(to, from, bytes);
  }
  void copy_to_host(void* to, const void* from, size_t bytes) override {
    device_.memory().copy_to_host(to, from, bytes);
  }

 private:
  Device device_;
  mutable std::mutex mutex_;
  MemoryTrace trace_;
  std::unordered_map<void*, uint32_t> numbers_;  // of blocks in use
  size_t live_ = 0;
};

// An allocator of what a trace asks for.
struct Allocator {
  void* (*allocate)(void* self, size_t bytes);
  void (*release)(void* self, void* block, size_t bytes);
  void* self = nullptr;
};

// Plays the events; at_peak() after the one with which most is live. With `touch` each page is written, as its owner
// would have.
template <class AtPeak>
void replay(const MemoryTrace& trace, const Allocator& allocator, bool touch, AtPeak at_peak) {
  std::vector<void*> blocks(trace.blocks);
  for (size_t i = 0; i < trace.events.size(); ++i) {
    const MemoryEvent& event = trace.events[i];
    if (event.allocates) {
      char* const block = static_cast<char*>(allocator.allocate(allocator.self, event.bytes));
      for (size_t at = 0; touch && at < event.bytes; at += 4096) block[at] = 1;
      if (touch && event.bytes > 0) block[event.bytes - 1] = 1;
      blocks[event.block] = block;
    } else {
      allocator.release(allocator.self, std::exchange(blocks[event.block], nullptr), event.bytes);
    }
    if (i == trace.peak_event) at_peak();
  }
  for (size_t i = trace.events.size(); i-- > 0;) {
    const MemoryEvent& event = trace.events[i];
    if (event.allocates && blocks[event.block] != nullptr) {
      allocator.release(allocator.self, std::exchange(blocks[event.block], nullptr), event.bytes);
    }
  }
}

}  // namespace tern::benchmarks
