// SPDX-License-Identifier: Apache-2.0
// f32 products of any views against the promised order: every element one chain of fma over ascending k, bit for bit,
// whatever tiles and copies a device makes of them.
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "support/reference_matmul.h"
#include "support/test_device.h"
#include "tern/ops.h"

namespace tern {
namespace {

using Floats = std::vector<float>;

Floats random_floats(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Floats x(static_cast<size_t>(count));
  for (float& value : x) value = normal(random);
  return x;
}

// How a matrix lies in memory: as it is, transposed, behind an element more in each row, or every second column.
enum class Lay { plain, transposed, shifted, spread };

std::string name_of(Lay lay) {
  switch (lay) {
    case Lay::transposed:
      return "transposed";
    case Lay::shifted:
      return "shifted";
    case Lay::spread:
      return "spread";
    default:
      return "plain";
  }
}

// A view [batch, rows, cols] that lies so, with these elements.
Tensor laid(const Floats& elements, int64_t batch, int64_t rows, int64_t cols, Lay lay, const Device& device) {
  const Tensor plain = Tensor::from(elements, {batch, rows, cols}, device);
  if (lay == Lay::plain) return plain;
  if (lay == Lay::transposed) return transpose(contiguous(transpose(plain)));
  const int64_t step = lay == Lay::spread ? 2 : 1, first = lay == Lay::shifted ? 1 : 0;
  const Tensor around = Tensor::full({batch, rows, first + step * cols}, 7.0, DType::f32, device);
  const Tensor view = slice(around, -1, first, first + step * cols, step);
  assign(view, plain);
  return view;
}

void expect_chains(int64_t batch, int64_t m, int64_t n, int64_t k, Lay a_lay, Lay b_lay) {
  SCOPED_TRACE(std::to_string(batch) + " x " + std::to_string(m) + " x " + std::to_string(n) + " x " +
               std::to_string(k) + ", " + name_of(a_lay) + " by " + name_of(b_lay));
  const Device device = testing::test_device(2);
  const Floats a = random_floats(batch * m * k, 1), b = random_floats(batch * k * n, 2);
  const Floats c = matmul(laid(a, batch, m, k, a_lay, device), laid(b, batch, k, n, b_lay, device)).to_vector<float>();
  for (int64_t i = 0; i < batch; ++i) {
    for (int64_t row = 0; row < m; ++row) {
      for (int64_t column = 0; column < n; ++column) {
        const float want = reference::chain(a.data() + (i * m + row) * k, 1, b.data() + i * k * n + column, n, k, 0.0f);
        const float got = c[static_cast<size_t>((i * m + row) * n + column)];
        ASSERT_EQ(std::memcmp(&got, &want, sizeof(got)), 0) << row << ", " << column << ": " << got << " for " << want;
      }
    }
  }
}

TEST(Matmul, IsAChainAtEveryEdgeOfATile) {
  for (const int64_t k : {0, 1, 3, 4, 15, 16, 31, 33, 100}) {
    for (const auto& [m, n] : std::vector<std::pair<int64_t, int64_t>>{
             {1, 1}, {7, 9}, {8, 16}, {16, 15}, {17, 33}, {33, 31}, {64, 32}, {65, 63}, {127, 65}, {129, 130}}) {
      expect_chains(1, m, n, k, Lay::plain, Lay::plain);
      expect_chains(1, m, n, k, Lay::plain, Lay::transposed);
    }
  }
}

TEST(Matmul, IsAChainOfAnyView) {
  constexpr Lay kLays[] = {Lay::plain, Lay::transposed, Lay::shifted, Lay::spread};
  for (const Lay a : kLays) {
    for (const Lay b : kLays) {
      expect_chains(1, 37, 44, 52, a, b);
      expect_chains(3, 20, 130, 19, a, b);
    }
  }
}

TEST(Matmul, IsAChainOfEveryWidth) {
  for (int64_t n = 1; n <= 49; ++n) expect_chains(1, 13, n, 21, Lay::plain, Lay::plain);
}

// Blocks of rows of b, of which sums go on in c.
TEST(Matmul, IsAChainOverBlocks) {
  for (const int64_t k : {255, 257, 511, 512, 513, 1100}) {
    expect_chains(1, 30, 300, k, Lay::plain, Lay::plain);
    expect_chains(1, 27, 263, k, Lay::transposed, Lay::plain);
  }
}

// Of every size that has a kind of tile to itself.
TEST(Matmul, IsAChainOfManyTiles) {
  expect_chains(1, 300, 260, 40, Lay::plain, Lay::transposed);
  expect_chains(2, 520, 516, 36, Lay::plain, Lay::plain);
  expect_chains(1, 1030, 1030, 20, Lay::transposed, Lay::plain);
  expect_chains(1, 1801, 40, 20, Lay::plain, Lay::transposed);
  expect_chains(200, 20, 12, 17, Lay::plain, Lay::plain);
}

}  // namespace
}  // namespace tern
