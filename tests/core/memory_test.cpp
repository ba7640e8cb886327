// SPDX-License-Identifier: Apache-2.0
#include "tern/memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "core/device_memory.h"
#include "support/fails_with.h"
#include "support/test_device.h"
#include "tern/tensor.h"

namespace tern {
namespace {

using testing::fails_with;

constexpr size_t kMiB = size_t{1} << 20;

Tensor block(size_t bytes, const Device& device) {
  return Tensor::zeros({static_cast<int64_t>(bytes)}, DType::u8, device);
}

// Without what constants of the device and caches of other tests may take.
Device fresh_device(size_t limit = 0) {
  return testing::test_device(DeviceOptions{.threads = 1, .memory_limit = limit});
}

TEST(Memory, CountsWhatTensorsHoldAndTheMostOfIt) {
  const Device device = fresh_device();
  const size_t before = device.memory_statistics().live;
  const size_t blocks = device.memory_statistics().blocks, allocations = device.memory_statistics().allocations;
  std::optional<Tensor> first = block(5 * kMiB + 3, device), second = block(kMiB, device);
  const MemoryStatistics both = device.memory_statistics();
  EXPECT_GE(both.live - before, 6 * kMiB + 3);
  EXPECT_LE(both.live - before, 6 * kMiB + 3 + 2 * 1024);  // rounded to a device's units
  EXPECT_GE(both.peak, both.live);
  EXPECT_GE(both.reserved, both.live);
  EXPECT_EQ(both.limit, 0u);
  EXPECT_EQ(both.blocks - blocks, 2u);
  EXPECT_EQ(both.allocations - allocations, 2u);
  const Tensor view = *first;  // shares the storage
  first.reset();
  device.synchronize();
  EXPECT_EQ(device.memory_statistics().live, both.live);
  second.reset();
  device.synchronize();
  const MemoryStatistics one = device.memory_statistics();
  EXPECT_LE(one.live, both.live - kMiB);
  EXPECT_EQ(one.blocks - blocks, 1u);
  EXPECT_EQ(one.peak, both.peak);
}

TEST(Memory, NothingOfAFailedAllocationIsCounted) {
  const Device device = fresh_device();
  const MemoryStatistics before = device.memory_statistics();
  EXPECT_TRUE(fails_with("bytes of memory", [&] { block(size_t{1} << 60, device); }));
  EXPECT_EQ(device.memory_statistics().live, before.live);
  EXPECT_EQ(device.memory_statistics().peak, before.peak);
}

TEST(Memory, ALimitFailsCleanlyAndEverythingStaysUsable) {
  constexpr size_t kLimit = 256 * kMiB;
  const Device device = fresh_device(kLimit);
  EXPECT_EQ(device.memory_statistics().limit, kLimit);
  std::optional<Tensor> most = block(200 * kMiB, device);
  EXPECT_TRUE(fails_with("within the limit of 268435456", [&] { block(100 * kMiB, device); }));
  EXPECT_LE(device.memory_statistics().live, kLimit);
  EXPECT_EQ(most->numel(), static_cast<int64_t>(200 * kMiB));
  most.reset();
  const Tensor next = block(100 * kMiB, device), after = block(100 * kMiB, device);
  EXPECT_LE(device.memory_statistics().live, kLimit);
}

TEST(Memory, ATrimGivesBackWhatIsFree) {
  const Device device = fresh_device();
  const Tensor kept = block(3 * kMiB, device);
  { const Tensor gone = block(300 * kMiB, device); }
  device.trim_memory();
  const MemoryStatistics after = device.memory_statistics();
  EXPECT_GE(after.reserved, after.live);
  EXPECT_LE(after.reserved, after.live + 64 * kMiB);  // a chunk of the pool that is in use
  EXPECT_EQ(kept.to_vector<uint8_t>(), std::vector<uint8_t>(3 * kMiB, 0));
  EXPECT_EQ(block(300 * kMiB, device).numel(), static_cast<int64_t>(300 * kMiB));
}

TEST(Memory, CountsFromSeveralThreads) {
  const Device device = fresh_device();
  const size_t before = device.memory_statistics().live;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&device, t] {
      for (int i = 0; i < 200; ++i) block(static_cast<size_t>(1 + i * 37 + t), device);
    });
  }
  for (std::thread& thread : threads) thread.join();
  device.synchronize();
  EXPECT_EQ(device.memory_statistics().live, before);
}

// Whatever their size and place, several at a time, with work behind them.
TEST(Memory, CopiesToTheHostComeWhenTheyAreWaitedFor) {
  const Device device = fresh_device();
  DeviceMemory& memory = device.memory();
  std::vector<uint8_t> values(100'003);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint8_t>(i * 2654435761u >> 13 | 1);
  for (const size_t bytes : {0, 1, 255, 256, 2047, 2048, 2049, 100'000}) {
    const Tensor source = Tensor::from(values, {std::ssize(values)}, device);
    std::vector<std::unique_ptr<HostCopy>> copies;
    for (size_t at = 0; at < 4; ++at) {
      copies.push_back(memory.start_copy_to_host(static_cast<const std::byte*>(source.raw()) + at, bytes));
      const Tensor other = block(kMiB, device);
    }
    for (size_t at = 4; at-- > 0;) {
      const std::span<const std::byte> got = copies[at]->wait();
      EXPECT_TRUE(std::ranges::equal(got, std::as_bytes(std::span(values)).subspan(at, bytes)))
          << bytes << " from " << at;
    }
    copies.clear();
    memory.zero(source.raw(), values.size());
    EXPECT_EQ(source.to_vector<uint8_t>(), std::vector<uint8_t>(values.size()));
  }
  const Tensor source = block(8, device);
  memory.start_copy_to_host(source.raw(), 8);  // which nobody waits for
}

}  // namespace
}  // namespace tern
