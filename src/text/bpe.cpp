// SPDX-License-Identifier: Apache-2.0
#include "text/bpe.h"

#include <algorithm>
#include <queue>

#include "base/check.h"

namespace tern {
namespace {

// Up to this many symbols a scan for the best pair beats a heap.
constexpr size_t kShort = 48;

// The symbols of a long piece, as a list in which a merge drops its right neighbour.
struct Links {
  static constexpr uint32_t kNone = UINT32_MAX;

  explicit Links(size_t count) : previous(count), next(count) {
    for (size_t i = 0; i < count; ++i) {
      previous[i] = i == 0 ? kNone : static_cast<uint32_t>(i - 1);
      next[i] = i + 1 == count ? kNone : static_cast<uint32_t>(i + 1);
    }
  }

  void drop_after(uint32_t at) {
    const uint32_t dropped = next[at];
    next[at] = next[dropped];
    if (next[at] != kNone) previous[next[at]] = at;
  }

  std::vector<uint32_t> previous, next;
};

}  // namespace

Bpe::Bpe(const std::array<int32_t, 256>& byte_ids, std::vector<BpeMerge> merges, StringMap<int32_t> words,
         bool ignore_merges)
    : byte_ids_(byte_ids), merges_(std::move(merges)), ranks_(merges_.size()), words_(std::move(words)) {
  for (uint32_t rank = 0; rank < merges_.size(); ++rank) ranks_.insert(merges_[rank].left, merges_[rank].right, rank);
  if (!ignore_merges) keep_reachable_words();
}

// Keeps the words that their own bytes merge into: for those, looking up and merging are the same.
void Bpe::keep_reachable_words() {
  std::vector<int32_t> ids;
  std::erase_if(words_, [&](const auto& word) {
    const auto known = [&](char byte) { return byte_ids_[static_cast<uint8_t>(byte)] != kNoToken; };
    if (!std::all_of(word.first.begin(), word.first.end(), known)) return true;
    ids.clear();
    merge(word.first, ids);
    return ids.size() != 1 || ids[0] != word.second;
  });
}

void Bpe::encode(std::string_view piece, std::vector<int32_t>& ids) const {
  if (const auto word = words_.find(piece); word != words_.end()) {
    ids.push_back(word->second);
  } else {
    merge(piece, ids);
  }
}

void Bpe::merge(std::string_view piece, std::vector<int32_t>& ids) const {
  check(piece.size() < Links::kNone, "encode", "expected a piece of less than 4 GiB, got {} bytes", piece.size());
  const size_t begin = ids.size();
  ids.resize(begin + piece.size());
  for (size_t i = 0; i < piece.size(); ++i) {
    const auto byte = static_cast<uint8_t>(piece[i]);
    check(byte_ids_[byte] != kNoToken, "encode", "expected only bytes that have a token, got {:#04x}", byte);
    ids[begin + i] = byte_ids_[byte];
  }
  const std::span<int32_t> symbols = std::span(ids).subspan(begin);
  ids.resize(begin + (piece.size() <= kShort ? merge_short(symbols) : merge_long(symbols)));
}

// Both return the number of symbols that are left at the front.
size_t Bpe::merge_short(std::span<int32_t> symbols) const {
  size_t count = symbols.size();
  std::array<uint32_t, kShort> ranks;
  const auto rank = [&](size_t i) { ranks[i] = ranks_.find(symbols[i], symbols[i + 1]); };
  for (size_t i = 0; i + 1 < count; ++i) rank(i);
  while (count > 1) {
    const auto best = std::min_element(ranks.begin(), ranks.begin() + static_cast<std::ptrdiff_t>(count - 1));
    if (*best == PairMap::kAbsent) break;
    const auto at = static_cast<size_t>(best - ranks.begin());
    symbols[at] = merges_[*best].merged;
    --count;
    for (size_t i = at + 1; i < count; ++i) {
      symbols[i] = symbols[i + 1];
      ranks[i - 1] = ranks[i];
    }
    if (at > 0) rank(at - 1);
    if (at + 1 < count) rank(at);
  }
  return count;
}

size_t Bpe::merge_long(std::span<int32_t> symbols) const {
  Links links(symbols.size());
  const auto rank_at = [&](uint32_t at) {
    const bool pair = symbols[at] != kNoToken && links.next[at] != Links::kNone;
    return pair ? ranks_.find(symbols[at], symbols[links.next[at]]) : PairMap::kAbsent;
  };
  // Rank above position: the smallest entry is the best pair, the leftmost of equals. Entries whose pair has changed
  // since are skipped when they come up.
  std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> queue;
  const auto push = [&](uint32_t at) {
    if (const uint32_t rank = rank_at(at); rank != PairMap::kAbsent) queue.push(uint64_t{rank} << 32 | at);
  };
  for (uint32_t at = 0; at < symbols.size(); ++at) push(at);
  while (!queue.empty()) {
    const auto rank = static_cast<uint32_t>(queue.top() >> 32);
    const auto at = static_cast<uint32_t>(queue.top());
    queue.pop();
    if (rank_at(at) != rank) continue;
    symbols[links.next[at]] = kNoToken;
    links.drop_after(at);
    symbols[at] = merges_[rank].merged;
    push(at);
    if (links.previous[at] != Links::kNone) push(links.previous[at]);
  }
  const auto end = std::remove(symbols.begin(), symbols.end(), kNoToken);
  return static_cast<size_t>(end - symbols.begin());
}

}  // namespace tern
