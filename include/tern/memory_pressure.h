// SPDX-License-Identifier: Apache-2.0
// How scarce memory is for this process, and being told when that changes (Linux; elsewhere memory is never scarce).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace tern {

enum class PressureLevel : uint8_t {
  none,
  moderate,  // the kernel reclaims: time to give back what is merely kept (Device::trim_memory)
  critical,  // processes stand still for memory, or are about to be killed for it
};

// "none", "moderate", "critical".
std::string_view name_of(PressureLevel level);

struct MemoryPressure {
  PressureLevel level = PressureLevel::none;
  // Percent of the last ten seconds in which some task, or all of them, waited for memory: of the process's cgroup or
  // of the system, whichever is worse. The kernel's PSI (memory.pressure, /proc/pressure/memory); 0 where it tells
  // nothing.
  double some = 0, full = 0;
  // Bytes to be had, and of how many: of the system's (MemAvailable of MemTotal), or up to memory.high or memory.max of
  // a cgroup on the way to the root, whichever is the smaller share. 0 of 0 where nothing is known.
  size_t available = 0, total = 0;
};

struct MemoryPressureOptions {
  // From these percentages of waiting on, or with so small a share of memory available.
  double moderate_some = 10, critical_full = 10;
  double moderate_available = 0.10, critical_available = 0.05;
  // Between two looks of a watcher.
  std::chrono::milliseconds interval{1000};
  // Where the kernel tells it: self/cgroup, meminfo and pressure/memory below the first, the tree of cgroups v2 below
  // the second.
  std::string proc = "/proc", cgroups = "/sys/fs/cgroup";
};

// At this moment.
MemoryPressure memory_pressure(const MemoryPressureOptions& options = {});

// Calls a function whenever the level has become another, from a thread of its own that wakes once an interval; there
// is no thread and no cost without a watcher. A level that holds at the beginning is told, too, unless it is none. The
// function may use devices, and must not destroy the watcher; what it throws is lost. A child after fork() has no such
// thread.
class MemoryPressureWatcher {
 public:
  using Callback = std::function<void(const MemoryPressure&)>;

  // Throws Error when the system gives no thread.
  explicit MemoryPressureWatcher(Callback callback, MemoryPressureOptions options = {});
  // No call comes afterwards.
  ~MemoryPressureWatcher();
  MemoryPressureWatcher(const MemoryPressureWatcher&) = delete;
  MemoryPressureWatcher& operator=(const MemoryPressureWatcher&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tern
