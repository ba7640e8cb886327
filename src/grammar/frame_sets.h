// SPDX-License-Identifier: Apache-2.0
// Interned sets of frames: equal sets have the same id.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tern {

// Be at a node of the automaton, above a stack.
struct Frame {
  uint32_t node;
  uint32_t stack;  // an id

  friend auto operator<=>(const Frame&, const Frame&) = default;
};

// Ids count from 0 in the order of arrival.
class FrameSets {
 public:
  // The id of these frames, which must be sorted, together with flags; depth is kept beside
  // them and does not tell sets apart. The frames must not lie in this table.
  uint32_t intern(std::span<const Frame> frames, uint8_t flags, uint16_t depth);

  // Valid until the next intern.
  std::span<const Frame> frames(uint32_t id) const {
    return std::span(pool_).subspan(sets_[id].begin, sets_[id].count);
  }
  uint8_t flags(uint32_t id) const { return sets_[id].flags; }
  uint16_t depth(uint32_t id) const { return sets_[id].depth; }
  uint32_t count() const { return static_cast<uint32_t>(sets_.size()); }
  size_t frame_count() const { return pool_.size(); }

 private:
  struct Set {
    uint32_t begin, count;
    uint64_t hash;
    uint16_t depth;
    uint8_t flags;
  };
  void grow();

  std::vector<Frame> pool_;
  std::vector<Set> sets_;
  std::vector<uint32_t> slots_;  // open addressing: id + 1, 0 where empty; a power of two
};

}  // namespace tern
