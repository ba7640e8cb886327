// SPDX-License-Identifier: Apache-2.0
// Memory of the host, straight from the system.
#pragma once

#include <cstddef>
#include <memory>

namespace tern {

inline constexpr size_t kHugePage = size_t{2} << 20;
inline constexpr size_t kSmallPage = size_t{4} << 10;

// `bytes` to whole cache lines of 64, which every block of a tensor begins with.
constexpr size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

// At least `bytes` bytes, all zero, in whole huge pages at a multiple of them; null when the system has none. They ask
// for huge pages, where the system grants them on request (Linux, transparent_hugepage = madvise or always): streaming
// packed weights through 4 KiB pages misses the TLB at each of them, and hardware prefetchers stop there.
void* map_pages(size_t bytes) noexcept;
// What map_pages(bytes) returned.
void unmap_pages(void* begin, size_t bytes) noexcept;

// Takes mapped pages, small or huge, out of the resident memory; they are zero when they are touched again. False where
// the system refuses.
bool give_back_pages(void* begin, size_t bytes) noexcept;

// Gives what malloc holds and nobody uses back to the system.
void trim_malloc() noexcept;

// A block of its own for scratch memory, 64-byte aligned.
struct HostRelease {
  size_t bytes = 0;
  void operator()(void* block) const noexcept;
};
using HostBlock = std::unique_ptr<void, HostRelease>;

// Its content is undefined; null when the system has no memory.
HostBlock host_block(size_t bytes) noexcept;

// A block of malloc, 64-byte aligned, to be freed by std::free. Sanitizers see to its ends, so it has not a byte more
// than `bytes`, or than one.
void* malloc_lines(size_t bytes) noexcept;

}  // namespace tern
