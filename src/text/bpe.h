// SPDX-License-Identifier: Apache-2.0
// Byte pair encoding: merges the bytes of a piece into tokens, the merge learned first before all others.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/pair_map.h"

namespace tern {

// Hashes strings and views alike, so that maps of strings are searched without a copy.
struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
template <class Value>
using StringMap = std::unordered_map<std::string, Value, StringHash, std::equal_to<>>;

struct BpeMerge {
  int32_t left, right, merged;
};

class Bpe {
 public:
  static constexpr int32_t kNoToken = -1;

  // byte_ids: the token of each byte, or kNoToken. merges: in order of rank; where a pair occurs twice, the later
  // counts. words: the bytes of every token that text may become. With ignore_merges a piece that is a word is that
  // token whatever the merges say; without, words only speed up what merging would give.
  Bpe(const std::array<int32_t, 256>& byte_ids, std::vector<BpeMerge> merges, StringMap<int32_t> words,
      bool ignore_merges);

  // Appends the ids of a piece, in O(n log n). Throws Error for a byte without a token.
  void encode(std::string_view piece, std::vector<int32_t>& ids) const;

 private:
  void merge(std::string_view piece, std::vector<int32_t>& ids) const;
  size_t merge_short(std::span<int32_t> symbols) const;
  size_t merge_long(std::span<int32_t> symbols) const;
  void keep_reachable_words();

  std::array<int32_t, 256> byte_ids_;
  std::vector<BpeMerge> merges_;
  PairMap ranks_;
  StringMap<int32_t> words_;
};

}  // namespace tern
