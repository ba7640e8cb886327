// SPDX-License-Identifier: Apache-2.0
// Pages of keys and values for texts that grow, are cut back and begin alike.
#pragma once

#include <cstdint>
#include <span>

#include "engine/prefix_index.h"
#include "tern/model.h"

namespace tern {

// A text's pages. Those at its beginning that are full are in the index, from where others may share them.
struct KeptSequence {
  KvSequence kv;
  PrefixIndex::Node node = PrefixIndex::kRoot;  // the last page that is in the index,
  int64_t indexed = 0;                          // and how many there are up to it
};

// Owns the pool and the references of all texts to it. `ids` are always a text's tokens from its beginning.
class PageKeeper {
 public:
  PageKeeper(KvPool pool, bool reuse) : pool_(std::move(pool)), index_(pool_), reuse_(reuse) {}
  PageKeeper(const PageKeeper&) = delete;
  PageKeeper& operator=(const PageKeeper&) = delete;

  KvPool& pool() { return pool_; }
  const KvPool& pool() const { return pool_; }

  // Lengthens a text that ends with a page by the full pages of `ids` that the index has, but for the last token: that
  // has to go through the model. Returns the number of tokens gained.
  int64_t share_pages(KeptSequence& sequence, std::span<const int32_t> ids);
  // After share_pages: the beginning of one more page, as a copy of its own. A small gain is not worth the copy.
  int64_t copy_partial(KeptSequence& sequence, std::span<const int32_t> ids);

  // Adds pages until `tokens` tokens fit, evicting shared ones that nobody uses. Returns how many tokens fit now.
  int64_t reserve(KeptSequence& sequence, int64_t tokens);
  // Pages that reserve() could get.
  int64_t available() const { return pool_.free_pages() + index_.evictable(); }

  // Cuts the text `ids` back to its first `length` tokens, gives back the pages behind them and puts the full ones into the
  // index.
  void settle(KeptSequence& sequence, int64_t length, std::span<const int32_t> ids);
  // Gives back all pages; what is in the index stays there until it is evicted.
  void release(KeptSequence& sequence);
  // The same after putting the last, partly filled page into the index.
  void retire(KeptSequence& sequence, std::span<const int32_t> ids);

  int64_t cached_pages() const { return index_.size(); }
  int64_t evicted_pages() const { return evicted_; }

 private:
  bool make_room();
  // Fewer tokens of a page than these are computed, not copied.
  int64_t smallest_copy() const { return (pool_.page_tokens() + 3) / 4; }

  KvPool pool_;
  PrefixIndex index_;
  bool reuse_;
  int64_t evicted_ = 0;
};

}  // namespace tern
