// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "support/cpus.h"
#include "support/reference_attention.h"

namespace tern {
namespace {

using reference::AttentionShape;
using reference::Doubles;
using testing::cpus;
using testing::run_kernel;
using testing::same_bits;

using Floats = std::vector<float>;

constexpr double kEps = 0x1p-24;

Floats random_floats(int64_t count, uint32_t seed, float spread = 1.0f) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, spread);
  Floats x(static_cast<size_t>(count));
  for (float& value : x) value = normal(random);
  return x;
}

Doubles widen(const Floats& x) { return Doubles(x.begin(), x.end()); }
Floats narrow(const Doubles& x) {
  Floats y;
  for (double value : x) y.push_back(static_cast<float>(value));
  return y;
}

std::string name(const AttentionShape& s) {
  return "batch " + std::to_string(s.batch) + ", heads " + std::to_string(s.heads) + "/" + std::to_string(s.kv_heads) +
         ", tokens " + std::to_string(s.q_tokens) + "/" + std::to_string(s.kv_tokens) + ", dim " +
         std::to_string(s.dim);
}

struct Forward {
  Floats out, lse;
};

Forward run(const Device& device, const AttentionShape& s, const Floats& q, const Floats& k, const Floats& v,
            float scale, int64_t kv_batch_stride = -1) {
  Forward f;
  f.out.assign(static_cast<size_t>(s.q_size()), -7.0f);
  f.lse.assign(static_cast<size_t>(s.batch * s.heads * s.q_tokens), -7.0f);
  if (kv_batch_stride < 0) kv_batch_stride = s.kv_tokens * s.kv_heads * s.dim;
  run_kernel(device, &Kernels::attention,
             {s.batch, s.heads, s.kv_heads, s.q_tokens, s.kv_tokens, s.dim, kv_batch_stride, q.data(), k.data(),
              v.data(), scale, f.out.data(), f.lse.data()});
  return f;
}

struct Gradients {
  Floats dq, dk, dv;
};

Gradients run_backward(const Device& device, const AttentionShape& s, const Floats& q, const Floats& k, const Floats& v,
                       const Forward& forward, const Floats& d_out, float scale) {
  Gradients g;
  g.dq.assign(q.size(), -7.0f);
  g.dk.assign(k.size(), -7.0f);
  g.dv.assign(v.size(), -7.0f);
  run_kernel(device, &Kernels::attention_backward,
             {s.batch, s.heads, s.kv_heads, s.q_tokens, s.dim, q.data(), k.data(), v.data(), forward.out.data(),
              forward.lse.data(), d_out.data(), scale, g.dq.data(), g.dk.data(), g.dv.data()});
  return g;
}

// A score is off by at most (dim + 2)·eps·scale·Σ|q||k|, so a probability by twice that, relatively, plus a few eps for
// exp and the sums. Weights with relative error e give a weighted mean off by 2e·max|v|.
double probability_error(const AttentionShape& s, double largest_score) {
  return 2 * static_cast<double>(s.dim + 2) * kEps * largest_score + static_cast<double>(s.kv_tokens + 16) * kEps;
}

void expect_forward(const AttentionShape& s, const std::vector<Device>& devices, float spread = 1.0f) {
  SCOPED_TRACE(name(s));
  const Floats q = random_floats(s.q_size(), 1, spread), k = random_floats(s.kv_size(), 2),
               v = random_floats(s.kv_size(), 3);
  const float scale = 1.0f / std::sqrt(static_cast<float>(s.dim));
  const auto expected = reference::attention(s, widen(q), widen(k), widen(v), static_cast<double>(scale));
  double largest_v = 0;
  for (float x : v) largest_v = std::max(largest_v, std::fabs(static_cast<double>(x)));
  const double error = probability_error(s, expected.largest_score);
  const Forward first = run(devices[0], s, q, k, v, scale);
  for (size_t i = 0; i < first.out.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(first.out[i]), expected.out[i], 2 * error * largest_v) << "element " << i;
  }
  for (size_t i = 0; i < first.lse.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(first.lse[i]), expected.lse[i], error + 4 * kEps * std::fabs(expected.lse[i]));
  }
  for (const Device& device : devices) {
    SCOPED_TRACE(device.description());
    const Forward f = run(device, s, q, k, v, scale);
    ASSERT_TRUE(same_bits(f.out, first.out));
    ASSERT_TRUE(same_bits(f.lse, first.lse));
  }
}

TEST(Attention, MatchesTheDefinition) {
  const std::vector<Device> devices = cpus();
  for (int64_t tokens : {1, 2, 7, 17, 65}) {
    for (int64_t dim : {1, 2, 16, 17, 64}) expect_forward({1, 2, 2, tokens, tokens, dim}, devices);
  }
  for (int64_t heads : {1, 4, 6}) {
    for (int64_t kv_heads : {1, 2}) {
      if (heads % kv_heads == 0) expect_forward({2, heads, kv_heads, 13, 29, 24}, devices);
    }
  }
  expect_forward({1, 20, 5, 33, 33, 128}, devices);
  expect_forward({3, 4, 2, 1, 127, 80}, devices);
  expect_forward({1, 4, 1, 1, 1021, 128}, devices);
}

TEST(Attention, LargeScores) { expect_forward({1, 2, 1, 31, 31, 32}, cpus(), 40.0f); }

TEST(Attention, MoreKeysThanFitBesideManyQueries) {
  expect_forward({1, 2, 1, 2, 300000, 3}, {cpus().front(), cpus().back()});
}

TEST(Attention, EmptyBatchOrQueries) {
  for (const Device& device : cpus()) {
    EXPECT_TRUE(run(device, {0, 2, 1, 3, 3, 8}, {}, {}, {}, 1.0f).out.empty());
    const Floats k(24);
    EXPECT_TRUE(run(device, {1, 2, 1, 0, 3, 8}, {}, k, k, 1.0f).out.empty());
  }
}

// Token by token with a growing cache in a larger buffer gives the bits of one call for all.
TEST(Attention, AQueryDoesNotDependOnTheOthers) {
  const AttentionShape whole{2, 6, 2, 37, 37, 48};
  const float scale = 0.14f;
  const Floats q = random_floats(whole.q_size(), 4), k = random_floats(whole.kv_size(), 5),
               v = random_floats(whole.kv_size(), 6);
  const int64_t token = whole.heads * whole.dim;
  for (const Device& device : cpus()) {
    SCOPED_TRACE(device.description());
    const Forward all = run(device, whole, q, k, v, scale);
    for (int64_t i = 0; i < whole.q_tokens; ++i) {
      Floats q_one, out_one;
      for (int64_t b = 0; b < 2; ++b) {
        const int64_t at = (b * whole.q_tokens + i) * token;
        q_one.insert(q_one.end(), q.begin() + at, q.begin() + at + token);
        out_one.insert(out_one.end(), all.out.begin() + at, all.out.begin() + at + token);
      }
      AttentionShape one = whole;
      one.q_tokens = 1;
      one.kv_tokens = i + 1;
      const Forward f = run(device, one, q_one, k, v, scale, whole.kv_tokens * whole.kv_heads * whole.dim);
      ASSERT_TRUE(same_bits(f.out, out_one)) << "token " << i;
    }
  }
}

// What a query must not see cannot harm it; what it sees propagates.
TEST(Attention, NanAndInfinityOfLaterTokensStayThere) {
  const AttentionShape s{1, 4, 2, 19, 19, 20};
  const Floats q = random_floats(s.q_size(), 7), k = random_floats(s.kv_size(), 8), v = random_floats(s.kv_size(), 9);
  const Floats d_out = random_floats(s.q_size(), 10);
  constexpr int64_t kBad = 11;
  const size_t clean = s.q_at(0, kBad, 0);
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Floats bad_k = k, bad_v = v;
    for (size_t i = 0; i < static_cast<size_t>(s.kv_heads * s.dim); ++i) bad_k[s.kv_at(0, kBad, 0) + i] = bad;
    for (size_t i = 0; i < static_cast<size_t>(s.kv_heads * s.dim); ++i) bad_v[s.kv_at(0, kBad, 0) + i] = bad;
    for (const Device& device : cpus()) {
      SCOPED_TRACE(device.description());
      const Forward good = run(device, s, q, k, v, 0.2f), f = run(device, s, q, bad_k, bad_v, 0.2f);
      ASSERT_TRUE(same_bits(Floats(f.out.begin(), f.out.begin() + static_cast<std::ptrdiff_t>(clean)),
                            Floats(good.out.begin(), good.out.begin() + static_cast<std::ptrdiff_t>(clean))));
      for (size_t i = clean; i < f.out.size(); ++i) ASSERT_FALSE(std::isfinite(f.out[i])) << i;
      const Gradients g = run_backward(device, s, q, bad_k, bad_v, f, d_out, 0.2f);
      for (size_t i = 0; i < clean; ++i) ASSERT_TRUE(std::isfinite(g.dq[i])) << i;
      for (size_t i = clean; i < f.out.size(); ++i) ASSERT_TRUE(std::isnan(g.dq[i])) << i;
    }
  }
}

// The oracle's gradients against central differences of its forward pass.
TEST(AttentionBackward, OracleAgreesWithFiniteDifferences) {
  const AttentionShape s{2, 4, 2, 5, 5, 3};
  Doubles q = widen(random_floats(s.q_size(), 11)), k = widen(random_floats(s.kv_size(), 12)),
          v = widen(random_floats(s.kv_size(), 13));
  const Doubles d_out = widen(random_floats(s.q_size(), 14));
  const double scale = 0.6, step = 1e-5;
  const auto g = reference::attention_backward(s, q, k, v, d_out, scale);
  const auto loss = [&] {
    return reference::dot(reference::attention(s, q, k, v, scale).out.data(), d_out.data(), s.q_size());
  };
  const auto expect_gradient = [&](Doubles& x, const Doubles& gradient) {
    for (size_t i = 0; i < x.size(); ++i) {
      const double at = x[i];
      x[i] = at + step;
      const double above = loss();
      x[i] = at - step;
      const double below = loss();
      x[i] = at;
      ASSERT_NEAR(gradient[i], (above - below) / (2 * step), 1e-8);
    }
  };
  expect_gradient(q, g.dq);
  expect_gradient(k, g.dk);
  expect_gradient(v, g.dv);
}

void expect_near(const Floats& actual, const Doubles& expected, const Doubles& size, double error, const char* what) {
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(actual[i]), expected[i], error * size[i] + 1e-37) << what << " " << i;
  }
}

void expect_backward(const AttentionShape& s, const std::vector<Device>& devices) {
  SCOPED_TRACE(name(s));
  const Floats q = random_floats(s.q_size(), 21), k = random_floats(s.kv_size(), 22),
               v = random_floats(s.kv_size(), 23);
  const Floats d_out = random_floats(s.q_size(), 24);
  const float scale = 1.0f / std::sqrt(static_cast<float>(s.dim));
  const double wide_scale = static_cast<double>(scale);
  const auto forward = reference::attention(s, widen(q), widen(k), widen(v), wide_scale);
  const auto expected = reference::attention_backward(s, widen(q), widen(k), widen(v), widen(d_out), wide_scale);
  const Forward given{narrow(forward.out), narrow(forward.lse)};
  // Relative errors of a term: its probability (with the rounded lse), two dot products over dim, and the final sum.
  const double queries = static_cast<double>(s.q_tokens * s.heads / s.kv_heads);
  double largest_lse = 0;
  for (double x : forward.lse) largest_lse = std::max(largest_lse, std::fabs(x));
  const double error = probability_error(s, forward.largest_score) +
                       (2 * static_cast<double>(s.dim) + queries + 2 * largest_lse + 8) * kEps;
  const Gradients first = run_backward(devices[0], s, q, k, v, given, d_out, scale);
  expect_near(first.dq, expected.dq, expected.dq_size, error, "dq");
  expect_near(first.dk, expected.dk, expected.dk_size, error, "dk");
  expect_near(first.dv, expected.dv, expected.dv_size, error, "dv");
  for (const Device& device : devices) {
    SCOPED_TRACE(device.description());
    const Gradients g = run_backward(device, s, q, k, v, given, d_out, scale);
    ASSERT_TRUE(same_bits(g.dq, first.dq));
    ASSERT_TRUE(same_bits(g.dk, first.dk));
    ASSERT_TRUE(same_bits(g.dv, first.dv));
  }
}

TEST(AttentionBackward, MatchesTheDefinition) {
  const std::vector<Device> devices = cpus();
  for (int64_t tokens : {1, 2, 7, 17, 47, 48, 49, 127}) expect_backward({1, 2, 1, tokens, tokens, 16}, devices);
  for (int64_t dim : {1, 15, 17, 64, 128}) expect_backward({2, 4, 2, 23, 23, dim}, devices);
  expect_backward({3, 6, 6, 33, 33, 24}, devices);
}

}  // namespace
}  // namespace tern
