// SPDX-License-Identifier: Apache-2.0
#include "base/host_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/platform.h"

namespace tern {
namespace {

constexpr size_t whole_pages(size_t bytes) {
  return (std::max<size_t>(bytes, 1) + kHugePage - 1) / kHugePage * kHugePage;
}

}  // namespace

// One page more than wanted has the wanted ones at a multiple of the page; the ends go.
void* map_pages(size_t bytes) noexcept {
  if (bytes > SIZE_MAX / 2) return nullptr;
  const size_t size = whole_pages(bytes), mapped_size = size + kHugePage;
  void* const mapped = ::mmap(nullptr, mapped_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  const auto from = reinterpret_cast<uintptr_t>(mapped);
  const uintptr_t begin = (from + kHugePage - 1) / kHugePage * kHugePage, end = begin + size;
  if (begin > from) ::munmap(mapped, begin - from);
  if (from + mapped_size > end) ::munmap(reinterpret_cast<void*>(end), from + mapped_size - end);
#ifdef MADV_HUGEPAGE
  static_cast<void>(::madvise(reinterpret_cast<void*>(begin), size, MADV_HUGEPAGE));
#endif
  return reinterpret_cast<void*>(begin);
}

void unmap_pages(void* begin, size_t bytes) noexcept { ::munmap(begin, whole_pages(bytes)); }

bool give_back_pages(void* begin, size_t bytes) noexcept {
#ifdef MADV_DONTNEED
  return ::madvise(begin, bytes, MADV_DONTNEED) == 0;
#else
  static_cast<void>(begin);
  return bytes == 0;
#endif
}

void trim_malloc() noexcept {
#ifdef __GLIBC__
  static_cast<void>(::malloc_trim(0));
#endif
}

void* malloc_lines(size_t bytes) noexcept {
  void* block = nullptr;
  return ::posix_memalign(&block, 64, std::max<size_t>(bytes, 1)) == 0 ? block : nullptr;
}

HostBlock host_block(size_t bytes) noexcept { return {kSanitized ? malloc_lines(bytes) : map_pages(bytes), {bytes}}; }

void HostRelease::operator()(void* block) const noexcept {
  if (kSanitized) return std::free(block);
  unmap_pages(block, bytes);
}

}  // namespace tern
