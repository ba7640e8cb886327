// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <set>

namespace tern {
namespace {

constexpr int kCount = 200000;

// The finalizer is SplitMix64's: its published sequence for seed 0 is mix(i · golden gamma).
uint64_t splitmix(uint64_t z) {
  z ^= z >> 30;
  z *= 0xbf58476d1ce4e5b9u;
  z ^= z >> 27;
  z *= 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

TEST(Random, GoldenValues) {
  EXPECT_EQ(splitmix(0x9e3779b97f4a7c15u), 0xe220a8397b1dcdafu);  // the first of SplitMix64(0), as published
  for (const uint64_t seed : {0ull, 1ull, 42ull, ~0ull}) {
    const uint64_t key = splitmix(seed + 0x9e3779b97f4a7c15u);
    for (const uint64_t counter : {0ull, 1ull, 7ull, 1ull << 40}) {
      EXPECT_EQ(random_bits(seed, counter), splitmix(key + counter * 0x9e3779b97f4a7c15u)) << seed << " " << counter;
    }
  }
  static_assert(random_bits(0, 0) != random_bits(0, 1));
}

TEST(Random, IsAddressable) {
  Random all(42);
  for (int i = 0; i < 100; ++i) all.bits();
  Random from_there(42, all.position());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(from_there.bits(), all.bits());
  EXPECT_EQ(all.position(), 110u);
}

TEST(Random, SeedsDiffer) {
  std::set<uint64_t> seen;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    for (uint64_t i = 0; i < 100; ++i) seen.insert(random_bits(seed, i));
  }
  EXPECT_EQ(seen.size(), 10000u);
}

// Means and variances within five standard errors.
TEST(Random, UniformMoments) {
  Random random(1);
  double sum = 0, squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double u = random.uniform();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u - 0.5;
    squares += (u - 0.5) * (u - 0.5);
  }
  EXPECT_NEAR(sum / kCount, 0, 5 * std::sqrt(1.0 / 12 / kCount));
  EXPECT_NEAR(squares / kCount, 1.0 / 12, 5 * std::sqrt(1.0 / 180 / kCount));
}

TEST(Random, NormalMoments) {
  Random random(2);
  std::array<double, 5> moments{};
  for (int i = 0; i < kCount; ++i) {
    const double x = random.normal();
    ASSERT_TRUE(std::isfinite(x));
    double power = 1;
    for (double& moment : moments) {
      moment += power / kCount;
      power *= x;
    }
  }
  EXPECT_NEAR(moments[1], 0, 5 * std::sqrt(1.0 / kCount));
  EXPECT_NEAR(moments[2], 1, 5 * std::sqrt(2.0 / kCount));
  EXPECT_NEAR(moments[3], 0, 5 * std::sqrt(15.0 / kCount));
  EXPECT_NEAR(moments[4], 3, 5 * std::sqrt(96.0 / kCount));
}

TEST(Random, BelowIsUniform) {
  Random random(3);
  for (const uint64_t bound : {uint64_t{1}, uint64_t{2}, uint64_t{7}, uint64_t{1} << 40, ~uint64_t{0}}) {
    for (int i = 0; i < 1000; ++i) ASSERT_LT(random.below(bound), bound);
  }
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i) ++counts[random.below(7)];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 5 * std::sqrt(10000.0));
}

}  // namespace
}  // namespace tern
