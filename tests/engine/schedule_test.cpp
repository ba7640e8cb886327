// SPDX-License-Identifier: Apache-2.0
#include "engine/schedule.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace tern {
namespace {

using Counts = std::vector<int64_t>;
using Ids = std::vector<int32_t>;

TEST(ShareBudget, OldestHalfRestEvenly) {
  EXPECT_EQ(share_budget(Counts{}, 10), Counts{});
  EXPECT_EQ(share_budget(Counts{100}, 10), Counts{10});
  EXPECT_EQ(share_budget(Counts{100, 100}, 8), (Counts{6, 2}));
  EXPECT_EQ(share_budget(Counts{3, 2}, 10), (Counts{3, 2}));
  EXPECT_EQ(share_budget(Counts{100, 3, 100}, 20), (Counts{14, 3, 3}));
  EXPECT_EQ(share_budget(Counts{100, 100, 100}, 1), (Counts{1, 0, 0}));
}

TEST(ShareBudget, SpendsAllThatIsWantedAndNoMore) {
  std::mt19937 random(1);
  for (int trial = 0; trial < 2000; ++trial) {
    Counts pending(1 + random() % 9);
    for (int64_t& tokens : pending) tokens = 2 + random() % 90;
    const int64_t budget = 1 + random() % 200;
    const Counts shares = share_budget(pending, budget);
    for (size_t i = 0; i < pending.size(); ++i) {
      ASSERT_GE(shares[i], 0);
      ASSERT_LE(shares[i], pending[i]);
    }
    ASSERT_GE(shares[0], 1);
    const int64_t wanted = std::accumulate(pending.begin(), pending.end(), int64_t{0});
    ASSERT_EQ(std::accumulate(shares.begin(), shares.end(), int64_t{0}), std::min(wanted, budget));
  }
}

TEST(SlideContext, KeepsTheBeginningAndTheNewestHalf) {
  EXPECT_EQ(slide_context(Ids{0, 1, 2, 3, 4, 5, 6, 7, 8}, 8, 2), (Ids{0, 1, 6, 7, 8}));
  EXPECT_EQ(slide_context(Ids{0, 1, 2, 3, 4, 5, 6, 7, 8}, 8, 0), (Ids{5, 6, 7, 8}));
  EXPECT_EQ(slide_context(Ids{0, 1, 2, 3, 4, 5, 6, 7, 8}, 8, 7), (Ids{0, 1, 2, 3, 4, 5, 6, 8}));
  EXPECT_EQ(slide_context(Ids{0, 1}, 1, 0), (Ids{1}));
}

}  // namespace
}  // namespace tern
