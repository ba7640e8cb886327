// SPDX-License-Identifier: Apache-2.0
#include "base/huge_arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <iterator>
#include <new>

namespace tern {
namespace {

constexpr size_t kMostDirty = size_t{64} << 20;

}  // namespace

void ask_for_huge_pages(void* begin, size_t bytes) noexcept {
#ifdef MADV_HUGEPAGE
  static_cast<void>(::madvise(begin, bytes, MADV_HUGEPAGE));
#else
  static_cast<void>(begin);
  static_cast<void>(bytes);
#endif
}

HugeArena::~HugeArena() {
  for (const Address chunk : chunks_) ::munmap(reinterpret_cast<void*>(chunk), kChunkBytes);
}

// Maps kChunkBytes at a multiple of the huge page.
bool HugeArena::add_chunk() {
  constexpr size_t kMapped = kChunkBytes + kHugePage;
  void* const mapped = ::mmap(nullptr, kMapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return false;
  const Address from = reinterpret_cast<Address>(mapped);
  const Address begin = (from + kHugePage - 1) / kHugePage * kHugePage, end = begin + kChunkBytes;
  if (begin > from) ::munmap(mapped, begin - from);
  if (from + kMapped > end) ::munmap(reinterpret_cast<void*>(end), from + kMapped - end);
  ask_for_huge_pages(reinterpret_cast<void*>(begin), kChunkBytes);
  try {
    chunks_.insert(begin);
    add_free(begin, end);
  } catch (const std::bad_alloc&) {
    chunks_.erase(begin);
    ::munmap(reinterpret_cast<void*>(begin), kChunkBytes);
    return false;
  }
  return true;
}

void HugeArena::add_free(Address begin, Address end) {
  const auto at = free_.emplace(begin, end).first;
  try {
    free_by_size_.emplace(end - begin, begin);
  } catch (const std::bad_alloc&) {
    free_.erase(at);
    throw;
  }
}

void HugeArena::remove_free(Address begin, Address end) {
  free_.erase(begin);
  free_by_size_.erase({end - begin, begin});
}

void* HugeArena::allocate(size_t bytes) noexcept {
  const size_t size = whole_lines(bytes);
  const std::lock_guard lock(mutex_);
  auto best = free_by_size_.lower_bound({size, 0});
  if (best == free_by_size_.end()) {
    if (!add_chunk()) return nullptr;
    best = free_by_size_.lower_bound({size, 0});
  }
  const Address begin = best->second, end = begin + best->first;
  try {
    if (begin + size < end) add_free(begin + size, end);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  remove_free(begin, end);
  dirty_ -= std::min(dirty_, size);
  return reinterpret_cast<void*>(begin);
}

void HugeArena::release(void* block, size_t bytes) noexcept {
  Address begin = reinterpret_cast<Address>(block), end = begin + whole_lines(bytes);
  const std::lock_guard lock(mutex_);
  dirty_ += end - begin;
  try {
    // Chunks may touch, too: a block across two of them is as good as any.
    const auto after = free_.find(end);
    if (after != free_.end()) {
      end = after->second;
      remove_free(after->first, end);
    }
    const auto next = free_.lower_bound(begin);
    if (next != free_.begin() && std::prev(next)->second == begin) {
      const Address before = std::prev(next)->first;
      remove_free(before, begin);
      begin = before;
    }
    add_free(begin, end);
  } catch (const std::bad_alloc&) {
    // The range is lost, and nothing else.
  }
  if (dirty_ > kMostDirty) give_back_pages();
}

void HugeArena::trim() noexcept {
  const std::lock_guard lock(mutex_);
  give_back_pages();
}

// The huge pages that are free as a whole.
void HugeArena::give_back_pages() noexcept {
#ifdef MADV_DONTNEED
  for (const auto& [begin, end] : free_) {
    const Address first = (begin + kHugePage - 1) / kHugePage * kHugePage, last = end / kHugePage * kHugePage;
    if (first < last) static_cast<void>(::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED));
  }
#endif
  dirty_ = 0;
}

}  // namespace tern
