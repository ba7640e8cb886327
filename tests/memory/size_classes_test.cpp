// SPDX-License-Identifier: Apache-2.0
#include "memory/size_classes.h"

#include <gtest/gtest.h>

namespace tern {
namespace {

TEST(SizeClasses, TheSmallestThatHoldsABlockIsItsClass) {
  for (size_t bytes = 0; bytes <= kMostSmallBytes; ++bytes) {
    const int index = class_of(bytes);
    ASSERT_GE(kClassBytes[static_cast<size_t>(index)], bytes);
    if (index > 0) {
      ASSERT_LT(kClassBytes[static_cast<size_t>(index - 1)], bytes);
    }
  }
}

TEST(SizeClasses, WasteAnEighthAtMostAndAreAligned) {
  for (int index = 0; index < kSizeClasses; ++index) {
    const size_t bytes = kClassBytes[static_cast<size_t>(index)];
    EXPECT_EQ(bytes % 64, 0u);
    if (index >= 8) {
      EXPECT_LE(bytes - kClassBytes[static_cast<size_t>(index - 1)], bytes / 8);
    }
    EXPECT_GE(span_bytes(index) / bytes, 8u);
    EXPECT_GE(batch_of(index), 1);
  }
}

}  // namespace
}  // namespace tern
