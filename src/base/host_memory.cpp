// SPDX-License-Identifier: Apache-2.0
#include "base/host_memory.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/huge_arena.h"
#include "base/platform.h"

namespace tern {
namespace {

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
  if (bytes <= HugeArena::kMostBytes) return std::aligned_alloc(64, whole_lines(std::max<size_t>(bytes, 1)));
  void* const block = std::aligned_alloc(kHugePage, whole_lines(bytes));
  if (block != nullptr) ask_for_huge_pages(block, whole_lines(bytes));
  return block;
}

void release_host(void* block, size_t bytes) noexcept {
  if (block == nullptr) return;
  if (in_arena(bytes)) return arena().release(block, bytes);
  std::free(block);
}

void trim_host() noexcept {
  arena().trim();
#ifdef __GLIBC__
  static_cast<void>(::malloc_trim(0));
#endif
}

}  // namespace tern
