// SPDX-License-Identifier: Apache-2.0
#include "base/host_memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>

namespace tern {
namespace {

constexpr size_t kLine = 64, kHugePage = size_t{2} << 20;
// Below two huge pages most of a block could lie outside of whole ones.
constexpr size_t kLarge = 2 * kHugePage;

}  // namespace

void* allocate_host(size_t bytes) noexcept {
  if (bytes > SIZE_MAX - kHugePage) return nullptr;
  const size_t alignment = bytes < kLarge ? kLine : kHugePage;
  const size_t rounded = bytes == 0 ? kLine : (bytes + kLine - 1) / kLine * kLine;
  void* const block = std::aligned_alloc(alignment, rounded);
#ifdef MADV_HUGEPAGE
  // A wish: where it is refused, the pages stay small.
  if (block != nullptr && bytes >= kLarge) static_cast<void>(::madvise(block, rounded, MADV_HUGEPAGE));
#endif
  return block;
}

void release_host(void* block) noexcept { std::free(block); }

}  // namespace tern
