// SPDX-License-Identifier: Apache-2.0
// Attention of mixed precision and its gradients against doubles.
#include <gtest/gtest.h>

#include <array>
#include <cmath>

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

struct Heads {
  int64_t batch, heads, kv_heads, tokens, dim;
};
constexpr int64_t kTokens[] = {1, 2, 63, 64, 65, 127, 129, 130, 257};
constexpr int64_t kDims[] = {16, 32, 48, 64, 80, 96, 112, 128};
constexpr std::array<float, 3> kScales = {1.5f, 0.75f, 3.0f};  // what dq, dk, dv are times, over that of dq
constexpr int64_t kPadding = 8;                                // of rows, which nothing may write to

// Rows of q, k and v side by side, q and k as rotated, and what else attention takes.
struct Problem {
  Heads n;
  int64_t half, width, stride;
  float scale;
  Halves rows, d_out;
  Floats cos, sin, q_scale;

  explicit Problem(const Heads& n_)
      : n(n_), half(n.dim / 2), width((n.heads + 2 * n.kv_heads) * n.dim), stride(width + kPadding) {
    Random random(static_cast<unsigned>(n.tokens * 1000 + n.dim));
    scale = 1.0f / std::sqrt(static_cast<float>(n.dim));
    rows = normal_halves(n.batch * n.tokens * stride, random);
    d_out = normal_halves(n.batch * n.tokens * n.heads * n.dim, random);
    for (int64_t i = 0; i < n.tokens * half; ++i) {
      const double exponent = -2.0 * static_cast<double>(i % half) / static_cast<double>(n.dim);
      const double angle = static_cast<double>(i / half) * std::pow(10000.0, exponent);
      cos.push_back(static_cast<float>(std::cos(angle)));
      sin.push_back(static_cast<float>(std::sin(angle)));
    }
    for (int64_t i = 0; i < n.batch * n.tokens; ++i) q_scale.push_back(1.0f + static_cast<float>(random() % 200));
  }

  int64_t key_column() const { return n.heads * n.dim; }
  int64_t value_column() const { return (n.heads + n.kv_heads) * n.dim; }

  // Where the first element of a head of a token is.
  size_t at(int64_t entry, int64_t token, int64_t head) const {
    return static_cast<size_t>((entry * n.tokens + token) * stride + head * n.dim);
  }
  size_t out_at(int64_t entry, int64_t token, int64_t head) const {
    return static_cast<size_t>(((entry * n.tokens + token) * n.heads + head) * n.dim);
  }
};

// What the device made of a problem.
struct Results {
  Halves out, gradients;
  Floats lse;
};

// Expected numbers, and how far results may be off.
struct Expected {
  Doubles values, tolerances;

  explicit Expected(size_t count) : values(count), tolerances(count) {}
  void add(size_t at, double value, double tolerance) {
    values[at] += value;
    tolerances[at] += tolerance;
  }
};

class MixedAttention : public testing::MixedTest {
 protected:
  static Results attend(const Problem& p) {
    const Heads& n = p.n;
    const OnDevice<bf16> rows(p.rows), d_out(p.d_out), out(static_cast<int64_t>(p.d_out.size())),
        gradients(static_cast<int64_t>(p.rows.size()));
    const OnDevice<float> cos(p.cos), sin(p.sin), q_scale(p.q_scale), lse(n.batch * n.heads * n.tokens);
    const OnDevice<float> scales(Floats(kScales.begin(), kScales.end()));
    bf16 *const k = rows.data() + p.key_column(), *const v = rows.data() + p.value_column();
    run(&MixedKernels::attention, {n.batch, n.heads, n.kv_heads, n.tokens, n.dim, rows.data(), k, v, p.stride, p.stride,
                                   p.stride, p.scale, out.data(), lse.data()});
    run(&MixedKernels::attention_backward, {n.batch,
                                            n.heads,
                                            n.kv_heads,
                                            n.tokens,
                                            n.dim,
                                            rows.data(),
                                            k,
                                            v,
                                            p.stride,
                                            p.stride,
                                            p.stride,
                                            cos.data(),
                                            sin.data(),
                                            p.scale,
                                            out.data(),
                                            d_out.data(),
                                            lse.data(),
                                            gradients.data(),
                                            gradients.data() + p.key_column(),
                                            gradients.data() + p.value_column(),
                                            p.stride,
                                            q_scale.data(),
                                            {scales.data() + 1, scales.data()},
                                            {scales.data() + 2, scales.data()}});
    EXPECT_TRUE(same_bytes(rows.values(), p.rows));
    return {out.values(), gradients.values(), lse.values()};
  }

  // Judges what a query sees. Scores are sums of `dim` products in f32, of at most `largest` together; weights of them
  // are powers of 2 that hardware makes of them, within two units in the last place, and lose what the lse loses.
  static void judge(const Problem& p, const Results& got) {
    const Heads& n = p.n;
    Expected out(got.out.size()), lse(got.lse.size()), turned(p.rows.size());
    const auto x = [&](size_t at, int64_t i) { return number(p.rows[at + static_cast<size_t>(i)]); };
    for (int64_t entry = 0; entry < n.batch; ++entry) {
      for (int64_t head = 0; head < n.heads; ++head) {
        const int64_t key_head = n.heads + head / (n.heads / n.kv_heads), value_head = key_head + n.kv_heads;
        for (int64_t token = 0; token < n.tokens; ++token) {
          const size_t query = p.at(entry, token, head), out_at = p.out_at(entry, token, head);
          const auto of_d_out = [&](int64_t i) { return number(p.d_out[out_at + static_cast<size_t>(i)]); };
          const auto of_out = [&](int64_t i) { return number(got.out[out_at + static_cast<size_t>(i)]); };
          Doubles weights;
          double most = -INFINITY, largest = 0;
          for (int64_t key = 0; key <= token; ++key) {
            const size_t key_at = p.at(entry, key, key_head);
            double score = 0, size = 0;
            for (int64_t i = 0; i < n.dim; ++i) {
              score += x(query, i) * x(key_at, i) * p.scale;
              size += std::fabs(x(query, i) * x(key_at, i) * p.scale);
            }
            weights.push_back(score);
            most = std::max(most, score);
            largest = std::max(largest, size);
          }
          double sum = 0;
          for (const double score : weights) sum += std::exp(score - most);
          const double of_lse = most + std::log(sum);
          const auto lse_at = static_cast<size_t>((entry * n.heads + head) * n.tokens + token);
          const double error = kF32Rounding * (static_cast<double>(n.dim + 8) * largest + 8 * std::fabs(of_lse) + 16);
          lse.add(lse_at, of_lse, error);
          double delta = 0, delta_size = 0;
          for (int64_t i = 0; i < n.dim; ++i) {
            delta += of_d_out(i) * of_out(i);
            delta_size += std::fabs(of_d_out(i) * of_out(i));
          }
          for (int64_t key = 0; key <= token; ++key) {
            const size_t key_at = p.at(entry, key, key_head), value_at = p.at(entry, key, value_head);
            const double weight = std::exp(weights[static_cast<size_t>(key)] - of_lse);
            const double share = kBf16Rounding + 2 * error;  // that a weight, rounded for its products, is off
            double gradient = -delta, size = delta_size;
            for (int64_t i = 0; i < n.dim; ++i) {
              const double d = of_d_out(i), value = x(value_at, i);
              out.add(out_at + static_cast<size_t>(i), weight * value, weight * std::fabs(value) * share);
              turned.add(value_at + static_cast<size_t>(i), weight * d, weight * std::fabs(d) * share);
              gradient += d * value;
              size += std::fabs(d * value);
            }
            gradient *= weight * p.scale;
            const double off =
                std::fabs(gradient) * share + weight * size * p.scale * kF32Rounding * static_cast<double>(n.dim + 8);
            for (int64_t i = 0; i < n.dim; ++i) {
              const auto c = static_cast<size_t>(i);
              turned.add(query + c, gradient * x(key_at, i), off * std::fabs(x(key_at, i)));
              turned.add(key_at + c, gradient * x(query, i), off * std::fabs(x(query, i)));
            }
          }
        }
      }
    }
    const auto rounded = [](const Expected& of) {
      return [&of](size_t i) { return of.tolerances[i] + kBf16Rounding * std::fabs(of.values[i]); };
    };
    expect_near(got.out, out.values, rounded(out));
    expect_near(got.lse, lse.values, [&](size_t i) { return lse.tolerances[i]; });
    const Expected gradients = before_rotation(p, turned);
    expect_near(got.gradients, gradients.values, rounded(gradients));
  }

  // Gradients of the rotated heads of q and k become those of the rows, and all are multiplied by their factors.
  // Paddings are as they were.
  static Expected before_rotation(const Problem& p, const Expected& turned) {
    const Heads& n = p.n;
    Expected gradients(turned.values.size());
    std::fill(gradients.values.begin(), gradients.values.end(), std::nan(""));
    for (int64_t row = 0; row < n.batch * n.tokens; ++row) {
      for (int64_t column = 0; column < p.width; ++column) {
        const int64_t head = column / n.dim, i = column % p.half;
        const auto at = static_cast<size_t>(row * p.stride + column);
        const size_t kind = head < n.heads ? 0 : head < n.heads + n.kv_heads ? 1 : 2;
        const double factor = number(kScales[kind]) / number(kScales[0]) / number(p.q_scale[static_cast<size_t>(row)]);
        double value = turned.values[at], tolerance = turned.tolerances[at];
        if (kind < 2) {
          const auto turn = static_cast<size_t>(row % n.tokens * p.half + i);
          const double cos = number(p.cos[turn]), sin = number(p.sin[turn]);
          const bool low = column % n.dim < p.half;
          const size_t other = low ? at + static_cast<size_t>(p.half) : at - static_cast<size_t>(p.half);
          value = value * cos + turned.values[other] * (low ? sin : -sin);
          tolerance = tolerance * std::fabs(cos) + turned.tolerances[other] * std::fabs(sin);
        }
        gradients.values[at] = value * factor;
        gradients.tolerances[at] = tolerance * factor + 1e-12;
      }
    }
    return gradients;
  }

  static void judge_all(const Heads& n) {
    SCOPED_TRACE(::testing::Message() << n.batch << " x " << n.tokens << " tokens, " << n.heads << "/" << n.kv_heads
                                      << " heads of " << n.dim);
    const Problem problem(n);
    const Results results = attend(problem), again = attend(problem);
    judge(problem, results);
    EXPECT_TRUE(same_bytes(again.out, results.out));
    EXPECT_TRUE(same_bytes(again.gradients, results.gradients));
  }
};

TEST_F(MixedAttention, IsNearDoubles) {
  for (const int64_t tokens : kTokens) {
    for (const int64_t dim : kDims) judge_all({2, 4, 2, tokens, dim});
  }
}

TEST_F(MixedAttention, TakesAnyGroups) {
  judge_all({0, 2, 1, 5, 64});
  judge_all({3, 1, 1, 70, 64});
  judge_all({1, 3, 3, 131, 64});
  judge_all({1, 8, 1, 193, 64});
  judge_all({3, 6, 2, 129, 128});
  judge_all({1, 2, 1, 600, 64});
}

// More heads than the first sections of a schedule have, and more work than one round of all multiprocessors.
TEST_F(MixedAttention, TakesManyHeads) {
  judge_all({65, 12, 4, 130, 64});
  judge_all({8, 16, 4, 130, 128});
}

// About as many key heads as an H200 has multiprocessors, which take all of one at a time.
TEST_F(MixedAttention, TakesWholeHeads) {
  judge_all({130, 1, 1, 1, 64});
  judge_all({120, 1, 1, 64, 64});
  judge_all({32, 8, 4, 65, 48});
  judge_all({60, 4, 2, 127, 16});
  judge_all({12, 20, 10, 193, 32});
  judge_all({30, 4, 4, 257, 64});
  judge_all({41, 12, 3, 140, 64});
  judge_all({120, 1, 1, 449, 64});
}

}  // namespace
}  // namespace tern
