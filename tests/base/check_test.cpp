// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <gtest/gtest.h>

#include "support/fails_with.h"

namespace tern {
namespace {

TEST(Check, PassesSilently) { EXPECT_NO_THROW(check(true, "op", "expected {}, got {}", 1, 2)); }

TEST(Check, FailsWithTheOperationFirst) {
  try {
    check(false, "matmul", "expected {}, got {}", 3, "[2]");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[matmul] expected 3, got [2]");
  }
}

TEST(Check, KeepsBracesOfArguments) {
  EXPECT_TRUE(testing::fails_with("[read] {}: {0}", [] { fail("read", "{}: {}", "{}", "{0}"); }));
}

}  // namespace
}  // namespace tern
