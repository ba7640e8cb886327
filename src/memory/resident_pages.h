// SPDX-License-Identifier: Apache-2.0
// Which pages of an arena are in memory, as far as one can tell without asking the system.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>

#include "base/host_memory.h"

namespace tern {

// A page is resident from the first block that touches it until it is given back; with the first byte of a huge page
// all of it becomes resident. So bytes() is never less than what the system counts, but where it makes huge pages of
// small ones by itself.
class ResidentPages {
 public:
  using Address = uintptr_t;

  // Pages that nobody touched, in whole huge pages. Throws std::bad_alloc.
  void add(Address begin, Address end);
  // A block is to be written.
  void touch(Address begin, Address end) noexcept;
  // Gives the pages that lie in [begin, end), where no block is, back to the system: the small ones of all, or those of
  // whole huge pages alone.
  void give_back(Address begin, Address end, bool whole_huge_pages) noexcept;

  size_t bytes() const { return bytes_; }
  // Calls body(begin, end) on all that was added, in as few ranges as touch.
  template <class Body>
  void each_range(Body body) const;

 private:
  // A bit for each of a huge page's 512 small ones.
  struct Bits {
    std::array<uint64_t, 8> words{};
    int count = 0;

    // Sets the pages [first, last) and returns how many of them were not, or clears and returns how many were.
    template <bool kSet>
    int change(int first, int last) noexcept;
  };

  std::map<Address, Bits> pages_;  // by the address of the huge page
  size_t bytes_ = 0;
};

template <class Body>
void ResidentPages::each_range(Body body) const {
  Address begin = 0, end = 0;
  for (const auto& [at, bits] : pages_) {
    if (at != end) {
      if (begin != end) body(begin, end);
      begin = at;
    }
    end = at + kHugePage;
  }
  if (begin != end) body(begin, end);
}

}  // namespace tern
