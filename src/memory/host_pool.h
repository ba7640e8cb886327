// SPDX-License-Identifier: Apache-2.0
// The memory of a CPU device.
#pragma once

#include <cstddef>
#include <memory>

#include "base/platform.h"
#include "tern/memory.h"

namespace tern {

struct ThreadCache;

struct HostPoolOptions {
  size_t limit = 0;  // of bytes in allocations; 0 for none
  // Each block is malloc's, of just its size, so that sanitizers watch its ends and what becomes of it.
  bool malloc_blocks = kSanitized;
};

// Blocks of any size, 64-byte aligned. Up to 32 KiB they come in size classes (size_classes.h) through a cache of each
// thread, in the common case without a lock or an atomic operation. Larger ones, and the spans of the small ones, are
// cut from huge pages (arena.h) under a lock. A release names the size, so nothing is stored beside a block. What is
// free stays for the allocations to come, resident up to a bound, until trim().
//
// Safe to use from any thread, also for blocks of others; in a child after fork(), where what the parent's other
// threads had at hand is lost; and in destructors of thread_local and static objects.
class HostPool {
 public:
  explicit HostPool(const HostPoolOptions& options = {});
  // No block may be in use.
  ~HostPool();
  HostPool(const HostPool&) = delete;
  HostPool& operator=(const HostPool&) = delete;

  // Never null: 0 bytes give an address, too. Throws OutOfMemory, naming the size, when the system has none, or none is
  // left within the limit; everything stays as it was.
  void* allocate(size_t bytes);
  // What allocate(bytes) returned.
  void release(void* block, size_t bytes) noexcept;

  // Exact for what happened before; of several threads that allocate without a limit the peak may be off by 64 KiB
  // each.
  MemoryStatistics statistics() const;

  // Gives the pages where no block is back to the system. What other threads have at hand stays: up to 64 KiB of a size
  // class.
  void trim() noexcept;

 private:
  struct State;
  struct CachesOfThread;

  // The calling thread's, null where it has none: at its end.
  ThreadCache* cache() const noexcept;
  ThreadCache* find_cache() const noexcept;
  void* allocate_otherwise(size_t bytes, ThreadCache* cache);

  const std::shared_ptr<State> state_;  // each thread with a cache has it, too
};

}  // namespace tern
