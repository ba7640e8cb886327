// SPDX-License-Identifier: Apache-2.0
#include "train/flat_space.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace tern {
namespace {

using Counts = std::vector<int64_t>;

// Each element of each parameter, by who owns it: once, and in one place of its owner's shares.
void expect_a_partition(const Counts& counts, int processes, int64_t bucket_elements) {
  const FlatSpace space(counts, processes, bucket_elements);
  std::vector<std::vector<int>> owners;
  for (const int64_t count : counts) owners.emplace_back(static_cast<size_t>(count), -1);
  int64_t end = 0;
  for (int64_t bucket = 0; bucket < space.buckets(); ++bucket) {
    const FlatSpace::Range whole = space.bucket(bucket);
    EXPECT_EQ(whole.begin, end);
    EXPECT_EQ(space.share_begin(bucket) * processes, whole.begin);
    end = whole.begin;
    for (int rank = 0; rank < processes; ++rank) {
      const FlatSpace::Range share = space.share(bucket, rank);
      EXPECT_EQ(share.begin, end);
      EXPECT_EQ(share.size() * processes, whole.size());
      EXPECT_EQ(share.begin % 16, 0);
      int64_t at = share.begin;
      for (const auto& [parameter, begin, flat, count] : space.pieces(share)) {
        EXPECT_GE(flat, at);
        EXPECT_GT(count, 0);
        at = flat + count;
        EXPECT_LE(at, share.end);
        for (int64_t i = begin; i < begin + count; ++i) {
          EXPECT_EQ(std::exchange(owners[parameter][static_cast<size_t>(i)], rank), -1);
        }
      }
      end = share.end;
    }
    EXPECT_EQ(end, whole.end);
  }
  EXPECT_EQ(space.share_elements() * processes, end);
  for (const auto& parameter : owners) EXPECT_EQ(std::count(parameter.begin(), parameter.end(), -1), 0);
}

TEST(FlatSpace, GivesEachElementToOneProcess) {
  for (const int processes : {1, 2, 3, 8}) {
    for (const int64_t bucket : {int64_t{1}, int64_t{100}, int64_t{4096}, int64_t{1} << 40}) {
      expect_a_partition({1000, 1, 37, 5000, 16}, processes, bucket);
      expect_a_partition({1}, processes, bucket);
      expect_a_partition({3, 0, 3}, processes, bucket);
    }
  }
}

// 100 million elements on 8 GPUs: shares differ by padding at most.
TEST(FlatSpace, BalancesShares) {
  const FlatSpace space(Counts{65536000, 4096, 30000007, 1}, 8, 6553600);
  EXPECT_LT(space.share_elements(), (65536000 + 4096 + 30000008) / 8 + 64);
  EXPECT_EQ(space.buckets(), 15);
}

TEST(FlatSpace, LaysTheLastParameterFirst) {
  const FlatSpace space(Counts{40, 20, 16}, 2, 64);
  // 16 │ 20 and padding to 32 │ 40 and padding to 48: buckets of 64 and 32.
  ASSERT_EQ(space.buckets(), 2);
  const auto first = space.pieces(space.bucket(0)), second = space.pieces(space.bucket(1));
  ASSERT_EQ(first.size(), 3u);
  EXPECT_EQ(first[0].parameter, 2u);
  EXPECT_EQ(first[1].parameter, 1u);
  EXPECT_EQ(first[1].flat, 16);
  EXPECT_EQ(first[2].parameter, 0u);
  EXPECT_EQ(first[2].flat, 48);
  EXPECT_EQ(first[2].count, 16);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].begin, 16);
  EXPECT_EQ(second[0].count, 24);
}

}  // namespace
}  // namespace tern
