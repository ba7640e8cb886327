// SPDX-License-Identifier: Apache-2.0
// Random numbers: which bits of which block they are made of, their moments, and that nothing else decides them.
#include "tern/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include "base/philox.h"
#include "support/devices_under_test.h"
#include "support/fails_with.h"
#include "support/test_device.h"
#include "tern/creation.h"
#include "tern/ops.h"

namespace tern {
namespace {

using testing::fails_with;
using Longs = std::vector<int64_t>;

constexpr uint64_t kSeed = 0x0123456789abcdefu;

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

uint32_t word(uint64_t block, size_t at, uint32_t attempt = 0) {
  return philox(philox_counter(block, attempt), kSeed).word[at];
}

// In [0, 1), by the words that random.h names.
double fraction(int64_t i, uint64_t counter, bool wide) {
  const auto n = static_cast<uint64_t>(i);
  if (!wide) return std::ldexp(static_cast<double>(word(counter + n / 4, n % 4)), -32);
  const uint64_t bits = uint64_t{word(counter + n / 2, n % 2 * 2)} << 32 | word(counter + n / 2, n % 2 * 2 + 1);
  return std::ldexp(static_cast<double>(bits >> 11), -53);
}

constexpr int64_t kSizes[] = {0, 1, 3, 127, 128, 129, 255, 256, 257, 5003};

TEST(Random, UniformHasTheBitsOfItsBlocks) {
  for (const int64_t count : kSizes) {
    Generator random(kSeed, 7);
    const std::vector<float> narrow = random.uniform({count}, DType::f32, cpu()).to_vector<float>();
    const uint64_t counter = random.counter();
    EXPECT_EQ(counter, 7 + static_cast<uint64_t>((count + 3) / 4));
    const std::vector<double> wide = random.uniform({count}, DType::f64, cpu(), -3, 5).to_vector<double>();
    EXPECT_EQ(random.counter(), counter + static_cast<uint64_t>((count + 1) / 2));
    for (int64_t i = 0; i < count; ++i) {
      const double u = std::floor(std::ldexp(fraction(i, 7, false), 24));
      ASSERT_EQ(narrow[static_cast<size_t>(i)], std::ldexp(static_cast<float>(u), -24)) << i;
      ASSERT_EQ(wide[static_cast<size_t>(i)], -3 + fraction(i, counter, true) * 8) << i;
    }
  }
}

// Against libm in long double: 1e-15 of the radius, which is at most 8.7, and of the angle's error, which is 2π·2^-53.
TEST(Random, NormalIsBoxAndMullers) {
  constexpr long double kTurn = 2 * std::numbers::pi_v<long double>;
  for (const bool wide : {false, true}) {
    constexpr int64_t kCount = 5003;
    Generator random(kSeed);
    const Tensor y = random.normal({kCount}, wide ? DType::f64 : DType::f32, cpu());
    const std::vector<double> got = cast(y, DType::f64).to_vector<double>();
    for (int64_t i = 0; i < kCount; ++i) {
      const double first = fraction(i / 2 * 2, 0, wide), second = fraction(i / 2 * 2 + 1, 0, wide);
      const long double u = static_cast<long double>(first) + (wide ? 0x1p-53L : 0x1p-32L);
      const long double radius = std::sqrt(-2 * std::log(u)), angle = kTurn * static_cast<long double>(second);
      const auto expected = static_cast<double>(radius * (i % 2 == 0 ? std::cos(angle) : std::sin(angle)));
      // Where u is near 1, its logarithm's error is that of u itself, which is exact here: 1e-15 covers series and
      // sums.
      const double tolerance = wide ? 4e-15 : 4e-15 + std::abs(expected) * 0x1p-24;
      ASSERT_NEAR(got[static_cast<size_t>(i)], expected, tolerance) << i;
    }
  }
}

TEST(Random, ExponentialIsALogarithm) {
  constexpr int64_t kCount = 5003;
  Generator random(kSeed);
  const std::vector<double> got = random.exponential({kCount}, DType::f64, cpu(), 2.5).to_vector<double>();
  for (int64_t i = 0; i < kCount; ++i) {
    const double expected = -2.5 * std::log(fraction(i, 0, true) + 0x1p-53);
    ASSERT_NEAR(got[static_cast<size_t>(i)], expected, 4e-16 * std::max(1.0, expected) * 2.5);
    ASSERT_GE(got[static_cast<size_t>(i)], 0);
  }
}

TEST(Random, IntegersAreLemires) {
  __extension__ using Wide = unsigned __int128;
  // A range of 3·2^30 is drawn again in a quarter of the cases.
  for (const uint64_t range :
       {uint64_t{1}, uint64_t{6}, uint64_t{3} << 30, uint64_t{1} << 32, (uint64_t{1} << 32) + 1, uint64_t{3} << 61}) {
    const bool wide = range > uint64_t{1} << 32;
    const int64_t low = -5;
    Generator random(kSeed);
    const Longs got =
        random.integers(low, static_cast<int64_t>(range + static_cast<uint64_t>(low)), {1003}, DType::i64, cpu())
            .to_vector<int64_t>();
    int again = 0;
    for (uint64_t i = 0; i < 1003; ++i) {
      for (uint32_t attempt = 0;; ++attempt) {
        const uint64_t value =
            wide ? uint64_t{word(i / 2, i % 2 * 2, attempt)} << 32 | word(i / 2, i % 2 * 2 + 1, attempt)
                 : word(i / 4, i % 4, attempt);
        const int bits = wide ? 64 : 32;
        const Wide product = static_cast<Wide>(value) * range, modulus = static_cast<Wide>(1) << bits;
        if (product % modulus < modulus % range) {
          ++again;
          continue;
        }
        ASSERT_EQ(got[i], low + static_cast<int64_t>(static_cast<uint64_t>(product >> bits))) << range << " at " << i;
        break;
      }
    }
    EXPECT_EQ(again > 0, range == uint64_t{3} << 30 || range == uint64_t{3} << 61) << range;
  }
}

TEST(Random, IntegersFillTheirDTypes) {
  Generator random(1);
  EXPECT_EQ(random.integers(-128, 128, {100}, DType::i8, cpu()).dtype(), DType::i8);
  const std::vector<uint8_t> bytes = random.integers(0, 256, {20000}, DType::u8, cpu()).to_vector<uint8_t>();
  std::vector<int> counts(256);
  for (const uint8_t byte : bytes) ++counts[byte];
  double chi = 0;  // χ² of 255 degrees: 99.9999 % are below 370
  for (const int count : counts) chi += (count - 78.125) * (count - 78.125) / 78.125;
  EXPECT_LT(chi, 370);
  EXPECT_GT(chi, 160);
  EXPECT_EQ(random.bits({3}, DType::u64, cpu()).numel(), 3);
  Generator again(kSeed);
  EXPECT_EQ(again.bits({4}, DType::u32, cpu()).to_vector<uint32_t>(),
            (std::vector<uint32_t>{word(0, 0), word(0, 1), word(0, 2), word(0, 3)}));
}

TEST(Random, MomentsAreThoseOfTheirDistributions) {
  constexpr int64_t kCount = 200000;
  Generator random(3);
  struct Case {
    Tensor values;
    double mean, deviation;
  };
  const Case cases[] = {
      {random.uniform({kCount}, DType::f32, cpu()), 0.5, std::sqrt(1.0 / 12)},
      {random.normal({kCount}, DType::f32, cpu(), 2, 3), 2, 3},
      {random.normal({kCount}, DType::f64, cpu()), 0, 1},
      {random.normal({kCount}, DType::f16, cpu()), 0, 1},
      {random.exponential({kCount}, DType::f32, cpu(), 4), 4, 4},
      {random.bernoulli(0.3, {kCount}, cpu()), 0.3, std::sqrt(0.21)},
      {random.bernoulli(full({kCount}, 0.7, DType::f32, cpu())), 0.7, std::sqrt(0.21)},
  };
  for (size_t i = 0; i < std::size(cases); ++i) {
    const std::vector<double> x = cast(cases[i].values, DType::f64).to_vector<double>();
    double sum = 0, squares = 0;
    for (const double value : x) sum += value, squares += (value - cases[i].mean) * (value - cases[i].mean);
    // Five deviations of a mean of n.
    EXPECT_NEAR(sum / kCount, cases[i].mean, 5 * cases[i].deviation / std::sqrt(kCount)) << i;
    EXPECT_NEAR(std::sqrt(squares / kCount), cases[i].deviation, cases[i].deviation * 0.02) << i;
  }
}

TEST(Random, UniformNeverReachesItsEnd) {
  Generator random(5);
  for (const DType dtype : {DType::bf16, DType::f16, DType::f32, DType::f64}) {
    for (const auto& [low, high] : {std::pair{0.0, 1.0}, {-1.0, 1.0}, {-8.0, -4.0}, {-1.0, 0.0}, {100.0, 100.5}}) {
      const std::vector<double> x =
          cast(random.uniform({20000}, dtype, cpu(), low, high), DType::f64).to_vector<double>();
      EXPECT_GE(*std::min_element(x.begin(), x.end()), low);
      EXPECT_LT(*std::max_element(x.begin(), x.end()), high) << name_of(dtype) << " " << low;
    }
  }
}

TEST(Random, IsTheSameOnEveryDevice) {
  const auto draw = [](const Device& device) {
    Generator random(11);
    std::vector<std::byte> all;
    const auto add = [&](const Tensor& x) {
      const size_t size = all.size();
      all.resize(size + static_cast<size_t>(x.numel()) * size_of(x.dtype()));
      x.copy_to_host(std::span(all).subspan(size));
    };
    add(random.uniform({100003}, DType::f32, device));
    add(random.normal({100003}, DType::f32, device));
    add(random.normal({50001}, DType::f64, device));
    add(random.exponential({50001}, DType::f64, device));
    add(random.integers(-7, 1000000007, {100003}, DType::i64, device));
    add(random.bernoulli(0.25, {100003}, device));
    add(random.permutation(1009, device));
    return all;
  };
  const std::vector<std::byte> first = draw(testing::cpus()[0]);
  for (const Device& device : testing::devices_under_test()) EXPECT_TRUE(draw(device) == first) << device.description();
}

TEST(Random, PermutesEvenly) {
  Generator random(13);
  std::vector<int> counts(24);
  for (int round = 0; round < 12000; ++round) {
    const Longs order = random.permutation(4, cpu()).to_vector<int64_t>();
    int rank = 0;  // of the order among the 24
    for (size_t i = 0; i < 4; ++i) {
      int smaller = 0;
      for (size_t j = i + 1; j < 4; ++j) smaller += order[j] < order[i];
      rank = rank * static_cast<int>(4 - i) + smaller;
    }
    ++counts[static_cast<size_t>(rank)];
  }
  double chi = 0;  // χ² of 23 degrees: 99.9999 % are below 70
  for (const int count : counts) chi += (count - 500.0) * (count - 500.0) / 500;
  EXPECT_LT(chi, 70);
  const Longs many = random.permutation(1009, cpu()).to_vector<int64_t>();
  EXPECT_EQ(std::set<int64_t>(many.begin(), many.end()).size(), 1009u);
  const Tensor x = reshape(arange(0, 12, 1, DType::i64, cpu()), {3, 4});
  Longs shuffled = random.shuffled(x, 1).to_vector<int64_t>();
  std::sort(shuffled.begin(), shuffled.begin() + 4);
  EXPECT_TRUE(std::equal(shuffled.begin(), shuffled.begin() + 4, Longs{0, 1, 2, 3}.begin()));
}

TEST(Random, Chooses) {
  Generator random(17);
  const Longs distinct = random.choice(10, {2, 4}, cpu(), false).to_vector<int64_t>();
  EXPECT_EQ(std::set<int64_t>(distinct.begin(), distinct.end()).size(), 8u);
  const Tensor p = Tensor::from({0.0, 0.25, 0.0, 0.75, 0.0}, {5}, cpu());
  Longs counts(5);
  for (const int64_t i : random.choice(p, {8000}).to_vector<int64_t>()) ++counts[static_cast<size_t>(i)];
  EXPECT_EQ(counts[0] + counts[2] + counts[4], 0);
  EXPECT_NEAR(static_cast<double>(counts[1]), 2000, 5 * std::sqrt(1500));
  EXPECT_EQ(random.choice(0, {0}, cpu()).numel(), 0);
}

TEST(Random, SaysWhatIsWrong) {
  Generator random(1);
  EXPECT_TRUE(
      fails_with("[uniform] expected finite low < high", [&] { random.uniform({1}, DType::f32, cpu(), 1, 1); }));
  EXPECT_TRUE(
      fails_with("[uniform] expected a real float dtype, got i32", [&] { random.uniform({1}, DType::i32, cpu()); }));
  EXPECT_TRUE(fails_with("[integers] expected low < high that u8 holds",
                         [&] { random.integers(0, 257, {1}, DType::u8, cpu()); }));
  EXPECT_TRUE(fails_with("[bernoulli] expected a probability in [0, 1]", [&] { random.bernoulli(1.5, {1}, cpu()); }));
  EXPECT_TRUE(fails_with("[choice] expected at most 3 numbers", [&] { random.choice(3, {4}, cpu(), false); }));
  EXPECT_TRUE(fails_with("sum to 1", [&] { random.choice(ones({2}, DType::f64, cpu()), {1}); }));
  EXPECT_EQ(random.counter(), 0u);
}

}  // namespace
}  // namespace tern
