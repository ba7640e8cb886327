// SPDX-License-Identifier: Apache-2.0
#include "memory/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "base/host_memory.h"
#include "support/marked_block.h"
#include "support/resident_bytes.h"

namespace tern {
namespace {

using testing::marked;
using testing::MarkedBlock;
using testing::resident_bytes;

constexpr size_t kMiB = size_t{1} << 20;

TEST(Arena, BlocksOfAnySizeKeepWhatTheyHold) {
  Arena arena;
  std::mt19937 random(7);
  std::vector<MarkedBlock> blocks;
  size_t used = 0;
  for (int step = 0; step < 400; ++step) {
    if (blocks.size() < 12 && (blocks.empty() || random() % 2 == 0)) {
      const size_t most = random() % 4 == 0 ? 20 * kMiB : kMiB, bytes = 1 + random() % most;
      const size_t alignment = size_t{64} << random() % 16;
      blocks.push_back(marked(arena.allocate(bytes, alignment), bytes, static_cast<unsigned char>(step)));
      ASSERT_NE(blocks.back().at, nullptr);
      ASSERT_EQ(reinterpret_cast<uintptr_t>(blocks.back().at) % alignment, 0u);
      used += whole_lines(bytes);
    } else {
      std::swap(blocks[random() % blocks.size()], blocks.back());
      ASSERT_TRUE(blocks.back().holds_its_mark());
      arena.release(blocks.back().at, blocks.back().bytes);
      used -= whole_lines(blocks.back().bytes);
      blocks.pop_back();
    }
    if (step % 50 == 49) arena.trim(step % 100 == 99);
    ASSERT_EQ(arena.used(), used);
    ASSERT_GE(arena.reserved(), used);
  }
  for (const MarkedBlock& block : blocks) EXPECT_TRUE(block.holds_its_mark());
}

TEST(Arena, BlocksLieSideBySide) {
  Arena arena;
  unsigned char* const first = static_cast<unsigned char*>(arena.allocate(3'000'001));
  EXPECT_EQ(static_cast<unsigned char*>(arena.allocate(100)), first + 3'000'064);
}

TEST(Arena, FreeNeighboursJoinWhateverTheOrder) {
  constexpr size_t kQuarter = Arena::kChunkBytes / 4;
  int order[4] = {0, 1, 2, 3};
  do {
    Arena arena;
    void* blocks[4];
    for (void*& block : blocks) block = arena.allocate(kQuarter);
    for (const int i : order) arena.release(blocks[i], kQuarter);
    for (void* const block : blocks) EXPECT_EQ(arena.allocate(kQuarter), block);
  } while (std::next_permutation(order, order + 4));
}

TEST(Arena, TakesTheSmallestFreeRange) {
  Arena arena;
  void *const large = arena.allocate(5000), *const wall = arena.allocate(64), *const small = arena.allocate(3000);
  arena.allocate(64);
  arena.release(large, 5000);
  arena.release(small, 3000);
  EXPECT_EQ(arena.allocate(2900), small);
  EXPECT_EQ(arena.allocate(4990), large);
  EXPECT_NE(wall, nullptr);
}

TEST(Arena, HasNoLargestBlock) {
  Arena arena;
  constexpr size_t kLarge = size_t{3} << 30;  // most of which nobody touches
  unsigned char* const block = static_cast<unsigned char*>(arena.allocate(kLarge));
  ASSERT_NE(block, nullptr);
  block[0] = block[kLarge - 1] = 1;
  arena.release(block, kLarge);
  EXPECT_EQ(arena.allocate(size_t{1} << 60), nullptr);
  EXPECT_EQ(arena.allocate(SIZE_MAX), nullptr);
  EXPECT_EQ(arena.used(), 0u);
}

TEST(Arena, ReservesWhatIsResident) {
  Arena arena;
  EXPECT_EQ(arena.reserved(), 0u);
  std::vector<MarkedBlock> blocks;
  for (int i = 0; i < 40; ++i) blocks.push_back(marked(arena.allocate(kMiB + 64), kMiB + 64, 1));
  const size_t all = arena.reserved();
  EXPECT_EQ(all, 42 * kMiB);  // whole huge pages: 40 MiB and 2.5 KiB
  for (size_t i = 0; i < 39; ++i) arena.release(blocks[i].at, blocks[i].bytes);
  EXPECT_EQ(arena.reserved(), all);
  // The last block lies in the last three huge pages at most, the others go as a whole.
  arena.trim(true);
  EXPECT_LE(arena.reserved(), 4 * kMiB);
  const size_t huge = arena.reserved();
  arena.trim(false);
  EXPECT_LT(arena.reserved(), huge);
  EXPECT_LE(arena.reserved(), kMiB + 64 + 2 * kSmallPage);
  EXPECT_TRUE(blocks.back().holds_its_mark());
  EXPECT_LE(resident_bytes(blocks.front().at, blocks.back().at + kMiB + 64 - blocks.front().at), arena.reserved());
  arena.release(blocks.back().at, blocks.back().bytes);
  arena.trim(false);
  EXPECT_EQ(arena.reserved(), 0u);
  EXPECT_EQ(resident_bytes(blocks.front().at, 40 * kMiB), 0u);
}

}  // namespace
}  // namespace tern
