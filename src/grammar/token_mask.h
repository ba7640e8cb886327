// SPDX-License-Identifier: Apache-2.0
// A set of token ids.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tern {

// One bit for each id from 0 to size() - 1: bit id % 64 of word id / 64. Bits beyond the last id are 0.
class TokenMask {
 public:
  TokenMask() = default;
  explicit TokenMask(int32_t size) : words_((static_cast<size_t>(size) + 63) / 64), size_(size) {}

  int32_t size() const { return size_; }
  bool test(int32_t id) const {
    return id >= 0 && id < size_ && (words_[static_cast<size_t>(id) / 64] >> (id % 64) & 1) != 0;
  }
  // Expects 0 <= id < size().
  void set(int32_t id) { words_[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64); }
  void clear() { words_.assign(words_.size(), 0); }
  // Expects the same size.
  TokenMask& operator|=(const TokenMask& other) {
    for (size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
    return *this;
  }
  int32_t count() const {
    int32_t sum = 0;
    for (const uint64_t word : words_) sum += std::popcount(word);
    return sum;
  }
  std::span<const uint64_t> words() const { return words_; }

  friend bool operator==(const TokenMask&, const TokenMask&) = default;

 private:
  std::vector<uint64_t> words_;
  int32_t size_ = 0;
};

}  // namespace tern
