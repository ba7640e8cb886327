// SPDX-License-Identifier: Apache-2.0
#include "train/dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

#include "support/fails_with.h"

namespace tern {
namespace {

using testing::fails_with;

std::vector<uint64_t> order(uint64_t count, uint64_t key) {
  std::vector<uint64_t> out;
  for (uint64_t i = 0; i < count; ++i) out.push_back(permuted(i, count, key));
  return out;
}

TEST(Permuted, TakesEveryValueOnce) {
  for (const uint64_t count : {1u, 2u, 3u, 4u, 5u, 7u, 16u, 17u, 64u, 65u, 127u, 1000u, 4097u}) {
    for (const uint64_t key : {0u, 1u, 99u}) {
      std::vector<uint64_t> values = order(count, key);
      std::sort(values.begin(), values.end());
      for (uint64_t i = 0; i < count; ++i) ASSERT_EQ(values[i], i) << count << " " << key;
    }
  }
}

TEST(Permuted, DependsOnTheKey) {
  EXPECT_NE(order(100, 1), order(100, 2));
  EXPECT_EQ(order(100, 1), order(100, 1));
}

// In a uniformly random permutation of n the number of ascents is (n-1)/2 with variance (n+1)/12.
TEST(Permuted, LooksShuffled) {
  constexpr uint64_t kCount = 3000;
  for (uint64_t key = 0; key < 8; ++key) {
    const std::vector<uint64_t> values = order(kCount, key);
    double ascents = 0;
    for (size_t i = 1; i < kCount; ++i) ascents += values[i] > values[i - 1];
    EXPECT_NEAR(ascents, (kCount - 1) / 2.0, 5 * std::sqrt((kCount + 1) / 12.0)) << key;
  }
}

TEST(Permuted, HandlesLargeCounts) {
  for (const uint64_t count : {(uint64_t{1} << 62) + 1, (uint64_t{1} << 32) - 5, (uint64_t{1} << 33) + 1}) {
    std::set<uint64_t> seen;
    for (uint64_t i = 0; i < 1000; ++i) {
      const uint64_t value = permuted(count - 1 - i, count, 3);
      EXPECT_LT(value, count);
      EXPECT_TRUE(seen.insert(value).second);
    }
  }
}

// Every window of an epoch lies in the text, and no two overlap in their inputs.
TEST(WindowSampler, CoversAnEpochWithoutOverlap) {
  for (const int64_t length : {1, 2, 7, 32}) {
    for (const int64_t tokens : {length + 1, length + 2, 2 * length, 2 * length + 1, 3 * length - 1, int64_t{1009}}) {
      if (tokens <= length) continue;
      const WindowSampler sampler(tokens, length, 5);
      const int64_t windows = sampler.windows_per_epoch();
      EXPECT_GE(windows, 1);
      EXPECT_GE(windows, (tokens - 1) / length - 1);
      for (int64_t epoch = 0; epoch < 3; ++epoch) {
        std::set<int64_t> covered;
        for (int64_t i = 0; i < windows; ++i) {
          const int64_t begin = sampler.window_begin(epoch * windows + i);
          ASSERT_GE(begin, 0);
          ASSERT_LE(begin + length + 1, tokens) << tokens << " " << length;
          for (int64_t t = 0; t < length; ++t) ASSERT_TRUE(covered.insert(begin + t).second);
        }
      }
    }
  }
}

TEST(WindowSampler, ReachesTheWholeTextOverEpochs) {
  constexpr int64_t kTokens = 203, kLength = 10;
  const WindowSampler sampler(kTokens, kLength, 1);
  std::set<int64_t> predicted;
  for (int64_t i = 0; i < 60 * sampler.windows_per_epoch(); ++i) {
    for (int64_t t = 1; t <= kLength; ++t) predicted.insert(sampler.window_begin(i) + t);
  }
  EXPECT_EQ(predicted.size(), static_cast<size_t>(kTokens - 1));
}

TEST(WindowSampler, DependsOnSeedAndEpoch) {
  const auto begins = [](uint64_t seed, int64_t epoch) {
    const WindowSampler sampler(5000, 10, seed);
    std::vector<int64_t> out;
    for (int64_t i = 0; i < 50; ++i) out.push_back(sampler.window_begin(epoch * sampler.windows_per_epoch() + i));
    return out;
  };
  EXPECT_EQ(begins(1, 0), begins(1, 0));
  EXPECT_NE(begins(1, 0), begins(2, 0));
  EXPECT_NE(begins(1, 0), begins(1, 1));
}

TEST(WindowSampler, WantsAtLeastOneWindow) {
  EXPECT_TRUE(fails_with("at least 33 tokens", [] { WindowSampler(32, 32, 0); }));
  EXPECT_TRUE(fails_with("got 0", [] { WindowSampler(0, 1, 0); }));
  EXPECT_EQ(WindowSampler(33, 32, 0).window_begin(12345), 0);
}

TEST(MakeBatch, ShiftsTargetsByOne) {
  std::vector<int32_t> text(100);
  std::iota(text.begin(), text.end(), 0);
  const WindowSampler sampler(100, 4, 9);
  const TokenBatch batch = make_batch(text, sampler, 30, 3, 4);
  EXPECT_EQ(batch.sequences, 3);
  ASSERT_EQ(batch.ids.size(), 12u);
  ASSERT_EQ(batch.targets.size(), 12u);
  for (size_t i = 0; i < batch.ids.size(); ++i) {
    EXPECT_EQ(batch.ids[i], sampler.window_begin(30 + static_cast<int64_t>(i / 4)) + static_cast<int64_t>(i % 4));
    EXPECT_EQ(batch.targets[i], batch.ids[i] + 1);
  }
}

}  // namespace
}  // namespace tern
