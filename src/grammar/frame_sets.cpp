// SPDX-License-Identifier: Apache-2.0
#include "grammar/frame_sets.h"

#include <algorithm>

#include "base/random.h"

namespace tern {

uint32_t FrameSets::intern(std::span<const Frame> frames, uint8_t flags, uint16_t depth) {
  uint64_t hash = flags;
  for (const Frame& frame : frames) hash = random_bits(hash, uint64_t{frame.node} << 32 | frame.stack);
  if (2 * (sets_.size() + 1) > slots_.size()) grow();
  size_t slot = hash & (slots_.size() - 1);
  for (; slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1)) {
    const Set& set = sets_[slots_[slot] - 1];
    if (set.hash != hash || set.flags != flags || set.count != frames.size()) continue;
    if (std::equal(frames.begin(), frames.end(), pool_.begin() + set.begin)) return slots_[slot] - 1;
  }
  const auto begin = static_cast<uint32_t>(pool_.size());
  pool_.insert(pool_.end(), frames.begin(), frames.end());
  sets_.push_back({begin, static_cast<uint32_t>(frames.size()), hash, depth, flags});
  slots_[slot] = count();
  return count() - 1;
}

void FrameSets::grow() {
  slots_.assign(std::max<size_t>(64, 2 * slots_.size()), 0);
  for (uint32_t id = 0; id < count(); ++id) {
    size_t slot = sets_[id].hash & (slots_.size() - 1);
    while (slots_[slot] != 0) slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = id + 1;
  }
}

}  // namespace tern
