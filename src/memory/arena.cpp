// SPDX-License-Identifier: Apache-2.0
#include "memory/arena.h"

#include <algorithm>
#include <iterator>
#include <new>
#include <tuple>

#include "base/host_memory.h"

namespace tern {
namespace {

// Ranges that are large enough, but where the block would be aligned only beyond their end, until larger ones are
// taken.
constexpr int kMostTries = 16;

// One part of so many may be free at the peak.
constexpr size_t kMostOfPeak = 64;

}  // namespace

Arena::~Arena() {
  resident_.each_range([](Address begin, Address end) { unmap_pages(reinterpret_cast<void*>(begin), end - begin); });
}

bool Arena::add_chunk(size_t bytes) noexcept {
  const size_t size = std::max(kChunkBytes, (bytes + kHugePage - 1) / kHugePage * kHugePage);
  void* const mapped = map_pages(size);
  if (mapped == nullptr) return false;
  const Address begin = reinterpret_cast<Address>(mapped), end = begin + size;
  try {
    resident_.add(begin, end);
    release_range({begin, end});
  } catch (const std::bad_alloc&) {
    return false;  // what the maps hold of it stays unused
  }
  return true;
}

void Arena::add_free(Range range) {
  const auto at = free_.emplace(range.begin, range.end).first;
  try {
    free_by_size_.emplace(range.end - range.begin, range.begin);
  } catch (const std::bad_alloc&) {
    free_.erase(at);
    throw;
  }
}

void Arena::remove_free(Range range) noexcept {
  free_.erase(range.begin);
  free_by_size_.erase({range.end - range.begin, range.begin});
}

void Arena::replace_free(Range range, Range by) noexcept {
  auto node = free_.extract(range.begin);
  node.key() = by.begin;
  node.mapped() = by.end;
  free_.insert(std::move(node));
  auto by_size = free_by_size_.extract({range.end - range.begin, range.begin});
  by_size.value() = {by.end - by.begin, by.begin};
  free_by_size_.insert(std::move(by_size));
}

std::pair<Arena::Range, Arena::Address> Arena::find(size_t size, size_t alignment) const noexcept {
  const auto fit = [&](auto at) -> std::pair<Range, Address> {
    const Address begin = at->second, end = begin + at->first, aligned = (begin + alignment - 1) & ~(alignment - 1);
    if (aligned < end && end - aligned >= size) return {{begin, end}, aligned};
    return {};
  };
  auto at = free_by_size_.lower_bound({size, 0});
  for (int tries = 0; tries < kMostTries && at != free_by_size_.end(); ++tries, ++at) {
    if (const auto found = fit(at); found.second != 0) return found;
  }
  at = free_by_size_.lower_bound({size + alignment, 0});
  return at == free_by_size_.end() ? std::pair<Range, Address>() : fit(at);
}

void* Arena::allocate(size_t bytes, size_t alignment) noexcept {
  if (bytes > SIZE_MAX / 2) return nullptr;
  const size_t size = whole_lines(bytes);
  auto [range, begin] = find(size, alignment);
  if (begin == 0) {
    if (!add_chunk(size)) return nullptr;
    std::tie(range, begin) = find(size, alignment);
  }
  const Address end = begin + size;
  if (range.begin == begin && range.end == end) {
    remove_free(range);
  } else if (range.begin == begin) {
    replace_free(range, {end, range.end});
  } else {
    replace_free(range, {range.begin, begin});
    if (end < range.end) {
      try {
        add_free({end, range.end});
      } catch (const std::bad_alloc&) {
        replace_free({range.begin, begin}, range);
        return nullptr;
      }
    }
  }
  used_ += size;
  resident_.touch(begin, end);
  if (reserved() > most_reserved_) keep_peak_low();
  return reinterpret_cast<void*>(begin);
}

// Before more than ever is held, pages that are free elsewhere go: at the peak little is kept that is not in use.
void Arena::keep_peak_low() noexcept {
  if (reserved() - used_ > reserved() / kMostOfPeak) trim(true);
  most_reserved_ = std::max(most_reserved_, reserved());
}

void Arena::release(void* block, size_t bytes) noexcept {
  const Address begin = reinterpret_cast<Address>(block);
  const size_t size = whole_lines(bytes);
  used_ -= size;
  try {
    release_range({begin, begin + size});
  } catch (const std::bad_alloc&) {
    // The range is lost, and nothing else.
  }
}

// Chunks may touch, too: a block across two of them is as good as any.
void Arena::release_range(Range range) {
  const auto after = free_.lower_bound(range.begin);
  const bool joins_after = after != free_.end() && after->first == range.end;
  const bool joins_before = after != free_.begin() && std::prev(after)->second == range.begin;
  const Range next = joins_after ? Range{after->first, after->second} : Range{};
  if (joins_before) {
    const Range before = {std::prev(after)->first, range.begin};
    if (joins_after) remove_free(next);
    replace_free(before, {before.begin, joins_after ? next.end : range.end});
  } else if (joins_after) {
    replace_free(next, {range.begin, next.end});
  } else {
    add_free(range);
  }
}

void Arena::trim(bool whole_huge_pages) noexcept {
  for (const auto& [begin, end] : free_) resident_.give_back(begin, end, whole_huge_pages);
}

}  // namespace tern
