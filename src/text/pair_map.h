// SPDX-License-Identifier: Apache-2.0
// A hash table from pairs of token ids to merge ranks: open addressing, built once, read by many threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tern {

class PairMap {
 public:
  static constexpr uint32_t kAbsent = UINT32_MAX;

  // Room for `count` pairs at a load of at most three quarters.
  explicit PairMap(size_t count) {
    while ((size_t{1} << bits_) * 3 < count * 4) ++bits_;
    slots_.resize(size_t{1} << bits_);
  }

  // Ids are expected not to be negative, the value not to be kAbsent. Replaces an older value.
  void insert(int32_t left, int32_t right, uint32_t value) {
    const uint64_t key = key_of(left, right);
    size_t at = home(key);
    while (slots_[at].value != kAbsent && slots_[at].key != key) at = next(at);
    slots_[at] = {key, value};
  }

  uint32_t find(int32_t left, int32_t right) const {
    const uint64_t key = key_of(left, right);
    size_t at = home(key);
    while (slots_[at].value != kAbsent && slots_[at].key != key) at = next(at);
    return slots_[at].value;
  }

 private:
  struct Slot {
    uint64_t key = 0;
    uint32_t value = kAbsent;
  };

  static uint64_t key_of(int32_t left, int32_t right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }
  size_t home(uint64_t key) const { return (key * 0x9E3779B97F4A7C15u) >> (64 - bits_); }
  size_t next(size_t at) const { return (at + 1) & (slots_.size() - 1); }

  unsigned bits_ = 4;
  std::vector<Slot> slots_;
};

}  // namespace tern
