// SPDX-License-Identifier: Apache-2.0
#include "base/host_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

namespace tern {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

TEST(HostMemory, BlocksOfEverySizeAreAlignedAndWritable) {
  constexpr size_t kArena = size_t{128} << 10;  // from here to 16 MiB blocks lie in the arena
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{63}, size_t{64}, size_t{65}, kArena - 1, kArena, kArena + 1,
                             kHugePage, 2 * kHugePage + 1, 8 * kHugePage - 1, 8 * kHugePage, 8 * kHugePage + 1}) {
    const HostBlock block = host_block(bytes);
    ASSERT_NE(block, nullptr) << bytes;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block.get()) % 64, 0u) << bytes;
    std::memset(block.get(), 0xa5, bytes);
  }
}

TEST(HostMemory, LargeBlocksBeginAtAHugePage) {
  const HostBlock block = host_block(16 * kHugePage);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block.get()) % kHugePage, 0u);
}

TEST(HostMemory, MoreThanThereIsGivesNull) { EXPECT_EQ(allocate_host(SIZE_MAX), nullptr); }

}  // namespace
}  // namespace tern
