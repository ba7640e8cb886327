// SPDX-License-Identifier: Apache-2.0
#include "engine/page_keeper.h"

#include <algorithm>

#include "base/check.h"

namespace tern {
namespace {

std::span<const int32_t> part(std::span<const int32_t> ids, int64_t begin, int64_t count) {
  return ids.subspan(static_cast<size_t>(begin), static_cast<size_t>(count));
}

}  // namespace

int64_t PageKeeper::share_pages(KeptSequence& sequence, std::span<const int32_t> ids) {
  const int64_t before = sequence.kv.length, page_tokens = pool_.page_tokens();
  if (!reuse_ || before != sequence.indexed * page_tokens) return 0;
  const int64_t last = std::ssize(ids) - 1;
  while (sequence.kv.length + page_tokens <= last) {
    const auto node = index_.find(sequence.node, part(ids, sequence.kv.length, page_tokens));
    if (!node) break;
    pool_.truncate(sequence.kv, sequence.kv.length);
    pool_.retain(index_.page(*node));
    sequence.kv.pages.push_back(index_.page(*node));
    sequence.kv.length += page_tokens;
    sequence.node = *node;
    ++sequence.indexed;
  }
  return sequence.kv.length - before;
}

int64_t PageKeeper::copy_partial(KeptSequence& sequence, std::span<const int32_t> ids) {
  const int64_t length = sequence.kv.length, page_tokens = pool_.page_tokens();
  if (!reuse_ || length != sequence.indexed * page_tokens) return 0;
  const int64_t wanted = std::min(page_tokens, std::ssize(ids) - 1 - length);
  if (wanted < smallest_copy()) return 0;
  const PrefixIndex::Partial found = index_.longest(sequence.node, part(ids, length, wanted));
  if (found.tokens < smallest_copy()) return 0;
  pool_.retain(found.page);  // making room must not take it
  const bool room = reserve(sequence, length + found.tokens) >= length + found.tokens;
  if (room) {
    pool_.copy_page(found.page, sequence.kv.pages[static_cast<size_t>(sequence.indexed)]);
    sequence.kv.length += found.tokens;
  }
  pool_.release(found.page);
  return room ? found.tokens : 0;
}

bool PageKeeper::make_room() {
  if (pool_.free_pages() > 0) return true;
  if (!index_.evict()) return false;
  ++evicted_;
  return true;
}

int64_t PageKeeper::reserve(KeptSequence& sequence, int64_t tokens) {
  std::vector<int32_t>& pages = sequence.kv.pages;
  const int64_t page_tokens = pool_.page_tokens();
  while (std::ssize(pages) * page_tokens < tokens && make_room()) pages.push_back(pool_.acquire());
  return std::ssize(pages) * page_tokens;
}

void PageKeeper::settle(KeptSequence& sequence, int64_t length, std::span<const int32_t> ids) {
  check(length <= std::ssize(ids), "pages", "expected at most the {} tokens of the text, got {}", ids.size(), length);
  sequence.kv.length = length;
  pool_.truncate(sequence.kv, length);
  const int64_t page_tokens = pool_.page_tokens();
  while (reuse_ && (sequence.indexed + 1) * page_tokens <= length) {
    int32_t& page = sequence.kv.pages[static_cast<size_t>(sequence.indexed)];
    sequence.node = index_.insert(sequence.node, part(ids, sequence.indexed * page_tokens, page_tokens), page);
    if (const int32_t shared = index_.page(sequence.node); shared != page) {
      pool_.retain(shared);  // another request was first to compute the same page
      pool_.release(page);
      page = shared;
    }
    ++sequence.indexed;
  }
}

void PageKeeper::release(KeptSequence& sequence) {
  pool_.truncate(sequence.kv, 0);
  sequence = {};
}

void PageKeeper::retire(KeptSequence& sequence, std::span<const int32_t> ids) {
  const int64_t begin = sequence.indexed * pool_.page_tokens(), tokens = sequence.kv.length - begin;
  if (reuse_ && tokens >= smallest_copy()) {
    const std::span<const int32_t> tail = part(ids, begin, tokens);
    const bool known = index_.longest(sequence.node, tail).tokens == tokens;
    if (!known) index_.insert(sequence.node, tail, sequence.kv.pages[static_cast<size_t>(sequence.indexed)]);
  }
  release(sequence);
}

}  // namespace tern
