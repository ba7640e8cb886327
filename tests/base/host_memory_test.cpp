// SPDX-License-Identifier: Apache-2.0
#include "base/host_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "support/resident_bytes.h"

namespace tern {
namespace {

TEST(HostMemory, PagesBeginAtAHugePageAndAreZero) {
  for (const size_t bytes : {size_t{0}, size_t{1}, kHugePage, kHugePage + 1, 16 * kHugePage}) {
    unsigned char* const pages = static_cast<unsigned char*>(map_pages(bytes));
    ASSERT_NE(pages, nullptr) << bytes;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(pages) % kHugePage, 0u) << bytes;
    for (size_t i = 0; i < bytes; i += kSmallPage) EXPECT_EQ(pages[i], 0) << i;
    std::memset(pages, 0xa5, bytes);
    unmap_pages(pages, bytes);
  }
}

TEST(HostMemory, PagesThatWereGivenBackAreZeroAgain) {
  constexpr size_t kBytes = 2 * kHugePage;
  unsigned char* const pages = static_cast<unsigned char*>(map_pages(kBytes));
  ASSERT_NE(pages, nullptr);
  std::memset(pages, 1, kBytes);
  EXPECT_EQ(testing::resident_bytes(pages, kBytes), kBytes);
  EXPECT_TRUE(give_back_pages(pages + kSmallPage, kBytes - kSmallPage));
  EXPECT_EQ(testing::resident_bytes(pages, kBytes), kSmallPage);
  EXPECT_EQ(pages[kSmallPage - 1], 1);
  EXPECT_EQ(pages[kSmallPage], 0);
  unmap_pages(pages, kBytes);
}

TEST(HostMemory, ScratchBlocksAreAlignedAndWritable) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{65}, kHugePage + 1}) {
    const HostBlock block = host_block(bytes);
    ASSERT_NE(block, nullptr) << bytes;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block.get()) % 64, 0u) << bytes;
    std::memset(block.get(), 0xa5, bytes);
  }
}

TEST(HostMemory, MoreThanThereIsGivesNull) {
  EXPECT_EQ(map_pages(SIZE_MAX), nullptr);
  EXPECT_EQ(map_pages(size_t{1} << 60), nullptr);
  EXPECT_EQ(host_block(SIZE_MAX / 2), nullptr);
}

}  // namespace
}  // namespace tern
