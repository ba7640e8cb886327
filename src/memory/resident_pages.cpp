// SPDX-License-Identifier: Apache-2.0
#include "memory/resident_pages.h"

#include <algorithm>
#include <bit>

namespace tern {
namespace {

constexpr int kSmallPages = static_cast<int>(kHugePage / kSmallPage);

constexpr uintptr_t huge_page_of(uintptr_t address) { return address / kHugePage * kHugePage; }

}  // namespace

template <bool kSet>
int ResidentPages::Bits::change(int first, int last) noexcept {
  int changed = 0;
  for (int word = first / 64; word * 64 < last; ++word) {
    const int from = std::max(first - word * 64, 0), to = std::min(last - word * 64, 64);
    const uint64_t mask = (to == 64 ? ~uint64_t{0} : (uint64_t{1} << to) - 1) & ~((uint64_t{1} << from) - 1);
    uint64_t& bits = words[static_cast<size_t>(word)];
    changed += std::popcount(kSet ? mask & ~bits : mask & bits);
    bits = kSet ? bits | mask : bits & ~mask;
  }
  count += kSet ? changed : -changed;
  return changed;
}

void ResidentPages::add(Address begin, Address end) {
  for (Address page = begin; page < end; page += kHugePage) pages_.try_emplace(page);
}

void ResidentPages::touch(Address begin, Address end) noexcept {
  for (auto at = pages_.find(huge_page_of(begin)); at != pages_.end() && at->first < end; ++at) {
    auto& [page, bits] = *at;
    if (bits.count == kSmallPages) continue;
    const bool fresh = bits.count == 0;
    const Address from = fresh ? page : std::max(begin, page),
                  to = fresh ? page + kHugePage : std::min(end, page + kHugePage);
    const int pages = bits.change<true>(static_cast<int>((from - page) / kSmallPage),
                                        static_cast<int>((to - page + kSmallPage - 1) / kSmallPage));
    bytes_ += static_cast<size_t>(pages) * kSmallPage;
  }
}

void ResidentPages::give_back(Address begin, Address end, bool whole_huge_pages) noexcept {
  const size_t unit = whole_huge_pages ? kHugePage : kSmallPage;
  begin = (begin + unit - 1) / unit * unit;
  end = end / unit * unit;
  for (auto at = pages_.find(huge_page_of(begin)); begin < end && at != pages_.end() && at->first < end; ++at) {
    auto& [page, bits] = *at;
    const Address from = std::max(begin, page), to = std::min(end, page + kHugePage);
    Bits without = bits;
    const int pages =
        without.change<false>(static_cast<int>((from - page) / kSmallPage), static_cast<int>((to - page) / kSmallPage));
    if (pages == 0 || !give_back_pages(reinterpret_cast<void*>(from), to - from)) continue;
    bits = without;
    bytes_ -= static_cast<size_t>(pages) * kSmallPage;
  }
}

}  // namespace tern
