// SPDX-License-Identifier: Apache-2.0
// Cross entropy of bf16 logits and its gradient in their place, against their definition in double.
#include <gtest/gtest.h>

#include <limits>

#include "device/mixed/mixed_device.h"

namespace tern {
namespace {

using testing::expect_near;
using testing::Floats;
using testing::Halves;
using testing::kBf16Rounding;
using testing::kF32Rounding;
using testing::normal_halves;
using testing::number;
using testing::OnDevice;
using testing::Random;
using testing::same_bytes;

using Doubles = std::vector<double>;
using Targets = std::vector<int64_t>;

constexpr float kScale = 0.37f;
constexpr int64_t kIgnored = -100;

struct Rows {
  int64_t rows, classes;
};

struct Result {
  Halves gradient;
  Floats loss;
};

Targets targets_of(const Rows& n, Random& random) {
  Targets targets;
  for (int64_t row = 0; row < n.rows; ++row) {
    targets.push_back(row % 5 == 3 ? kIgnored : static_cast<int64_t>(random() % static_cast<uint64_t>(n.classes)));
  }
  if (n.rows > 1) targets[0] = n.classes - 1;
  return targets;
}

class MixedCrossEntropy : public testing::MixedTest {
 protected:
  static Result device_result(const Rows& n, const Halves& logits, const Targets& targets) {
    const OnDevice<bf16> rows(logits);
    const OnDevice<int64_t> classes(targets);
    const OnDevice<float> loss(n.rows);
    run(&MixedKernels::cross_entropy, {n.rows, n.classes, rows.data(), classes.data(), kScale, loss.data()});
    return {rows.values(), loss.values()};
  }

  static void expect_case(const Rows& n, const Halves& logits, const Targets& targets) {
    SCOPED_TRACE(::testing::Message() << n.rows << " x " << n.classes);
    const Result got = device_result(n, logits, targets);
    // A sum of exponentials has at most as many roundings in a row as a thread has terms, a 4096th, a tree over the
    // threads, and those of the arguments, which matter where the exponential does.
    const double by_row = (static_cast<double>(n.classes) / 4096 + 96) * kF32Rounding;
    Doubles loss, loss_tolerance, gradient, gradient_tolerance;
    for (int64_t row = 0; row < n.rows; ++row) {
      const auto r = static_cast<size_t>(row);
      const auto logit = [&](int64_t j) { return number(logits[static_cast<size_t>(row * n.classes + j)]); };
      const int64_t target = targets[r];
      double max = -std::numeric_limits<double>::infinity(), sum = 0;
      for (int64_t j = 0; j < n.classes; ++j) max = std::fmax(max, logit(j));
      for (int64_t j = 0; j < n.classes; ++j) sum += std::exp(logit(j) - max);
      const bool ignored = target == kIgnored;
      loss.push_back(ignored ? 0 : std::log(sum) - (logit(target) - max));
      loss_tolerance.push_back(ignored ? 0 : by_row + 4 * kF32Rounding * std::fabs(loss.back()));
      for (int64_t j = 0; j < n.classes; ++j) {
        const double p = std::exp(logit(j) - max) / sum, hot = j == target ? 1 : 0;
        gradient.push_back(ignored ? 0 : number(kScale) * (p - hot));
        gradient_tolerance.push_back(
            ignored ? 0 : kBf16Rounding * std::fabs(gradient.back()) + by_row * (p + hot) + 0x1p-126);
      }
    }
    expect_near(got.loss, loss, [&](size_t i) { return loss_tolerance[i]; });
    expect_near(got.gradient, gradient, [&](size_t i) { return gradient_tolerance[i]; });
  }
};

constexpr Rows kRows[] = {{0, 8},     {1, 8},      {7, 16},     {33, 248},   {5, 256},    {300, 264},
                          {3, 2048},  {2, 2056},   {9, 8192},   {4, 32000},  {3, 32768},  {2, 32776},
                          {2, 50304}, {700, 4096}, {2, 128256}, {1, 147456}, {2, 147464}, {1, 300008}};

TEST_F(MixedCrossEntropy, FollowsItsDefinition) {
  Random random(1);
  for (const Rows n : kRows) {
    for (const float spread : {1.0f, 8.0f}) {
      expect_case(n, normal_halves(n.rows * n.classes, random, spread), targets_of(n, random));
    }
  }
}

TEST_F(MixedCrossEntropy, OfWhatIsNotFinite) {
  using Limits = std::numeric_limits<float>;
  Random random(2);
  for (const int64_t classes : {8, 264, 8192, 40000, 150000}) {
    const Rows n = {7, classes};
    Halves logits = normal_halves(n.rows * classes, random);
    const auto at = [classes](int64_t row, int64_t j) -> size_t { return static_cast<size_t>(row * classes + j); };
    logits[at(0, classes - 1)] = bf16(Limits::quiet_NaN());
    logits[at(1, 2)] = bf16(Limits::infinity());
    logits[at(2, 0)] = bf16(-Limits::infinity());
    for (int64_t j = 0; j < classes; ++j) {
      logits[at(4, j)] = bf16(-Limits::infinity());
      if (j != 7) logits[at(5, j)] = bf16(-Limits::infinity());
      logits[at(6, j)] = bf16(Limits::quiet_NaN());
    }
    expect_case(n, logits, {1, 1, 1, 1, 1, 7, kIgnored});
  }
}

TEST_F(MixedCrossEntropy, IsTheSameInEachRun) {
  Random random(3);
  for (const Rows n : {Rows{517, 8192}, Rows{3, 128256}}) {
    const Halves logits = normal_halves(n.rows * n.classes, random);
    const Targets targets = targets_of(n, random);
    const Result a = device_result(n, logits, targets), b = device_result(n, logits, targets);
    EXPECT_TRUE(same_bytes(a.gradient, b.gradient));
    EXPECT_TRUE(same_bytes(a.loss, b.loss));
  }
}

}  // namespace
}  // namespace tern
