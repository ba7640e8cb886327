// SPDX-License-Identifier: Apache-2.0
// The tiles of the instruction sets with a dot product of bytes, on a dot product in plain C++, for registers of 16, 32
// and 64 bytes: machines without these instructions judge the rest of them.
#include <gtest/gtest.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <algorithm>
#include <cstddef>
#include <random>
#include <type_traits>
#include <vector>

#include "device/kernels.h"
#include "support/reference_matmul.h"

namespace tern {
namespace {

// Each uses those above it.
// clang-format off
#include "devices/cpu/isa/scalar_vector.inl"
#include "devices/cpu/generic/coded_kernels.inl"
#include "devices/cpu/generic/ternary_layout.inl"
#include "devices/cpu/generic/ternary_matmul.inl"
#include "devices/cpu/generic/dot_vectors.inl"
#include "devices/cpu/generic/ternary_dot_tile.inl"
#include "devices/cpu/generic/coded_dot_tile.inl"
// clang-format on

template <int kBytes, int kRows, int kAtOnce>
struct PlainDot {
  typedef int32_t Int32 __attribute__((vector_size(kBytes)));
  typedef uint16_t Words __attribute__((vector_size(kBytes)));
  typedef int8_t Bytes __attribute__((vector_size(kBytes)));
  static constexpr int kMaxRows = kRows;
  static constexpr int kFewRows = kRows - 2;
  static constexpr int kTilesAtOnce = kAtOnce;

  static void add(Int32& sum, const Words& u, const Int32& q) {
    uint8_t weights[kBytes];
    int8_t activations[kBytes];
    int32_t lanes[kBytes / 4];
    memcpy(weights, &u, kBytes);
    memcpy(activations, &q, kBytes);
    memcpy(lanes, &sum, kBytes);
    for (int i = 0; i < kBytes; ++i) {
      EXPECT_LT(weights[i], 128);
      lanes[i / 4] += weights[i] * activations[i];
    }
    memcpy(&sum, lanes, kBytes);
  }
  static void add_quads(Int32& sum, const Words* u, const int8_t* q) {
    for (int quad = 0; quad < 4; ++quad, q += 4) {
      int8_t lanes[kBytes];
      for (int i = 0; i < kBytes; ++i) lanes[i] = q[i % 4];
      Int32 x;
      memcpy(&x, lanes, kBytes);
      add(sum, u[quad], x);
    }
  }
};

template <class Dot>
class DotTiles : public ::testing::Test {};
using Dots = ::testing::Types<PlainDot<16, 6, 1>, PlainDot<32, 6, 2>, PlainDot<64, 4, 3>>;
TYPED_TEST_SUITE(DotTiles, Dots);

struct alignas(64) Line {
  std::byte bytes[64];
};

template <class Dot>
void expect_exact(TernaryLayout layout, int64_t rows, int64_t n, int64_t k, bool extreme) {
  SCOPED_TRACE(::testing::Message() << rows << " x " << n << " x " << k << ", layout " << static_cast<int>(layout));
  std::mt19937 random(static_cast<uint32_t>(rows * 31 + n * 7 + k));
  const int64_t stride = quantized_stride(k);
  std::vector<int8_t> codes(static_cast<size_t>(n * k)), q(static_cast<size_t>(rows * stride));
  for (int8_t& code : codes) code = extreme ? int8_t{1} : static_cast<int8_t>(static_cast<int>(random() % 3) - 1);
  std::vector<int32_t> sums;
  for (int64_t r = 0; r < rows; ++r) {
    sums.push_back(0);
    for (int64_t i = 0; i < k; ++i) {
      const int value = extreme ? -128 : static_cast<int>(random() % 256) - 128;
      q[static_cast<size_t>(r * stride + i)] = static_cast<int8_t>(value);
      sums.back() += value;
    }
  }
  std::vector<Line> scratch(kScratchBytes / sizeof(Line));
  const Exec exec = {scratch.data(), 1,
                     [](void*, int64_t count, int64_t, Exec::Body body, void* arg) noexcept { body(arg, 0, 0, count); },
                     [](void* backend, int) noexcept { return static_cast<std::byte*>(backend); }};
  constexpr TernaryKernels kKernels = ternary_kernels<TernaryDotTile<Dot>>();
  std::vector<uint8_t> packed(kKernels.ternary_packed_bytes(layout, n, k));
  kKernels.ternary_pack(exec, {layout, n, k, 0, n, codes.data(), packed.data()});
  std::vector<int32_t> acc(static_cast<size_t>(rows * n), -7);
  const std::vector<float> scales(static_cast<size_t>(rows), 1.0f);
  kKernels.ternary_matmul(exec, {rows,
                                 k,
                                 stride,
                                 q.data(),
                                 scales.data(),
                                 sums.data(),
                                 1,
                                 {{layout, packed.data(), n, 1.0f, nullptr, acc.data()}}});
  const std::vector<int64_t> expected = reference::ternary_matmul(q, stride, codes, rows, n, k);
  ASSERT_TRUE(std::equal(acc.begin(), acc.end(), expected.begin(), expected.end()));
}

TYPED_TEST(DotTiles, IsExact) {
  for (const bool extreme : {false, true}) {
    for (const int64_t rows : {1, 2, 6, 7, 13}) {
      for (const int64_t n : {1, 16, 33}) {
        for (const int64_t k : {1, 16, 20, 21, 48, 65, 1100}) {
          expect_exact<TypeParam>(TernaryLayout::two_bit, rows, n, k, extreme);
          expect_exact<TypeParam>(TernaryLayout::base3, rows, n, k, extreme);
        }
      }
    }
  }
}

// More tiles than the scaled sums may run over.
TYPED_TEST(DotTiles, VeryLongRowsAreExact) {
  expect_exact<TypeParam>(TernaryLayout::two_bit, 1, 1, (int64_t{1} << 21) + 17, true);
}

// One block of 16 rows of codes of kBits bits, by two planes of activations.
template <class Dot, int kBits>
void expect_coded_exact() {
  SCOPED_TRACE(kBits);
  using Tile = CodedDotTile<V, Dot>;
  EXPECT_TRUE(complete(coded_kernels<V, Tile>()));
  std::mt19937 random(kBits);
  for (const bool extreme : {false, true}) {
    uint8_t packed[coded_block_bytes(kBits)];
    int8_t q[2 * kCodedBlock];
    for (int8_t& value : q)
      value = extreme ? int8_t{-127} : static_cast<int8_t>(static_cast<int>(random() % 255) - 127);
    int32_t expected[2][kCodedRows] = {};
    for (int64_t row = 0; row < kCodedRows; ++row) {
      int8_t codes[kCodedBlock];
      for (int64_t i = 0; i < kCodedBlock; ++i) {
        const int u = extreme ? (1 << kBits) - 1 : static_cast<int>(random() % (1u << kBits));
        codes[i] = static_cast<int8_t>(u - (1 << (kBits - 1)));
        for (int64_t p = 0; p < 2; ++p) expected[p][row] += u * q[p * kCodedBlock + i];
      }
      pack_coded_block<kBits>(codes, packed + row * 4);
    }
    V::I sums[2];
    Tile::template dot<kBits, 2>(packed, q, kCodedBlock, sums);
    EXPECT_EQ(memcmp(sums, expected, sizeof expected), 0);
    Tile::template dot<kBits, 1>(packed, q, kCodedBlock, sums);
    EXPECT_EQ(memcmp(sums, expected, sizeof expected[0]), 0);
  }
}

TYPED_TEST(DotTiles, CodedBlocksAreExact) {
  expect_coded_exact<TypeParam, 4>();
  expect_coded_exact<TypeParam, 6>();
  expect_coded_exact<TypeParam, 8>();
}

}  // namespace
}  // namespace tern
