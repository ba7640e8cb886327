// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "support/cpus.h"
#include "support/reference_matmul.h"

namespace tern {
namespace {

using testing::cpus;
using testing::run_kernel;

enum class Codes { random, zero, plus, minus };
enum class Activations { random, extreme, lowest };

struct Problem {
  int64_t rows, n, k;
  Codes codes_kind = Codes::random;
  Activations q_kind = Activations::random;
  int64_t q_stride = 0;
  std::vector<int8_t> codes, q;
  std::vector<float> q_scale;
  std::vector<int32_t> sums;
  float weight_scale = 0.37f;

  std::string name() const {
    return "rows " + std::to_string(rows) + ", n " + std::to_string(n) + ", k " + std::to_string(k) + ", codes " +
           std::to_string(static_cast<int>(codes_kind)) + ", activations " + std::to_string(static_cast<int>(q_kind));
  }
};

std::vector<int8_t> make_codes(Codes kind, int64_t count, std::mt19937& random) {
  std::vector<int8_t> codes(static_cast<size_t>(count));
  for (int8_t& code : codes) {
    code = kind == Codes::random ? static_cast<int8_t>(static_cast<int>(random() % 3) - 1)
                                 : static_cast<int8_t>(kind == Codes::plus    ? 1
                                                       : kind == Codes::minus ? -1
                                                                              : 0);
  }
  return codes;
}

int8_t make_activation(Activations kind, std::mt19937& random) {
  if (kind == Activations::lowest) return -128;
  if (kind == Activations::extreme) return random() % 2 ? 127 : -128;
  return static_cast<int8_t>(static_cast<int>(random() % 256) - 128);
}

Problem make(int64_t rows, int64_t n, int64_t k, Codes codes_kind = Codes::random,
             Activations q_kind = Activations::random) {
  std::mt19937 random(static_cast<uint32_t>(rows * 31 + n * 7 + k));
  Problem p{rows, n, k, codes_kind, q_kind, quantized_stride(k), {}, {}, {}, {}};
  p.codes = make_codes(codes_kind, n * k, random);
  p.q.resize(static_cast<size_t>(rows * p.q_stride));
  for (int64_t r = 0; r < rows; ++r) {
    int32_t sum = 0;
    for (int64_t i = 0; i < k; ++i) {
      const int8_t value = make_activation(q_kind, random);
      p.q[static_cast<size_t>(r * p.q_stride + i)] = value;
      sum += value;
    }
    p.sums.push_back(sum);
    p.q_scale.push_back(0.5f + static_cast<float>(r) * 0.3f);
  }
  return p;
}

constexpr TernaryLayout kLayouts[] = {TernaryLayout::two_bit, TernaryLayout::base3};

std::vector<uint8_t> pack(const Device& device, TernaryLayout layout, const std::vector<int8_t>& codes, int64_t n,
                          int64_t k) {
  std::vector<uint8_t> packed(device.backend().kernels().ternary_packed_bytes(layout, n, k) + 64);
  run_kernel(device, &Kernels::ternary_pack, {layout, n, k, 0, n, codes.data(), packed.data()});
  return packed;
}

void expect_exact_in(TernaryLayout layout, const Problem& p, const std::vector<Device>& devices) {
  SCOPED_TRACE(p.name() + (layout == TernaryLayout::base3 ? ", base3" : ", two_bit"));
  const std::vector<int64_t> expected = reference::ternary_matmul(p.q, p.q_stride, p.codes, p.rows, p.n, p.k);
  for (const Device& device : devices) {
    SCOPED_TRACE(device.description());
    const std::vector<uint8_t> packed = pack(device, layout, p.codes, p.n, p.k);
    std::vector<int32_t> acc(expected.size(), -7);
    std::vector<float> y(expected.size(), -7.0f);
    run_kernel(device, &Kernels::ternary_matmul,
               {p.rows,
                p.k,
                p.q_stride,
                p.q.data(),
                p.q_scale.data(),
                p.sums.data(),
                1,
                {{layout, packed.data(), p.n, p.weight_scale, y.data(), acc.data()}}});
    ASSERT_TRUE(std::equal(acc.begin(), acc.end(), expected.begin(), expected.end()));
    for (int64_t i = 0; i < p.rows * p.n; ++i) {
      const size_t at = static_cast<size_t>(i);
      const float factor = p.weight_scale / p.q_scale[static_cast<size_t>(i / p.n)];
      ASSERT_EQ(y[at], static_cast<float>(expected[at]) * factor) << "element " << i;
    }
  }
}

void expect_exact(const Problem& p, const std::vector<Device>& devices) {
  for (const TernaryLayout layout : kLayouts) expect_exact_in(layout, p, devices);
}

TEST(TernaryMatmul, SmallShapesAreExact) {
  const std::vector<Device> devices = cpus();
  for (int64_t rows : {1, 2, 3, 5, 8, 13, 17, 32, 33}) {
    for (int64_t n : {1, 7, 16, 33, 63, 64, 65, 127}) {
      for (int64_t k : {1, 7, 15, 63, 64, 65, 127}) expect_exact(make(rows, n, k), devices);
    }
  }
  for (int64_t k : {1, 64, 127}) expect_exact(make(64, 65, k), devices);
  expect_exact(make(130, 33, 65), devices);
}

// Matrices that share a pass, one of them thinner than a tile and in either layout, give what each gives alone.
TEST(TernaryMatmul, PartsAreIndependent) {
  for (int64_t rows : {1, 4, 130}) {
    const Problem first = make(rows, 33, 127);
    const int64_t n[] = {33, 1, 16, 250};
    for (const Device& device : cpus()) {
      SCOPED_TRACE(device.description());
      TernaryMatmulArgs args = {rows, 127, first.q_stride, first.q.data(), first.q_scale.data(), first.sums.data(), 4, {}};
      std::vector<std::vector<uint8_t>> packed;
      std::vector<std::vector<int32_t>> acc;
      std::vector<std::vector<int64_t>> expected;
      for (int part = 0; part < 4; ++part) {
        const Problem p = make(rows, n[part], 127);
        packed.push_back(pack(device, kLayouts[part % 2], p.codes, n[part], 127));
        acc.emplace_back(static_cast<size_t>(rows * n[part]), -7);
        expected.push_back(reference::ternary_matmul(first.q, first.q_stride, p.codes, rows, n[part], 127));
      }
      for (size_t part = 0; part < 4; ++part) args.part[part] = {kLayouts[part % 2], packed[part].data(), n[part], 1.0f, nullptr, acc[part].data()};
      run_kernel(device, &Kernels::ternary_matmul, args);
      for (size_t part = 0; part < 4; ++part) {
        EXPECT_TRUE(std::equal(acc[part].begin(), acc[part].end(), expected[part].begin(), expected[part].end()));
      }
    }
  }
}

TEST(TernaryMatmul, ModelShapesAreExact) {
  const std::vector<Device> devices = cpus();
  expect_exact(make(1, 2560, 2560), devices);
  expect_exact(make(1, 6912, 2560), devices);
  expect_exact(make(1, 2560, 6912), devices);
  expect_exact(make(3, 640, 2560), devices);
  expect_exact(make(2, 1, 6912), devices);
  expect_exact(make(5, 127, 6912), devices);
  expect_exact(make(13, 2560, 63), devices);
  expect_exact(make(64, 6912, 7), devices);
  expect_exact(make(64, 7, 2560), devices);
}

TEST(TernaryMatmul, ExtremesDoNotOverflow) {
  const std::vector<Device> devices = cpus();
  for (Codes codes : {Codes::zero, Codes::plus, Codes::minus, Codes::random}) {
    for (Activations q : {Activations::extreme, Activations::lowest}) {
      for (int64_t k : {63, 64, 127, 2560, 6912}) {
        for (int64_t rows : {1, 5, 13}) expect_exact(make(rows, 33, k, codes, q), devices);
      }
    }
  }
}

// Sums beyond 2^28, and more columns than partial sums may run over.
TEST(TernaryMatmul, VeryLongRowsAreExact) {
  const std::vector<Device> devices = cpus();
  for (int64_t rows : {1, 2}) {
    expect_exact(make(rows, 3, (int64_t{1} << 21) + 17, Codes::minus, Activations::lowest), devices);
  }
}

TEST(TernaryMatmul, EmptyShapes) {
  for (const Device& device : cpus()) {
    SCOPED_TRACE(device.description());
    for (const TernaryLayout layout : kLayouts) {
      std::vector<uint8_t> packed(128);
      const std::vector<int8_t> q(64);
      const float scale = 2.0f;
      const int32_t sum = 0;
      int32_t acc[3] = {5, 5, 5};
      run_kernel(device, &Kernels::ternary_matmul,
                 {0, 7, 64, q.data(), &scale, &sum, 1, {{layout, packed.data(), 3, 1.0f, nullptr, acc}}});
      run_kernel(device, &Kernels::ternary_matmul,
                 {1, 7, 64, q.data(), &scale, &sum, 1, {{layout, packed.data(), 0, 1.0f, nullptr, acc}}});
      EXPECT_EQ(acc[0], 5);
      run_kernel(device, &Kernels::ternary_matmul,
                 {1, 0, 64, q.data(), &scale, &sum, 1, {{layout, packed.data(), 3, 1.0f, nullptr, acc}}});
      EXPECT_EQ(acc[0], 0);
      EXPECT_EQ(acc[2], 0);
    }
  }
}

// Blocks of any size a device may choose give the same sums.
TEST(TernaryMatmul, TuningChangesNothing) {
  const Problem p = make(70, 50, 1300);
  const std::vector<int64_t> expected = reference::ternary_matmul(p.q, p.q_stride, p.codes, p.rows, p.n, p.k);
  for (const Device& device : cpus()) {
    SCOPED_TRACE(device.description());
    for (const TernaryLayout layout : kLayouts) {
      const std::vector<uint8_t> packed = pack(device, layout, p.codes, p.n, p.k);
      for (const int64_t block_rows : {1, 7, 33, 512}) {
        for (const int64_t block_quads : {80, 160, 640}) {
          Exec exec = device.backend().exec();
          exec.ternary.block_rows = block_rows;
          exec.ternary.block_quads = block_quads;
          std::vector<int32_t> acc(expected.size());
          device.backend().kernels().ternary_matmul(
              exec, {p.rows, p.k, p.q_stride, p.q.data(), p.q_scale.data(), p.sums.data(), 1,
                     {{layout, packed.data(), p.n, 1.0f, nullptr, acc.data()}}});
          ASSERT_TRUE(std::equal(acc.begin(), acc.end(), expected.begin(), expected.end()));
        }
      }
    }
  }
}

TEST(TernaryPack, RoundTrips) {
  std::mt19937 random(3);
  for (const Device& device : cpus()) {
    SCOPED_TRACE(device.description());
    for (const TernaryLayout layout : kLayouts) {
      for (int64_t rows : {0, 1, 15, 16, 17, 63, 127}) {
        for (int64_t cols : {1, 3, 15, 16, 17, 19, 20, 21, 64, 65, 2560}) {
          const std::vector<int8_t> codes = make_codes(Codes::random, rows * cols, random);
          const std::vector<uint8_t> packed = pack(device, layout, codes, rows, cols);
          std::vector<int8_t> back(codes.size() + 1, 55);
          run_kernel(device, &Kernels::ternary_unpack, {layout, rows, cols, 0, rows, packed.data(), back.data()});
          EXPECT_EQ(back.back(), 55);
          back.pop_back();
          ASSERT_EQ(back, codes) << rows << " x " << cols;
        }
      }
    }
  }
}

TEST(TernaryPack, TileByTileIsTheSame) {
  std::mt19937 random(4);
  constexpr int64_t kRows = 77, kCols = 131;
  const std::vector<int8_t> codes = make_codes(Codes::random, kRows * kCols, random);
  for (const Device& device : cpus()) {
    SCOPED_TRACE(device.description());
    for (const TernaryLayout layout : kLayouts) {
      const int64_t tile = device.backend().kernels().ternary_tile_rows;
      const std::vector<uint8_t> whole = pack(device, layout, codes, kRows, kCols);
      std::vector<uint8_t> parts(whole.size());
      std::vector<int8_t> back(codes.size());
      for (int64_t row = 0; row < kRows; row += tile) {
        const int64_t count = std::min(tile, kRows - row);
        run_kernel(device, &Kernels::ternary_pack,
                   {layout, kRows, kCols, row, count, codes.data() + row * kCols, parts.data()});
        run_kernel(device, &Kernels::ternary_unpack,
                   {layout, kRows, kCols, row, count, whole.data(), back.data() + row * kCols});
      }
      EXPECT_EQ(parts, whole);
      EXPECT_EQ(back, codes);
    }
  }
}

TEST(TernaryPack, BitsAWeight) {
  for (const Device& device : cpus()) {
    const auto bytes = device.backend().kernels().ternary_packed_bytes;
    EXPECT_EQ(bytes(TernaryLayout::two_bit, 2560, 6912), size_t{2560 * 6912 / 4});
    EXPECT_EQ(bytes(TernaryLayout::two_bit, 0, 64), 0u);
    EXPECT_GE(bytes(TernaryLayout::two_bit, 17, 65), size_t{17 * 65 / 4 + 1});
    EXPECT_LE(bytes(TernaryLayout::two_bit, 17, 65), size_t{(17 + 15) * (65 + 63) / 4});
    EXPECT_EQ(bytes(TernaryLayout::base3, 2560, 2560), size_t{2560 * 2560 / 5 + 2560 * 4});
    EXPECT_EQ(bytes(TernaryLayout::base3, 0, 64), 0u);
  }
}

// The layout is the device's: packing follows it, and what runs is the same.
TEST(TernaryPack, FollowsTheDevice) {
  const Device device = Device::open("cpu", {.threads = 1, .ternary_layout = TernaryLayout::base3});
  EXPECT_EQ(device.ternary_layout(), TernaryLayout::base3);
  EXPECT_EQ(Device::open().ternary_layout(), TernaryLayout::two_bit);
  const Device tuned = Device::open("cpu", {.tune = true, .ternary_layout = TernaryLayout::two_bit});
  EXPECT_EQ(tuned.ternary_layout(), TernaryLayout::two_bit);
  const TernaryTuning& choice = tuned.backend().exec().ternary;
  EXPECT_EQ(choice.block_quads % 80, 0);
  EXPECT_GT(choice.block_rows, 0);
}

}  // namespace
}  // namespace tern
