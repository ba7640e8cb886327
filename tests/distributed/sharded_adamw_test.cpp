// SPDX-License-Identifier: Apache-2.0
// The optimizer that a group shares, against the one of a single process.
#include "train/sharded_adamw.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "distributed/group.h"
#include "support/fails_with.h"
#include "support/temporary_directory.h"
#include "tern/autograd.h"
#include "tern/io.h"
#include "tern/ops.h"

namespace tern {
namespace {

using testing::fails_with;
using testing::group;
using testing::group_device;
using testing::TemporaryDirectory;

const std::vector<Shape> kShapes = {{3, 50}, {7}, {40, 33}, {1}, {16, 4}};

std::vector<Parameter> parameters() {
  std::vector<Parameter> out;
  for (const Shape& shape : kShapes) {
    std::vector<float> values;
    for (int64_t i = 0; i < shape.numel(); ++i)
      values.push_back(std::sin(static_cast<float>(i + 31 * std::ssize(out))));
    out.push_back({"p" + std::to_string(out.size()), Tensor::from(values, shape, group_device()).set_requires_grad()});
  }
  return out;
}

// The gradient of parameter `index` on one process at a step: small whole numbers, whose sums are exact in any order.
Tensor gradient(size_t index, int64_t step, int rank) {
  std::vector<float> values;
  for (int64_t i = 0; i < kShapes[index].numel(); ++i) {
    values.push_back(static_cast<float>((i * 7 + step * 3 + rank * 5 + static_cast<int64_t>(index)) % 13 - 6));
  }
  return Tensor::from(values, kShapes[index], group_device());
}

// Parameters from `first` on get gradients by backward(), as in training.
void walk(const std::vector<Parameter>& all, size_t first, int64_t step, int rank) {
  Tensor y = Tensor::zeros({}, DType::f32, group_device());
  for (size_t i = first; i < all.size(); ++i) y = y + sum(all[i].value * gradient(i, step, rank));
  backward(y);
}

// The same step in one process: the sum of all gradients.
void step_alone(const std::vector<Parameter>& all, Adamw& adamw, size_t first, int64_t step, double& norm) {
  for (size_t i = first; i < all.size(); ++i) {
    Tensor sum = Tensor::zeros(kShapes[i], DType::f32, group_device());
    for (int rank = 0; rank < group().size(); ++rank) sum = sum + gradient(i, step, rank);
    Tensor(all[i].value).set_grad(sum);
  }
  norm = adamw.gradient_norm();
  adamw.step({.lr = 0.01}, 0.5);
}

std::vector<float> values_of(const std::vector<Parameter>& all) {
  std::vector<float> out;
  for (const Parameter& parameter : all) {
    for (float x : parameter.value.to_vector<float>()) out.push_back(x);
  }
  return out;
}

double norm_of(ShardedAdamw& sharded) {
  double squares = sharded.gradient_squares();
  group().all_reduce_sum({&squares, 1});
  return std::sqrt(squares);
}

class ShardedAdamwTest : public ::testing::TestWithParam<int64_t> {};

TEST_P(ShardedAdamwTest, GivesTheBitsOfOneProcess) {
  const std::vector<Parameter> alone = parameters(), shared = parameters();
  Adamw adamw(alone);
  ShardedAdamw sharded(shared, group(), GetParam());
  for (int64_t step = 1; step <= 4; ++step) {
    const size_t first = step == 3 ? 2 : 0;  // parameters without a gradient stay
    double norm = 0;
    step_alone(alone, adamw, first, step, norm);
    sharded.begin_last_backward();
    walk(shared, first, step, group().rank());
    EXPECT_NEAR(norm_of(sharded) / norm, 1.0, 1e-12);
    sharded.step({.lr = 0.01}, 0.5);
    EXPECT_EQ(values_of(shared), values_of(alone)) << step;
    for (const Parameter& parameter : shared) EXPECT_FALSE(parameter.value.grad().defined());
  }
}

TEST_P(ShardedAdamwTest, AccumulatesMicroBatches) {
  const std::vector<Parameter> alone = parameters(), shared = parameters();
  Adamw adamw(alone);
  ShardedAdamw sharded(shared, group(), GetParam());
  double norm = 0;
  step_alone(alone, adamw, 0, 1, norm);
  // Rank 0 has two micro-batches more, whose gradients cancel; the first comes to some parameters only.
  if (group().rank() == 0) {
    walk(shared, 2, 9, 0);
    for (size_t i = 2; i < shared.size(); ++i) {
      Tensor value = shared[i].value;
      value.set_grad(value.grad() - gradient(i, 9, 0));
    }
  }
  sharded.begin_last_backward();
  walk(shared, 0, 1, group().rank());
  EXPECT_NEAR(norm_of(sharded) / norm, 1.0, 1e-12);
  sharded.step({.lr = 0.01}, 0.5);
  EXPECT_EQ(values_of(shared), values_of(alone));
}

// A file is the same whoever wrote it, and everyone goes on from it.
TEST_P(ShardedAdamwTest, KeepsItsStateInOneFile) {
  const TemporaryDirectory directory;
  const std::vector<Parameter> alone = parameters(), shared = parameters(), resumed = parameters();
  Adamw adamw(alone);
  ShardedAdamw sharded(shared, group(), GetParam());
  double norm = 0;
  for (int64_t step = 1; step <= 2; ++step) {
    step_alone(alone, adamw, 0, step, norm);
    sharded.begin_last_backward();
    walk(shared, 0, step, group().rank());
    sharded.gradient_squares();
    sharded.step({.lr = 0.01}, 0.5);
  }
  sharded.save(directory.file("sharded"));
  save_safetensors(directory.file("alone"), adamw.state());
  if (group().rank() == 0) {
    EXPECT_EQ(directory.read("sharded"), directory.read("alone"));
  }
  // Another size of buckets, as another number of processes would have.
  ShardedAdamw other(resumed, group(), 3 * GetParam() + 100);
  other.load(directory.file("alone"), 2);
  for (size_t i = 0; i < resumed.size(); ++i) assign(resumed[i].value.detach(), shared[i].value.detach());
  step_alone(alone, adamw, 0, 3, norm);
  other.begin_last_backward();
  walk(resumed, 0, 3, group().rank());
  other.gradient_squares();
  other.step({.lr = 0.01}, 0.5);
  EXPECT_EQ(values_of(resumed), values_of(alone));
}

INSTANTIATE_TEST_SUITE_P(Buckets, ShardedAdamwTest, ::testing::Values(1, 200, ShardedAdamw::kBucketElements));

TEST(ShardedAdamw, ChecksItsParameters) {
  std::vector<Parameter> wrong = parameters();
  wrong[1].value = Tensor::zeros({7}, DType::f16, group_device());
  EXPECT_TRUE(fails_with("p1: expected a contiguous f32 parameter", [&] { ShardedAdamw(wrong, group()); }));
  group().barrier();
}

}  // namespace
}  // namespace tern
