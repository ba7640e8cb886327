// SPDX-License-Identifier: Apache-2.0
// Blocks of memory side by side in huge pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <utility>

namespace tern {

inline constexpr size_t kHugePage = size_t{2} << 20;

// Asks for huge pages in [begin, begin + bytes), begin at a multiple of kHugePage. A wish: where it is refused, the
// pages stay small.
void ask_for_huge_pages(void* begin, size_t bytes) noexcept;

// `bytes` to whole cache lines of 64, which every block of host memory begins with.
constexpr size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

// Cuts blocks out of chunks that ask for huge pages (Linux, transparent_hugepage = madvise or always). A page is 2 MiB
// and a packed matrix of a 2B model 1 to 4: each in pages of its own would waste a seventh of the memory, and in small
// pages reading it lost a fifth of its speed. Best fit; neighbours that are free join. Safe to use from several
// threads.
class HugeArena {
 public:
  static constexpr size_t kChunkBytes = size_t{64} << 20;
  static constexpr size_t kMostBytes = kChunkBytes / 4;  // of a block

  HugeArena() = default;
  HugeArena(const HugeArena&) = delete;
  HugeArena& operator=(const HugeArena&) = delete;
  ~HugeArena();

  // `bytes` bytes, 1 to kMostBytes, at a multiple of 64, their content undefined; null when the system has none.
  void* allocate(size_t bytes) noexcept;
  // What allocate(bytes) returned. Of what is free about 64 MiB stay resident for the next blocks.
  void release(void* block, size_t bytes) noexcept;
  // Gives the pages of all that is free back to the system.
  void trim() noexcept;

 private:
  using Address = uintptr_t;

  bool add_chunk();
  void add_free(Address begin, Address end);
  void remove_free(Address begin, Address end);
  void give_back_pages() noexcept;

  std::mutex mutex_;
  std::map<Address, Address> free_;                    // begin -> end of what is free
  std::set<std::pair<size_t, Address>> free_by_size_;  // the same as (bytes, begin)
  std::set<Address> chunks_;
  size_t dirty_ = 0;  // bytes of free_ that may be resident, estimated: released less what was allocated since
};

}  // namespace tern
