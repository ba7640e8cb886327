// SPDX-License-Identifier: Apache-2.0
// Blocks of host memory for tensors and scratch.
#pragma once

#include <cstddef>
#include <memory>

namespace tern {

// A block of at least `bytes` bytes at a multiple of 64, its content undefined; null when the system has none. Large
// blocks ask for huge pages, where the system grants them on request (Linux, transparent_hugepage = madvise or always):
// streaming packed weights through 4 KiB pages misses the TLB at each of them, and hardware prefetchers stop there.
void* allocate_host(size_t bytes) noexcept;
// What allocate_host(bytes) returned, or null.
void release_host(void* block, size_t bytes) noexcept;

// Gives what is free back to the system, whole pages of it.
void trim_host() noexcept;

struct HostRelease {
  size_t bytes = 0;
  void operator()(void* block) const noexcept { release_host(block, bytes); }
};
using HostBlock = std::unique_ptr<void, HostRelease>;

inline HostBlock host_block(size_t bytes) noexcept { return {allocate_host(bytes), {bytes}}; }

}  // namespace tern
