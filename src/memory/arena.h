// SPDX-License-Identifier: Apache-2.0
// Blocks of memory side by side in huge pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "memory/resident_pages.h"

namespace tern {

// Cuts blocks out of chunks of mapped huge pages, of 64 MiB or as large as one block needs. A page is 2 MiB and a
// packed matrix of a 2B model 1 to 4: each in pages of its own would waste a seventh of the memory, and in small pages
// reading it lost a fifth of its speed. Best fit, the lowest address first; neighbours that are free join. One thread
// at a time.
class Arena {
 public:
  static constexpr size_t kChunkBytes = size_t{64} << 20;

  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  // Blocks that were not released go, too.
  ~Arena();

  // `bytes` > 0 at a multiple of `alignment`, a power of two from 64 to the huge page, their content undefined; null
  // when the system has none.
  void* allocate(size_t bytes, size_t alignment = 64) noexcept;
  // What allocate(bytes, …) returned.
  void release(void* block, size_t bytes) noexcept;

  // Gives pages where no block is back to the system: all of them, or whole huge pages alone, which leaves those of the
  // blocks huge.
  void trim(bool whole_huge_pages) noexcept;

  // For who has a block that is not in use as a whole: gives back the pages of [begin, end), and says that they are to
  // be written again.
  using Address = ResidentPages::Address;
  void give_back(Address begin, Address end) noexcept { resident_.give_back(begin, end, false); }
  void touch(Address begin, Address end) noexcept { resident_.touch(begin, end); }

  // Bytes of the system's memory that the arena holds, and of them those in blocks.
  size_t reserved() const { return resident_.bytes(); }
  size_t used() const { return used_; }

 private:
  struct Range {
    Address begin, end;
  };

  bool add_chunk(size_t bytes) noexcept;
  void keep_peak_low() noexcept;
  void release_range(Range range);
  // The free range for a block and where the block begins in it; no range where none is large enough.
  std::pair<Range, Address> find(size_t size, size_t alignment) const noexcept;
  // The sets of free ranges: one more, one less, one in place of another, which needs no memory.
  void add_free(Range range);
  void remove_free(Range range) noexcept;
  void replace_free(Range range, Range by) noexcept;

  std::map<Address, Address> free_;                    // begin -> end of what is free
  std::set<std::pair<size_t, Address>> free_by_size_;  // the same as (bytes, begin)
  ResidentPages resident_;
  size_t used_ = 0, most_reserved_ = 0;
};

}  // namespace tern
