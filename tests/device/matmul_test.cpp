// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "support/cpus.h"
#include "support/reference_matmul.h"
#include "tern/dtype.h"

namespace tern {
namespace {

using testing::cpus;
using testing::run_kernel;
using testing::same_bits;

using Floats = std::vector<float>;

Floats random_floats(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Floats x(static_cast<size_t>(count));
  for (float& value : x) value = normal(random);
  return x;
}

// k roundings of a chain, each of at most eps times a partial sum of magnitudes.
double rounding_bound(const reference::Dot& dot, int64_t k) {
  return static_cast<double>(k + 1) * 0x1p-24 * dot.magnitude + static_cast<double>(k) * 0x1p-149;
}

// Shape, and how a and b lie in memory.
struct Problem {
  int64_t batch, m, n, k;
  bool a_transposed = false, b_transposed = false, accumulate = false;
  int64_t c_gap = 0;

  std::string name() const {
    return std::to_string(batch) + " x " + std::to_string(m) + " x " + std::to_string(n) + " x " + std::to_string(k) +
           (a_transposed ? " aT" : "") + (b_transposed ? " bT" : "") + (accumulate ? " +=" : "");
  }
  MatrixInput a(const Floats& x) const {
    return {x.data(), DType::f32, m * k, a_transposed ? 1 : k, a_transposed ? m : 1};
  }
  MatrixInput b(const Floats& x) const {
    return {x.data(), DType::f32, k * n, b_transposed ? 1 : n, b_transposed ? k : 1};
  }
  int64_t c_row() const { return n + c_gap; }
};

Floats run(const Device& device, const Problem& p, const Floats& a, const Floats& b, Floats c) {
  run_kernel(device, &Kernels::matmul,
             {p.batch, p.m, p.n, p.k, p.a(a), p.b(b), c.data(), p.m * p.c_row(), p.c_row(), p.accumulate});
  return c;
}

// The promised order, with std::fma.
Floats chains(const Problem& p, const Floats& a, const Floats& b, Floats c) {
  const MatrixInput x = p.a(a), y = p.b(b);
  for (int64_t batch = 0; batch < p.batch; ++batch) {
    for (int64_t i = 0; i < p.m; ++i) {
      for (int64_t j = 0; j < p.n; ++j) {
        float& to = c[static_cast<size_t>((batch * p.m + i) * p.c_row() + j)];
        to = reference::chain(a.data() + batch * x.batch_stride + i * x.row_stride, x.col_stride,
                              b.data() + batch * y.batch_stride + j * y.col_stride, y.row_stride, p.k,
                              p.accumulate ? to : 0.0f);
      }
    }
  }
  return c;
}

void expect_chains(const Problem& p, const std::vector<Device>& devices, const Floats& a, const Floats& b) {
  SCOPED_TRACE(p.name());
  const Floats c = random_floats(p.batch * p.m * p.c_row(), 3);
  const Floats expected = chains(p, a, b, c);
  for (const Device& device : devices) {
    SCOPED_TRACE(device.description());
    ASSERT_TRUE(same_bits(run(device, p, a, b, c), expected));
  }
}

void expect_chains(const Problem& p, const std::vector<Device>& devices) {
  expect_chains(p, devices, random_floats(p.batch * p.m * p.k, 1), random_floats(p.batch * p.k * p.n, 2));
}

TEST(Matmul, EveryTileEdge) {
  const std::vector<Device> devices = cpus();
  for (int64_t m : {1, 2, 5, 6, 7, 11, 12, 13, 25}) {
    for (int64_t n : {1, 15, 16, 17, 31, 32, 33, 65}) {
      for (int64_t k : {0, 1, 2, 17}) expect_chains({1, m, n, k}, devices);
    }
  }
}

TEST(Matmul, BlocksTransposesAndAccumulation) {
  const std::vector<Device> devices = cpus();
  for (bool a_transposed : {false, true}) {
    for (bool b_transposed : {false, true}) {
      for (bool accumulate : {false, true}) {
        expect_chains({1, 67, 41, 255, a_transposed, b_transposed, accumulate, 0}, devices);
        expect_chains({1, 19, 127, 256, a_transposed, b_transposed, accumulate, 5}, devices);
        expect_chains({3, 7, 63, 257, a_transposed, b_transposed, accumulate, 1}, devices);
      }
    }
  }
  expect_chains({1, 131, 523, 64}, devices);
  expect_chains({1, 1009, 17, 33}, devices);
  expect_chains({41, 8, 16, 24, false, true}, devices);
  expect_chains({1, 1, 600, 640}, devices);
}

// One more and one fewer than the sizes at which products are read in place, copied by blocks and split among threads.
TEST(Matmul, BlockEdges) {
  const std::vector<Device> devices = cpus();
  for (int64_t k : {255, 256, 257, 513}) {
    for (int64_t n : {511, 512, 513}) {
      const bool odd = k % 2 != 0;
      expect_chains({1, 25, n, k, odd, false, !odd, n % 2}, devices);
    }
    expect_chains({1, 25, 97, k, k != 256, true, false, 3}, devices);
    expect_chains({1, 29, 256, k, k == 257}, devices);
  }
  for (int64_t m : {1, 2, 4, 5, 8, 9, 12, 13, 24}) expect_chains({1, m, 289, 257, m == 9, false, m == 4}, devices);
  expect_chains({1, 2, 4095, 33}, devices);
  for (int64_t extent : {127, 128, 129}) {
    expect_chains({1, extent, 128, 130}, devices);
    expect_chains({1, 40, extent * 8, 66, true, true}, devices);
  }
  expect_chains({1, 1023, 36, 65, false, true, true}, devices);
  expect_chains({1, 3, 5, 0, true, true}, devices);
}

// Enough work for several threads, and nothing to split.
TEST(Matmul, LongSumsOfOneTile) {
  expect_chains({1, 1, 1, 600'000}, cpus());
  expect_chains({1, 3, 5, 70'000}, cpus());
  expect_chains({1, 5, 3, 70'000, true, true}, cpus());
}

TEST(Matmul, Empty) {
  for (const Device& device : cpus()) {
    SCOPED_TRACE(device.description());
    EXPECT_TRUE(run(device, {0, 3, 3, 3}, {}, {}, {}).empty());
    EXPECT_TRUE(run(device, {1, 0, 3, 3}, {}, random_floats(9, 1), {}).empty());
    EXPECT_EQ(run(device, {1, 2, 2, 0}, {}, {}, Floats(4, 9.0f)), Floats(4, 0.0f));
    EXPECT_EQ(run(device, {1, 2, 2, 0, false, false, true}, {}, {}, Floats(4, 9.0f)), Floats(4, 9.0f));
  }
}

TEST(Matmul, WithinTheBoundOfDouble) {
  const Problem p{1, 37, 45, 613};
  const Floats a = random_floats(p.m * p.k, 4), b = random_floats(p.k * p.n, 5);
  for (const Device& device : cpus()) {
    const Floats c = run(device, p, a, b, Floats(static_cast<size_t>(p.m * p.n)));
    for (int64_t i = 0; i < p.m; ++i) {
      for (int64_t j = 0; j < p.n; ++j) {
        const auto dot = reference::dot(a.data() + i * p.k, 1, b.data() + j, p.n, p.k);
        ASSERT_NEAR(static_cast<double>(c[static_cast<size_t>(i * p.n + j)]), dot.value, rounding_bound(dot, p.k));
      }
    }
  }
}

// Padding of tiles must not touch real elements: NaN and infinity appear exactly where the definition has them.
TEST(Matmul, SpecialValues) {
  const std::vector<Device> devices = cpus();
  constexpr float kInf = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();
  const Problem p{1, 9, 35, 21};
  for (float special : {kInf, -kInf, kNan, 1e-42f, -0.0f, 3e38f}) {
    Floats a = random_floats(p.m * p.k, 6), b = random_floats(p.k * p.n, 7);
    a[static_cast<size_t>(4 * p.k + 20)] = special;
    b[static_cast<size_t>(3 * p.n + 34)] = special;
    b[static_cast<size_t>(20 * p.n)] = special;
    expect_chains(p, devices, a, b);
  }
  expect_chains(p, devices, Floats(static_cast<size_t>(p.m * p.k), -0.0f),
                Floats(static_cast<size_t>(p.k * p.n), 1.0f));
}

TEST(Matmul, CodesCountAsFloats) {
  const Problem p{1, 23, 39, 65};
  std::mt19937 random(8);
  std::vector<int8_t> codes(static_cast<size_t>(p.n * p.k));
  for (int8_t& code : codes) code = static_cast<int8_t>(static_cast<int>(random() % 256) - 128);
  const Floats b(codes.begin(), codes.end()), a = random_floats(p.m * p.k, 9);
  const Floats zeros(static_cast<size_t>(p.m * p.n));
  for (const Device& device : cpus()) {
    SCOPED_TRACE(device.description());
    for (bool transposed : {false, true}) {
      Problem q = p;
      q.b_transposed = transposed;
      MatrixInput input = q.b(b);
      input.data = codes.data();
      input.dtype = DType::i8;
      Floats c = zeros;
      run_kernel(device, &Kernels::matmul, {1, p.m, p.n, p.k, q.a(a), input, c.data(), 0, p.n, false});
      EXPECT_TRUE(same_bits(c, chains(q, a, b, zeros)));
    }
  }
}

// Every third row and second column of a larger matrix, one b for all of the batch.
TEST(Matmul, AnyStrides) {
  const int64_t batch = 2, m = 8, n = 18, k = 5;
  const Floats a = random_floats(batch * 3 * m * 2 * k, 10), b = random_floats(k * n, 11);
  const MatrixInput x{a.data(), DType::f32, 3 * m * 2 * k, 3 * 2 * k, 2}, y{b.data(), DType::f32, 0, n, 1};
  Floats expected;
  for (int64_t row = 0; row < batch * m; ++row) {
    for (int64_t j = 0; j < n; ++j)
      expected.push_back(reference::chain(a.data() + row * 6 * k, 2, b.data() + j, n, k, 0.0f));
  }
  for (const Device& device : cpus()) {
    Floats c(static_cast<size_t>(batch * m * n));
    run_kernel(device, &Kernels::matmul, {batch, m, n, k, x, y, c.data(), m * n, n, false});
    EXPECT_TRUE(same_bits(c, expected)) << device.description();
  }
}

// ---------------------------------------------------------------- linear

// w as stored, and as the values it stands for.
struct Weights {
  DType dtype;
  std::vector<uint16_t> half;
  Floats values;

  const void* data() const { return dtype == DType::f32 ? static_cast<const void*>(values.data()) : half.data(); }
};

Weights make_weights(DType dtype, int64_t count) {
  Weights w{dtype, {}, random_floats(count, 12)};
  for (float& value : w.values) {
    if (dtype == DType::bf16) {
      const bf16 narrow(value);
      w.half.push_back(narrow.bits);
      value = static_cast<float>(narrow);
    } else if (dtype == DType::f16) {
      const f16 narrow(value);
      w.half.push_back(narrow.bits);
      value = static_cast<float>(narrow);
    }
  }
  return w;
}

Floats run_linear(const Device& device, int64_t rows, int64_t n, int64_t k, const float* x, const Weights& w) {
  Floats y(static_cast<size_t>(rows * n), -7.0f);
  run_kernel(device, &Kernels::linear, {rows, n, k, x, w.data(), w.dtype, y.data()});
  return y;
}

void expect_lanes(int64_t rows, int64_t n, int64_t k, DType dtype, const std::vector<Device>& devices) {
  SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(n) + " x " + std::to_string(k));
  const Weights w = make_weights(dtype, n * k);
  const Floats x = random_floats(rows * k, 13);
  Floats expected;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < n; ++j) {
      const float* const a = x.data() + r * k;
      const float* const b = w.values.data() + j * k;
      expected.push_back(reference::lanes(a, b, k));
      const auto dot = reference::dot(a, 1, b, 1, k);
      ASSERT_NEAR(static_cast<double>(expected.back()), dot.value, rounding_bound(dot, k + 4));
    }
  }
  for (const Device& device : devices) {
    SCOPED_TRACE(device.description());
    ASSERT_TRUE(same_bits(run_linear(device, rows, n, k, x.data(), w), expected));
  }
}

TEST(Linear, LanesOrderInEveryType) {
  const std::vector<Device> devices = cpus();
  for (DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    SCOPED_TRACE(std::string(name_of(dtype)));
    for (int64_t rows : {1, 2, 3, 5, 9}) {
      for (int64_t n : {1, 3, 4, 8, 17}) {
        for (int64_t k : {0, 1, 15, 16, 17, 63, 127}) expect_lanes(rows, n, k, dtype, devices);
      }
    }
    expect_lanes(1, 1021, 640, dtype, devices);
    expect_lanes(37, 131, 257, dtype, devices);
  }
}

TEST(Linear, ARowDoesNotDependOnTheOthers) {
  constexpr int64_t kRows = 11, kN = 67, kK = 321;
  const Weights w = make_weights(DType::bf16, kN * kK);
  const Floats x = random_floats(kRows * kK, 14);
  for (const Device& device : cpus()) {
    const Floats all = run_linear(device, kRows, kN, kK, x.data(), w);
    for (int64_t r = 0; r < kRows; ++r) {
      const Floats one = run_linear(device, 1, kN, kK, x.data() + r * kK, w);
      ASSERT_TRUE(same_bits(one, Floats(all.begin() + r * kN, all.begin() + (r + 1) * kN))) << device.description();
    }
  }
}

TEST(Linear, SpecialValues) {
  constexpr int64_t kK = 37;
  const Weights w = make_weights(DType::f32, 5 * kK);
  for (float special :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 1e-42f, -0.0f}) {
    Floats x = random_floats(2 * kK, 15);
    x[kK - 1] = special;
    Floats expected;
    for (int64_t r = 0; r < 2; ++r) {
      for (int64_t j = 0; j < 5; ++j)
        expected.push_back(reference::lanes(x.data() + r * kK, w.values.data() + j * kK, kK));
    }
    for (const Device& device : cpus()) {
      EXPECT_TRUE(same_bits(run_linear(device, 2, 5, kK, x.data(), w), expected)) << device.description();
    }
  }
}

}  // namespace
}  // namespace tern
