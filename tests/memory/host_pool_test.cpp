// SPDX-License-Identifier: Apache-2.0
// Each test runs on blocks of the pool's own, in sanitized builds, too, and on blocks of malloc.
#include "memory/host_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/host_memory.h"
#include "support/fails_with.h"
#include "support/in_child.h"
#include "support/marked_block.h"
#include "support/resident_bytes.h"

namespace tern {
namespace {

using testing::fails_with;
using testing::in_child;
using testing::marked;
using testing::MarkedBlock;
using testing::resident_bytes;

constexpr size_t kMiB = size_t{1} << 20;
constexpr std::array kAwkwardSizes = {size_t{0},    size_t{1},     size_t{63},        size_t{64},    size_t{65},
                                      size_t{511},  size_t{512},   size_t{513},       size_t{4095},  size_t{4096},
                                      size_t{4097}, size_t{32767}, size_t{32768},     size_t{32769}, size_t{131072},
                                      2 * kMiB - 1, 2 * kMiB,      2 * kMiB + 1,      16 * kMiB + 1, 64 * kMiB - 1,
                                      64 * kMiB,    64 * kMiB + 1,size_t{70} * kMiB};

class HostPoolTest : public ::testing::TestWithParam<bool> {
 protected:
  HostPoolOptions options(size_t limit = 0) const { return {.limit = limit, .malloc_blocks = GetParam()}; }
};

std::string name_of_blocks(const ::testing::TestParamInfo<bool>& malloc_blocks) {
  return malloc_blocks.param ? "malloc" : "pool";
}
INSTANTIATE_TEST_SUITE_P(Blocks, HostPoolTest, ::testing::Bool(), name_of_blocks);

TEST_P(HostPoolTest, BlocksOfAwkwardSizesAreAlignedAndApart) {
  HostPool pool(options());
  for (int round = 0; round < 2; ++round) {
    std::vector<MarkedBlock> blocks;
    for (const size_t bytes : kAwkwardSizes) {
      for (int copy = 0; copy < (bytes > 4 * kMiB ? 1 : 2); ++copy) {
        blocks.push_back(marked(pool.allocate(bytes), bytes, static_cast<unsigned char>(blocks.size())));
        EXPECT_NE(blocks.back().at, nullptr);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(blocks.back().at) % 64, 0u) << bytes;
      }
    }
    for (const MarkedBlock& block : blocks) {
      EXPECT_TRUE(block.holds_its_mark()) << block.bytes;
      pool.release(block.at, block.bytes);
    }
  }
  EXPECT_EQ(pool.statistics().live, 0u);
}

TEST_P(HostPoolTest, StatisticsAreExact) {
  for (const size_t limit : {size_t{0}, size_t{1} << 40}) {
    HostPool pool(options(limit));
    std::mt19937 random(11);
    std::vector<std::pair<void*, size_t>> blocks;
    size_t live = 0, peak = 0, allocations = 0;
    for (int step = 0; step < 20'000; ++step) {
      if (blocks.empty() || random() % 100 < (step < 10'000 ? 55 : 45)) {
        const size_t bytes = random() % 50 == 0 ? random() % kMiB : random() % 3000;
        blocks.emplace_back(pool.allocate(bytes), bytes);
        live += bytes;
        peak = std::max(peak, live);
        ++allocations;
      } else {
        std::swap(blocks[random() % blocks.size()], blocks.back());
        pool.release(blocks.back().first, blocks.back().second);
        live -= blocks.back().second;
        blocks.pop_back();
      }
      if (step % 97 != 0) continue;
      const MemoryStatistics now = pool.statistics();
      ASSERT_EQ(now.live, live);
      ASSERT_EQ(now.peak, peak);
      ASSERT_EQ(now.blocks, blocks.size());
      ASSERT_EQ(now.allocations, allocations);
      ASSERT_EQ(now.limit, limit);
      ASSERT_GE(now.reserved, live);
    }
    for (const auto& [block, bytes] : blocks) pool.release(block, bytes);
    EXPECT_EQ(pool.statistics().live, 0u);
    EXPECT_EQ(pool.statistics().blocks, 0u);
    EXPECT_EQ(pool.statistics().peak, peak);
  }
}

TEST_P(HostPoolTest, ALimitIsKeptToTheByte) {
  HostPool pool(options(10'000));
  void* const most = pool.allocate(9'000);
  EXPECT_TRUE(fails_with("expected 1001 bytes of memory within the limit of 10000, of which 9000 are in use",
                         [&] { pool.allocate(1'001); }));
  EXPECT_TRUE(fails_with("within the limit", [&] { pool.allocate(SIZE_MAX); }));
  EXPECT_EQ(pool.statistics().live, 9'000u);
  EXPECT_EQ(pool.statistics().peak, 9'000u);
  EXPECT_EQ(pool.statistics().blocks, 1u);
  void* const rest = pool.allocate(1'000);
  EXPECT_TRUE(fails_with("within the limit", [&] { pool.allocate(1); }));
  pool.release(pool.allocate(0), 0);
  pool.release(most, 9'000);
  pool.release(pool.allocate(9'000), 9'000);
  pool.release(rest, 1'000);
}

TEST_P(HostPoolTest, MoreThanTheSystemHasFailsCleanly) {
  if (kSanitized && GetParam()) GTEST_SKIP() << "a sanitizer's malloc ends the process";
  HostPool pool(options());
  void* const kept = pool.allocate(100);
  EXPECT_TRUE(fails_with("expected 1152921504606846976 bytes of memory", [&] { pool.allocate(size_t{1} << 60); }));
  EXPECT_TRUE(fails_with("100 are in use here", [&] { pool.allocate(SIZE_MAX - 1); }));
  EXPECT_EQ(pool.statistics().live, 100u);
  EXPECT_EQ(pool.statistics().peak, 100u);
  pool.release(kept, 100);
}

TEST_P(HostPoolTest, ThreadsShareBlocks) {
  for (const size_t limit : {size_t{0}, size_t{1} << 40}) {
    HostPool pool(options(limit));
    std::mutex mutex;
    std::vector<MarkedBlock> shared;
    const auto work = [&](unsigned seed) {
      std::mt19937 random(seed);
      for (int i = 0; i < 3'000; ++i) {
        const size_t bytes = random() % 40 == 0 ? random() % (300 << 10) : random() % 2'000;
        MarkedBlock block = marked(pool.allocate(bytes), bytes, static_cast<unsigned char>(seed + 4 * (i % 60)));
        {
          const std::lock_guard lock(mutex);
          shared.push_back(block);
          if (shared.size() < 50) continue;
          std::swap(shared[random() % shared.size()], shared.back());
          block = shared.back();
          shared.pop_back();
        }
        ASSERT_TRUE(block.holds_its_mark());
        pool.release(block.at, block.bytes);
      }
    };
    std::vector<std::thread> threads;
    for (unsigned seed = 1; seed <= 3; ++seed) threads.emplace_back(work, seed);
    for (int i = 0; i < 20; ++i) {
      EXPECT_LE(pool.statistics().reserved, 64 * kMiB);
      pool.trim();
    }
    for (std::thread& thread : threads) thread.join();
    size_t live = 0;
    for (const MarkedBlock& block : shared) live += block.bytes;
    EXPECT_EQ(pool.statistics().live, live);
    EXPECT_EQ(pool.statistics().blocks, shared.size());
    EXPECT_EQ(pool.statistics().allocations, 9'000u);
    for (const MarkedBlock& block : shared) pool.release(block.at, block.bytes);
    EXPECT_EQ(pool.statistics().live, 0u);
    pool.trim();
    EXPECT_EQ(pool.statistics().reserved, 0u);  // what threads had at hand came back with their end
  }
}

TEST_P(HostPoolTest, ReleasesAtTheEndOfAThreadAreAsGood) {
  struct Keeper {
    HostPool* pool = nullptr;
    void* block = nullptr;
    ~Keeper() {
      if (pool == nullptr) return;
      pool->release(block, 100);
      pool->release(pool->allocate(70'000), 70'000);
      pool->release(pool->allocate(7), 7);
    }
  };
  HostPool pool(options());
  std::thread([&] {
    static thread_local Keeper keeper;  // made before the thread's cache, so it goes after it
    keeper.pool = &pool;
    keeper.block = pool.allocate(100);
  }).join();
  EXPECT_EQ(pool.statistics().live, 0u);
  EXPECT_EQ(pool.statistics().blocks, 0u);
  EXPECT_EQ(pool.statistics().allocations, 3u);
}

TEST_P(HostPoolTest, ManyPoolsInOneThreadComeAndGo) {
  std::vector<std::unique_ptr<HostPool>> pools(8);
  std::mt19937 random(3);
  for (int step = 0; step < 2'000; ++step) {
    std::unique_ptr<HostPool>& pool = pools[random() % pools.size()];
    if (pool == nullptr || random() % 5 == 0) pool = std::make_unique<HostPool>(options());
    const size_t bytes = random() % 500;
    const MarkedBlock block = marked(pool->allocate(bytes), bytes, 1);
    ASSERT_EQ(pool->statistics().live, bytes);
    pool->release(block.at, bytes);
  }
}

TEST_P(HostPoolTest, APoolMayGoBeforeTheThreadsThatUsedIt) {
  auto pool = std::make_unique<HostPool>(options());
  std::promise<void> used, gone;
  std::thread thread([&] {
    pool->release(pool->allocate(100), 100);
    used.set_value();
    gone.get_future().wait();
  });
  used.get_future().wait();
  pool.reset();
  gone.set_value();
  thread.join();
}

TEST_P(HostPoolTest, AChildGoesOn) {
  if (kSanitized && GetParam()) GTEST_SKIP() << "a sanitizer's malloc may hold a lock of a thread that the child lacks";
  HostPool pool(options());
  const MarkedBlock block = marked(pool.allocate(1'000), 1'000, 5);
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      const size_t bytes = t == 0 ? 64 : 100'000;
      while (!stop) {
        std::array<void*, 100> blocks;
        for (void*& b : blocks) b = pool.allocate(bytes);
        for (void* const b : blocks) pool.release(b, bytes);
      }
    });
  }
  for (int round = 0; round < 10; ++round) {
    EXPECT_TRUE(in_child([&] {
      if (!block.holds_its_mark()) return false;
      pool.release(block.at, block.bytes);
      for (const size_t bytes : {64, 1'000, 30'000, 100'000}) {
        std::vector<MarkedBlock> blocks;
        for (int i = 0; i < 100; ++i)
          blocks.push_back(marked(pool.allocate(bytes), bytes, static_cast<unsigned char>(i)));
        for (const MarkedBlock& b : blocks) {
          if (!b.holds_its_mark()) return false;
          pool.release(b.at, b.bytes);
        }
      }
      pool.trim();
      return pool.statistics().allocations > 400;
    }));
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(block.holds_its_mark());
  pool.release(block.at, block.bytes);
}

// What follows measures pages, which malloc has its own way with.
HostPoolOptions own_blocks() { return {.malloc_blocks = false}; }

TEST(HostPool, TrimGivesBackWhatIsFreeInResidentBytes) {
  HostPool pool(own_blocks());
  std::vector<MarkedBlock> gone, kept;
  std::mt19937 random(5);
  const size_t before = resident_bytes();
  for (int i = 0; i < 400; ++i) {
    const size_t bytes = 1 + random() % (i % 20 == 0 ? 12 * kMiB : 200'000);
    (i % 40 == 7 ? kept : gone).push_back(marked(pool.allocate(bytes), bytes, 3));
  }
  for (int i = 0; i < 40'000; ++i) gone.push_back(marked(pool.allocate(600), 600, 4));
  const size_t full = resident_bytes();
  EXPECT_GE(full - before, size_t{100} * kMiB);
  size_t live = 0;
  for (const MarkedBlock& block : kept) live += block.bytes;
  for (const MarkedBlock& block : gone) pool.release(block.at, block.bytes);
  const size_t free = pool.statistics().reserved - live;
  const size_t resident = resident_bytes();
  pool.trim();
  const size_t after = resident_bytes();
  EXPECT_GE(static_cast<double>(resident - after), 0.95 * static_cast<double>(free));
  EXPECT_LE(pool.statistics().reserved, live + kMiB);  // spans of small blocks that are kept
  for (const MarkedBlock& block : kept) {
    EXPECT_TRUE(block.holds_its_mark());
    pool.release(block.at, block.bytes);
  }
}

TEST(HostPool, KeepsABoundedPartOfWhatIsFree) {
  HostPool pool(own_blocks());
  std::vector<MarkedBlock> blocks;
  for (int i = 0; i < 30; ++i) blocks.push_back(marked(pool.allocate(10 * kMiB + 100), 10 * kMiB + 100, 1));
  for (const MarkedBlock& block : blocks) pool.release(block.at, block.bytes);
  EXPECT_LE(pool.statistics().reserved, 74 * kMiB);
  EXPECT_GT(pool.statistics().reserved, 0u);
}

TEST(HostPool, SmallBlocksThatAreFreeServeOtherSizes) {
  HostPool pool(own_blocks());
  for (size_t bytes = 64; bytes <= 32'768; bytes *= 2) {
    std::vector<MarkedBlock> blocks;
    for (size_t i = 0; i < 32 * kMiB / bytes; ++i) blocks.push_back(marked(pool.allocate(bytes), bytes, 1));
    for (const MarkedBlock& block : blocks) pool.release(block.at, block.bytes);
  }
  EXPECT_LE(pool.statistics().reserved, 2 * 32 * kMiB);
}

}  // namespace
}  // namespace tern
