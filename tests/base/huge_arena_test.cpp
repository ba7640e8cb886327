// SPDX-License-Identifier: Apache-2.0
#include "base/huge_arena.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace tern {
namespace {

struct Block {
  unsigned char* at;
  size_t bytes;
  unsigned char mark;

  bool holds_its_mark() const {
    return std::all_of(at, at + bytes, [&](unsigned char c) { return c == mark; });
  }
};

Block marked(HugeArena& arena, size_t bytes, unsigned char mark) {
  const Block block = {static_cast<unsigned char*>(arena.allocate(bytes)), bytes, mark};
  if (block.at != nullptr) std::memset(block.at, mark, bytes);
  return block;
}

// Bytes of [at, at + bytes) that are in memory.
size_t resident(const unsigned char* at, size_t bytes) {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t begin = reinterpret_cast<uintptr_t>(at) / page * page;
  std::vector<unsigned char> pages((reinterpret_cast<uintptr_t>(at) + bytes - begin + page - 1) / page);
  EXPECT_EQ(::mincore(reinterpret_cast<void*>(begin), pages.size() * page, pages.data()), 0);
  return static_cast<size_t>(std::count_if(pages.begin(), pages.end(), [](unsigned char p) { return p & 1; })) * page;
}

TEST(HugeArena, BlocksOfAnySizeKeepWhatTheyHold) {
  HugeArena arena;
  std::mt19937 random(7);
  std::vector<Block> blocks;
  for (int step = 0; step < 600; ++step) {
    if (blocks.size() < 12 && (blocks.empty() || random() % 2 == 0)) {
      const size_t most = random() % 4 == 0 ? HugeArena::kMostBytes : size_t{1} << 20;
      blocks.push_back(marked(arena, 1 + random() % most, static_cast<unsigned char>(step)));
      ASSERT_NE(blocks.back().at, nullptr);
      ASSERT_EQ(reinterpret_cast<uintptr_t>(blocks.back().at) % 64, 0u);
    } else {
      std::swap(blocks[random() % blocks.size()], blocks.back());
      ASSERT_TRUE(blocks.back().holds_its_mark());
      arena.release(blocks.back().at, blocks.back().bytes);
      blocks.pop_back();
    }
  }
  for (const Block& block : blocks) EXPECT_TRUE(block.holds_its_mark());
}

TEST(HugeArena, BlocksLieSideBySide) {
  HugeArena arena;
  unsigned char* const first = static_cast<unsigned char*>(arena.allocate(3'000'001));
  EXPECT_EQ(static_cast<unsigned char*>(arena.allocate(100)), first + 3'000'064);
}

TEST(HugeArena, FreeNeighboursJoinWhateverTheOrder) {
  constexpr size_t kQuarter = HugeArena::kMostBytes;
  int order[4] = {0, 1, 2, 3};
  do {
    HugeArena arena;
    void* blocks[4];
    for (void*& block : blocks) block = arena.allocate(kQuarter);
    for (const int i : order) arena.release(blocks[i], kQuarter);
    for (void* const block : blocks) EXPECT_EQ(arena.allocate(kQuarter), block);
  } while (std::next_permutation(order, order + 4));
}

TEST(HugeArena, GivesBackThePagesOfWhatIsFree) {
  HugeArena arena;
  std::vector<Block> blocks;
  for (int i = 0; i < 12; ++i) blocks.push_back(marked(arena, HugeArena::kMostBytes, 1));
  for (const Block& block : blocks) EXPECT_EQ(resident(block.at, block.bytes), block.bytes);
  for (const Block& block : blocks) arena.release(block.at, block.bytes);
  size_t left = 0;
  for (const Block& block : blocks) left += resident(block.at, block.bytes);
  EXPECT_LE(left, size_t{64} << 20);
}

TEST(HugeArena, ServesSeveralThreads) {
  HugeArena arena;
  const auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < 200; ++i) {
      const Block block = marked(arena, 1 + random() % 300'000, static_cast<unsigned char>(seed));
      ASSERT_TRUE(block.at != nullptr && block.holds_its_mark());
      arena.release(block.at, block.bytes);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned seed = 1; seed <= 3; ++seed) threads.emplace_back(work, seed);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace tern
