// SPDX-License-Identifier: Apache-2.0
#include "base/host_memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>

#include "base/huge_arena.h"
#include "base/platform.h"

namespace tern {
namespace {

constexpr size_t kLine = 64, kHugePage = size_t{2} << 20;
// Smaller blocks come and go with each operation: malloc's.
constexpr size_t kSmallestInArena = size_t{128} << 10;

// Sanitizers know malloc's blocks, not those of an arena.
constexpr bool in_arena(size_t bytes) {
  return !kSanitized && bytes >= kSmallestInArena && bytes <= HugeArena::kMostBytes;
}

// Never destroyed: tensors may outlive what static destructors run in.
HugeArena& arena() {
  static HugeArena& arena = *new HugeArena;
  return arena;
}

}  // namespace

void* allocate_host(size_t bytes) noexcept {
  if (bytes > SIZE_MAX - kHugePage) return nullptr;
  if (in_arena(bytes)) return arena().allocate(bytes);
  const bool large = bytes > HugeArena::kMostBytes;
  const size_t rounded = bytes == 0 ? kLine : (bytes + kLine - 1) / kLine * kLine;
  void* const block = std::aligned_alloc(large ? kHugePage : kLine, rounded);
#ifdef MADV_HUGEPAGE
  if (block != nullptr && large) static_cast<void>(::madvise(block, rounded, MADV_HUGEPAGE));
#endif
  return block;
}

void release_host(void* block, size_t bytes) noexcept {
  if (block == nullptr) return;
  if (in_arena(bytes)) return arena().release(block, bytes);
  std::free(block);
}

}  // namespace tern
