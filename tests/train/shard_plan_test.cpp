// SPDX-License-Identifier: Apache-2.0
#include "train/shard_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace tern {
namespace {

using Counts = std::vector<int64_t>;
using Part = ShardPlan::Part;

// Each element of each parameter is in one part, and, where that is divided, with one process; what a process owns does
// not overlap.
void expect_a_partition(const Counts& counts, int processes, int64_t bucket_elements) {
  const ShardPlan plan(counts, processes, bucket_elements);
  std::vector<std::vector<int>> owners;
  for (const int64_t count : counts) owners.emplace_back(static_cast<size_t>(count), 0);
  int64_t end = 0;
  for (int64_t bucket = 0; bucket < plan.buckets(); ++bucket) {
    EXPECT_FALSE(plan.bucket(bucket).empty());
    for (const Part& part : plan.bucket(bucket)) {
      EXPECT_GE(part.place, end);
      EXPECT_EQ(part.place % 16, 0);
      end = part.place + plan.own(part, 0).size();
      int64_t at = part.range.begin;
      for (int rank = 0; rank < processes; ++rank) {
        const ShardPlan::Range own = plan.own(part, rank);
        EXPECT_EQ(own.size(), end - part.place);
        EXPECT_GT(own.size(), 0);
        EXPECT_EQ(own.begin % 16, 0);
        EXPECT_EQ(own.begin, part.is_divided ? std::exchange(at, own.end) : part.range.begin);
        for (int64_t i = own.begin; i < own.end; ++i) owners[part.parameter][static_cast<size_t>(i)] += rank + 1;
      }
      if (part.is_divided) {
        EXPECT_EQ(at, part.range.end);
        EXPECT_LT(part.range.size(), bucket_elements + 16 * processes);
        for (int rank = 0; rank < processes; ++rank) {
          const ShardPlan::Range own = plan.own(part, rank);
          for (int64_t i = own.begin; i < own.end; ++i) {
            EXPECT_EQ(std::exchange(owners[part.parameter][static_cast<size_t>(i)], -1), rank + 1);
          }
        }
      } else {
        EXPECT_LT(part.range.size(), 16 * processes);
        for (int64_t i = part.range.begin; i < part.range.end; ++i) {
          EXPECT_EQ(std::exchange(owners[part.parameter][static_cast<size_t>(i)], -1), processes * (processes + 1) / 2);
        }
      }
    }
  }
  EXPECT_LE(end, plan.own_elements());
  for (const auto& parameter : owners) {
    EXPECT_EQ(std::count(parameter.begin(), parameter.end(), -1), std::ssize(parameter));
  }
}

TEST(ShardPlan, GivesEachElementItsOwners) {
  for (const int processes : {1, 2, 3, 8}) {
    for (const int64_t bucket : {int64_t{1}, int64_t{100}, int64_t{4096}, int64_t{1} << 40}) {
      expect_a_partition({1000, 1, 37, 5000, 16}, processes, bucket);
      expect_a_partition({1}, processes, bucket);
      expect_a_partition({3, 0, 3}, processes, bucket);
    }
  }
  EXPECT_EQ(ShardPlan(Counts{}, 2, 100).buckets(), 0);
}

// 100 million elements on 8 GPUs: no process owns more than its share but for the rests.
TEST(ShardPlan, BalancesShares) {
  const ShardPlan plan(Counts{65536000, 4096, 30000007, 1}, 8, 6553600);
  EXPECT_LT(plan.own_elements(), (65536000 + 4096 + 30000008) / 8 + 4 * 128);
}

TEST(ShardPlan, BeginsWithTheLastParameter) {
  const ShardPlan plan(Counts{200, 40, 64}, 2, 128);
  ASSERT_EQ(plan.buckets(), 3);
  // 64, 32 of 40 and the other 8.
  const auto first = plan.bucket(0), second = plan.bucket(1), third = plan.bucket(2);
  ASSERT_EQ(first.size(), 3u);
  EXPECT_EQ(first[0].parameter, 2u);
  EXPECT_EQ(first[1].parameter, 1u);
  EXPECT_EQ(first[1].range.size(), 32);
  EXPECT_EQ(first[1].place, 32);
  EXPECT_FALSE(first[2].is_divided);
  EXPECT_EQ(first[2].range.begin, 32);
  EXPECT_EQ(first[2].place, 48);
  // 128 of 200; 64 and 8.
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].range.size(), 128);
  ASSERT_EQ(third.size(), 2u);
  EXPECT_EQ(third[0].range.begin, 128);
  EXPECT_EQ(third[1].range.begin, 192);
}

}  // namespace
}  // namespace tern
