// SPDX-License-Identifier: Apache-2.0
#include "engine/prompt_lookup.h"

#include <gtest/gtest.h>

#include "engine/draft_length.h"

namespace tern {
namespace {

using Ids = std::vector<int32_t>;

TEST(PromptLookup, ContinuesAsTheLastTime) {
  EXPECT_EQ(look_up_draft(Ids{1, 2, 3, 4, 5, 9, 1, 2}, 3), (Ids{3, 4, 5}));
  EXPECT_EQ(look_up_draft(Ids{1, 2, 3, 7, 1, 2, 4, 7, 1, 2}, 2), (Ids{4, 7}));        // the latest of equals
  EXPECT_EQ(look_up_draft(Ids{5, 1, 2, 3, 7, 6, 1, 2, 4, 7, 5, 1, 2}, 1), (Ids{3}));  // the longest match first
}

TEST(PromptLookup, GoesRound) {
  EXPECT_EQ(look_up_draft(Ids{8, 1, 2, 3, 1, 2, 3}, 7), (Ids{1, 2, 3, 1, 2, 3, 1}));
  EXPECT_EQ(look_up_draft(Ids{4, 4, 4}, 4), (Ids{4, 4, 4, 4}));
}

TEST(PromptLookup, NothingWithoutAMatch) {
  EXPECT_TRUE(look_up_draft(Ids{}, 4).empty());
  EXPECT_TRUE(look_up_draft(Ids{1}, 4).empty());
  EXPECT_TRUE(look_up_draft(Ids{1, 1}, 4).empty());
  EXPECT_TRUE(look_up_draft(Ids{1, 2, 3, 4, 2}, 4).empty());  // one token is not enough
  EXPECT_TRUE(look_up_draft(Ids{4, 4, 4}, 0).empty());
}

TEST(DraftLength, GrowsWhileGuessesAreRight) {
  DraftLength length(8);
  EXPECT_EQ(length.next(), 4);
  length.update(4, 4);
  length.update(6, 6);
  length.update(8, 8);
  EXPECT_EQ(length.next(), 8);
  length.update(8, 1);
  EXPECT_EQ(length.next(), 4);
  EXPECT_EQ(DraftLength(1).next(), 1);
}

TEST(DraftLength, PausesLongerAndLongerWhileNoneIs) {
  DraftLength length(8);
  int64_t steps_with_guesses = 0;
  for (int step = 0; step < 1000; ++step) {
    const int64_t guesses = length.next();
    steps_with_guesses += guesses > 0 ? 1 : 0;
    length.update(guesses, 0);
  }
  EXPECT_GT(steps_with_guesses, 20);
  EXPECT_LT(steps_with_guesses, 50);
  int64_t guesses = 0;
  while (guesses == 0) guesses = length.next();
  length.update(guesses, guesses);
  EXPECT_GT(length.next(), 0);
}

}  // namespace
}  // namespace tern
