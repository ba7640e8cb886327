// SPDX-License-Identifier: Apache-2.0
#include "base/host_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

namespace tern {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

TEST(HostMemory, BlocksOfEverySizeAreAlignedAndWritable) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{63}, size_t{64}, size_t{65}, kHugePage, 2 * kHugePage - 1,
                             2 * kHugePage, 2 * kHugePage + 1, 5 * kHugePage + 4097}) {
    const HostBlock block(allocate_host(bytes));
    ASSERT_NE(block, nullptr) << bytes;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block.get()) % 64, 0u) << bytes;
    std::memset(block.get(), 0xa5, bytes);
  }
}

TEST(HostMemory, LargeBlocksBeginAtAHugePage) {
  const HostBlock block(allocate_host(2 * kHugePage));
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block.get()) % kHugePage, 0u);
}

TEST(HostMemory, MoreThanThereIsGivesNull) { EXPECT_EQ(allocate_host(SIZE_MAX), nullptr); }

}  // namespace
}  // namespace tern
