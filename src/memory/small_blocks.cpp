// SPDX-License-Identifier: Apache-2.0
#include "memory/small_blocks.h"

#include <algorithm>
#include <functional>
#include <new>
#include <utility>
#include <vector>

#include "base/host_memory.h"

namespace tern {
namespace {

constexpr size_t kFewFreeBytes = size_t{4} << 20;

// Blocks begin at multiples of 64.
constexpr uintptr_t kFresh = 1;

}  // namespace

FreeBlocks FreeBlocks::take(int number) noexcept {
  if (number >= count) return std::exchange(*this, {});
  FreeBlock* last = first;
  for (int i = 1; i < number; ++i) last = last->next;
  const FreeBlocks taken = {first, number};
  first = std::exchange(last->next, nullptr);
  count -= number;
  return taken;
}

SmallBlocks::SmallBlocks(Arena& arena) : arena_(arena), give_back_at_(kFewFreeBytes) {}

bool SmallBlocks::add_span(int index) noexcept {
  void* const span = arena_.allocate(span_bytes(index), span_bytes(index));
  if (span == nullptr) return false;
  const auto begin = reinterpret_cast<uintptr_t>(span);
  const size_t size = kClassBytes[static_cast<size_t>(index)];
  try {
    classes_[static_cast<size_t>(index)].fresh.push_back({begin, begin + span_bytes(index) / size * size});
  } catch (const std::bad_alloc&) {
    arena_.release(span, span_bytes(index));
    return false;
  }
  return true;
}

FreeBlocks SmallBlocks::take(int index, int most) noexcept {
  Class& c = classes_[static_cast<size_t>(index)];
  const size_t size = kClassBytes[static_cast<size_t>(index)];
  if (c.free.count > 0) {
    const FreeBlocks taken = c.free.take(most);
    free_bytes_ -= static_cast<size_t>(taken.count) * size;
    return taken;
  }
  if (c.fresh.empty() && !add_span(index)) return {};
  Fresh& fresh = c.fresh.back();
  const size_t bytes = std::min(fresh.end - fresh.begin, static_cast<size_t>(most) * size);
  arena_.touch(fresh.begin, fresh.begin + bytes);
  FreeBlocks cut;
  for (size_t at = bytes; at > 0; at -= size) cut.push(reinterpret_cast<void*>(fresh.begin + at - size));
  fresh.begin += bytes;
  if (fresh.begin == fresh.end) c.fresh.pop_back();
  return cut;
}

void SmallBlocks::put(int index, FreeBlocks blocks) noexcept {
  Class& c = classes_[static_cast<size_t>(index)];
  free_bytes_ += static_cast<size_t>(blocks.count) * kClassBytes[static_cast<size_t>(index)];
  FreeBlock* last = blocks.first;
  while (last->next != nullptr) last = last->next;
  last->next = c.free.first;
  c.free = {blocks.first, c.free.count + blocks.count};
  if (free_bytes_ >= give_back_at_) give_back(false);
}

void SmallBlocks::give_back(bool pages) noexcept {
  for (int index = 0; index < kSizeClasses; ++index) {
    try {
      give_back(index, pages);
    } catch (const std::bad_alloc&) {
      // They stay.
    }
  }
  give_back_at_ = std::max(kFewFreeBytes, 2 * free_bytes_);
}

void SmallBlocks::give_back(int index, bool pages) {
  Class& c = classes_[static_cast<size_t>(index)];
  const size_t size = kClassBytes[static_cast<size_t>(index)], span = span_bytes(index);
  std::vector<uintptr_t> blocks;
  size_t count = static_cast<size_t>(c.free.count);
  for (const Fresh& fresh : c.fresh) count += (fresh.end - fresh.begin) / size;
  blocks.reserve(count);
  for (const FreeBlock* block = c.free.first; block != nullptr; block = block->next) {
    blocks.push_back(reinterpret_cast<uintptr_t>(block));
  }
  for (const Fresh& fresh : c.fresh) {
    for (uintptr_t at = fresh.begin; at < fresh.end; at += size) blocks.push_back(at + kFresh);
  }
  std::vector<Fresh> ranges;
  ranges.reserve(count);  // as many as there can be: from here on nothing fails
  free_bytes_ -= static_cast<size_t>(c.free.count) * size;
  c.free = {};
  c.fresh.swap(ranges);
  c.fresh.clear();
  // From the highest address, so that the lowest are used first, and the others may become free.
  std::ranges::sort(blocks, std::ranges::greater());
  for (size_t begin = 0, end = 0; begin < blocks.size(); begin = end) {
    const uintptr_t of = blocks[begin] / span;
    while (end < blocks.size() && blocks[end] / span == of) ++end;
    if (end - begin == span / size) {
      arena_.release(reinterpret_cast<void*>(of * span), span);
    } else {
      keep(index, std::span(blocks).subspan(begin, end - begin), pages);
    }
  }
  c.fresh.shrink_to_fit();
}

void SmallBlocks::keep(int index, std::span<const uintptr_t> blocks, bool pages) {
  Class& c = classes_[static_cast<size_t>(index)];
  const size_t size = kClassBytes[static_cast<size_t>(index)];
  for (size_t first = 0, next = 0; first < blocks.size(); first = next) {
    // Side by side and alike, or, with `pages`, side by side.
    const uintptr_t kind = blocks[first] & kFresh;
    do {
      ++next;
    } while (next < blocks.size() && (blocks[next] & ~kFresh) + size == (blocks[next - 1] & ~kFresh) &&
             (pages || (blocks[next] & kFresh) == kind));
    const Fresh run = {blocks[next - 1] & ~kFresh, (blocks[first] & ~kFresh) + size};
    const bool whole_pages = (run.begin + kSmallPage - 1) / kSmallPage < run.end / kSmallPage;
    if (pages && whole_pages) arena_.give_back(run.begin, run.end);
    if ((pages && whole_pages) || (!pages && kind == kFresh)) {
      c.fresh.push_back(run);
      continue;
    }
    arena_.touch(run.begin, run.end);
    free_bytes_ += run.end - run.begin;
    for (size_t i = first; i < next; ++i) c.free.push(reinterpret_cast<void*>(blocks[i] & ~kFresh));
  }
}

}  // namespace tern
