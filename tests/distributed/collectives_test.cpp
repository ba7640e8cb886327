// SPDX-License-Identifier: Apache-2.0
// What processes do together, judged in each of them.
#include "distributed/collectives.h"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <vector>

#include "distributed/group.h"
#include "support/fails_with.h"
#include "tern/ops.h"

namespace tern {
namespace {

using testing::fails_with;
using testing::group;
using testing::group_device;
using Floats = std::vector<float>;

Collectives& all() { return group().collectives(); }
float size() { return static_cast<float>(group().size()); }
float rank() { return static_cast<float>(group().rank()); }

Tensor vector(const Floats& values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, group_device());
}

// `count` elements: f(i) of this process.
template <class F>
Floats filled(int64_t count, F f) {
  Floats out;
  for (int64_t i = 0; i < count; ++i) out.push_back(f(static_cast<float>(i)));
  return out;
}

// 0 + 1 + … over the ranks.
float sum_of_ranks() { return size() * (size() - 1) / 2; }

TEST(Collectives, SumOverAll) {
  for (const int64_t count : {int64_t{0}, int64_t{1}, int64_t{7}, int64_t{100003}}) {
    const Tensor x = vector(filled(count, [](float i) { return i + 1000000 * rank(); }));
    all().wait(all().start(all().all_reduce_sum(x)));
    EXPECT_EQ(x.to_vector<float>(), filled(count, [](float i) { return size() * i + 1000000 * sum_of_ranks(); }));
  }
}

TEST(Collectives, SumDoubles) {
  std::vector<double> values = {1e-300, 1.0 + 1e-15 * group().rank(), static_cast<double>(group().rank())};
  group().all_reduce_sum(values);
  EXPECT_DOUBLE_EQ(values[0], 1e-300 * size());
  EXPECT_NEAR(values[1], size() + 1e-15 * sum_of_ranks(), 1e-15);
  EXPECT_EQ(values[2], sum_of_ranks());
  group().all_reduce_sum({});
  std::vector<double> many(1500);  // more than go at once over NCCL
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<double>(i) * (group().rank() + 1);
  group().all_reduce_sum(many);
  for (size_t i = 0; i < many.size(); ++i) EXPECT_EQ(many[i], static_cast<double>(i) * (sum_of_ranks() + size()));
}

TEST(Collectives, GiveEachItsShareOfTheSum) {
  for (const int64_t count : {int64_t{1}, int64_t{16}, int64_t{50021}}) {
    const Tensor from = vector(filled(count * group().size(), [](float i) { return i + 100 * rank(); }));
    const Tensor to = Tensor::zeros({count}, DType::f32, group_device());
    all().wait(all().start(all().reduce_scatter_sum(from, to)));
    const auto first = static_cast<float>(count) * rank();
    EXPECT_EQ(to.to_vector<float>(),
              filled(count, [&](float i) { return size() * (first + i) + 100 * sum_of_ranks(); }));
  }
}

TEST(Collectives, GiveEveryoneAllParts) {
  const int64_t count = 1001;
  const Tensor part = vector(filled(count, [](float i) { return i - rank(); }));
  const Tensor whole = Tensor::zeros({count * group().size()}, DType::f32, group_device());
  Floats expected;
  for (int process = 0; process < group().size(); ++process) {
    for (float x : filled(count, [&](float i) { return i - static_cast<float>(process); })) expected.push_back(x);
  }
  all().wait(all().start(all().all_gather(part, whole)));
  EXPECT_EQ(whole.to_vector<float>(), expected);
  // In place, and of another type.
  const Tensor marks = Tensor::zeros({2 * group().size()}, DType::u8, group_device());
  const Tensor own = slice(marks, 0, 2 * group().rank(), 2 * group().rank() + 2);
  assign(own, Tensor::full({2}, 1 + group().rank(), DType::u8, group_device()));
  all().wait(all().start(all().all_gather(own, marks)));
  for (int i = 0; i < 2 * group().size(); ++i) EXPECT_EQ(marks.to_vector<uint8_t>()[static_cast<size_t>(i)], 1 + i / 2);
}

TEST(Collectives, GiveEveryoneWhatRankZeroHas) {
  const Tensor x = vector(filled(12345, [](float i) { return i * (rank() + 1); }));
  all().wait(all().start_broadcast(x));
  EXPECT_EQ(x.to_vector<float>(), filled(12345, [](float i) { return i; }));
  std::string text =
      group().rank() == 0 ? std::string("from rank 0, with a \0 in it", 27) : "something longer than that";
  group().broadcast(text);
  EXPECT_EQ(text, std::string("from rank 0, with a \0 in it", 27));
  text = group().rank() == 0 ? "" : "rest";
  group().broadcast(text);
  EXPECT_EQ(text, "");
}

// Kernels before, between and after: what an operation reads and what reads it.
TEST(Collectives, KeepTheOrderOfTheDevicesWork) {
  Tensor x = Tensor::zeros({1 << 20}, DType::f32, group_device());
  for (int round = 1; round <= 5; ++round) {
    x = add(x, Tensor::full({}, 1, DType::f32, group_device()));
    all().wait(all().start(all().all_reduce_sum(x)));
    x = mul(x, 1.0 / size());
  }
  EXPECT_EQ(x.to_vector<float>(), Floats(1 << 20, 5.0f));
}

TEST(Collectives, MayBeManyAtOnce) {
  std::vector<Tensor> sums, parts, wholes;
  std::vector<Collectives::Ticket> tickets;
  for (int i = 0; i < 40; ++i) {
    const auto value = static_cast<float>(i);
    sums.push_back(vector(filled(1000 + i, [&](float k) { return value + k; })));
    parts.push_back(vector(filled(10, [&](float k) { return value + k + rank(); })));
    wholes.push_back(Tensor::zeros({10 * group().size()}, DType::f32, group_device()));
    tickets.push_back(all().start(all().all_reduce_sum(sums.back())));
    tickets.push_back(all().start(all().all_gather(parts.back(), wholes.back())));
  }
  all().wait(tickets[31]);
  EXPECT_EQ(sums[15].to_vector<float>(), filled(1015, [](float k) { return size() * (15 + k); }));
  all().wait(tickets.back());
  all().wait(tickets.front());  // waited for already
  for (int i = 0; i < 40; ++i) {
    const auto value = static_cast<float>(i);
    EXPECT_EQ(sums[static_cast<size_t>(i)].to_vector<float>(),
              filled(1000 + i, [&](float k) { return size() * (value + k); }));
    EXPECT_EQ(wholes[static_cast<size_t>(i)].to_vector<float>().back(), value + 9 + size() - 1);
  }
}

// Of all kinds, in one start; and none at all.
TEST(Collectives, MayBeStartedTogether) {
  const Tensor sums = vector(filled(77, [](float i) { return i + rank(); }));
  const Tensor from = vector(filled(32 * group().size(), [](float i) { return i * (rank() + 1); }));
  const Tensor shares = Tensor::zeros({32}, DType::f32, group_device());
  const Tensor whole = Tensor::zeros({5 * group().size()}, DType::f32, group_device());
  const std::vector<Collectives::Operation> operations = {
      all().all_reduce_sum(sums), all().reduce_scatter_sum(from, shares),
      all().all_gather(vector(filled(5, [](float i) { return i + 10 * rank(); })), whole)};
  const Collectives::Ticket ticket = all().start(operations);
  EXPECT_EQ(all().start(std::span<const Collectives::Operation>()), ticket);
  all().wait(ticket);
  EXPECT_EQ(sums.to_vector<float>(), filled(77, [](float i) { return size() * i + sum_of_ranks(); }));
  EXPECT_EQ(shares.to_vector<float>(),
            filled(32, [](float i) { return (32 * rank() + i) * (sum_of_ranks() + size()); }));
  for (int i = 0; i < 5 * group().size(); ++i) {
    EXPECT_EQ(whole.to_vector<float>()[static_cast<size_t>(i)], static_cast<float>(i % 5 + i / 5 * 10));
  }
}

// The same order of sums each time: what is summed here depends on it.
TEST(Collectives, GiveTheSameBitsEachTime) {
  const Floats values = filled(5000 * group().size(), [](float i) { return (i + 1) * 1e-3f + 1e4f * rank() / 7; });
  Floats first_sums, first_shares;
  for (int round = 0; round < 3; ++round) {
    const Tensor sums = vector(values), shares = Tensor::zeros({5000}, DType::f32, group_device());
    all().wait(all().start(all().reduce_scatter_sum(vector(values), shares)));
    all().wait(all().start(all().all_reduce_sum(sums)));
    if (round == 0) {
      first_sums = sums.to_vector<float>();
      first_shares = shares.to_vector<float>();
    }
    EXPECT_EQ(sums.to_vector<float>(), first_sums);
    EXPECT_EQ(shares.to_vector<float>(), first_shares);
  }
}

TEST(Collectives, CheckTheirTensors) {
  const Tensor x = vector({1, 2, 3, 4}), marks = Tensor::zeros({4}, DType::u8, group_device());
  EXPECT_TRUE(fails_with("contiguous", [&] { all().start(all().all_reduce_sum(slice(x, 0, 0, 4, 2))); }));
  EXPECT_TRUE(fails_with("expected f32, got u8", [&] { all().all_reduce_sum(marks); }));
  EXPECT_TRUE(fails_with("times 3 elements", [&] { all().start(all().all_gather(vector({1, 2, 3}), x)); }));
  EXPECT_TRUE(fails_with("times 3 elements", [&] { all().start(all().reduce_scatter_sum(x, vector({1, 2, 3}))); }));
  group().barrier();
}

}  // namespace
}  // namespace tern
