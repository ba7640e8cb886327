// SPDX-License-Identifier: Apache-2.0
#include "devices/cpu/tuning.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <vector>

namespace tern::cpu {
namespace {

constexpr int64_t kCols = 2560;
// Bytes of the matrix that a product reads from memory: beyond the last-level cache of most machines.
constexpr size_t kMatrixBytes = size_t{96} << 20;
constexpr int64_t kManyRows = 512;  // of activations

// Operands of products with matrices of kCols columns, their values all zero: no kernel's speed depends on values.
class Product {
 public:
  Product(const Kernels& kernels, const Exec& exec) : kernels_(kernels), exec_(exec) {
    stride_ = quantized_stride(kCols);
    const int64_t group_bytes = static_cast<int64_t>(kernels.ternary_packed_bytes(TernaryLayout::two_bit, 16, kCols));
    most_columns_ = static_cast<int64_t>(kMatrixBytes) / group_bytes * 16;
    // One buffer serves both layouts: base3 takes less.
    packed_.resize(kernels.ternary_packed_bytes(TernaryLayout::two_bit, most_columns_, kCols) + 4096, 0x55);
    q_.resize(static_cast<size_t>(kManyRows * stride_));
    scale_.resize(kManyRows, 1.0f);
    sums_.resize(kManyRows);
    y_.resize(static_cast<size_t>(std::max(most_columns_, kManyRows * kFewColumns)));
  }

  // Seconds of the best of `runs` products of one row with the whole matrix.
  double vector_seconds(const TernaryTuning& tuning, int runs) { return seconds(tuning, 1, most_columns_, runs); }
  // The same of many rows with a few of its columns, which caches hold.
  double matrix_seconds(const TernaryTuning& tuning, int runs) { return seconds(tuning, kManyRows, kFewColumns, runs); }

 private:
  static constexpr int64_t kFewColumns = 256;

  double seconds(const TernaryTuning& tuning, int64_t rows, int64_t n, int runs) {
    using Clock = std::chrono::steady_clock;
    Exec exec = exec_;
    exec.ternary = tuning;
    uint8_t* const aligned = packed_.data() + (4096 - reinterpret_cast<uintptr_t>(packed_.data()) % 4096);
    const TernaryMatmulArgs args = {rows,         kCols, stride_, q_.data(), scale_.data(), sums_.data(), 1,
                                    {{tuning.layout, aligned, n, 1.0f, y_.data(), nullptr}}};
    double best = 1e30;
    for (int run = 0; run < runs; ++run) {
      const Clock::time_point start = Clock::now();
      kernels_.ternary_matmul(exec, args);
      best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
    }
    return best;
  }

  const Kernels& kernels_;
  const Exec& exec_;
  int64_t stride_ = 0, most_columns_ = 0;
  std::vector<uint8_t> packed_;
  std::vector<int8_t> q_;
  std::vector<float> scale_, y_;
  std::vector<int32_t> sums_;
};

}  // namespace

TernaryTuning measured_tuning(const Kernels& kernels, const Exec& exec) {
  Product product(kernels, exec);

  // In turn, so that what else the machine does meets all of them.
  constexpr int64_t kAhead[] = {int64_t{1} << 10, int64_t{4} << 10, int64_t{16} << 10};
  constexpr TernaryLayout kLayouts[] = {TernaryLayout::two_bit, TernaryLayout::base3};
  constexpr int kTurns = 3;
  // base3 moves 0.8 of the bytes. Ahead by less than half of that it lost in whole models: 14.3 against 19.0 tokens/s on
  // two threads of one Zen 3 core.
  constexpr double kBase3Margin = 0.9, kMargin = 0.97;
  TernaryTuning best;
  double least = 1e30;
  double taken[std::size(kLayouts)][std::size(kAhead)];
  for (auto& row : taken) std::fill(std::begin(row), std::end(row), 1e30);
  for (int turn = 0; turn < kTurns; ++turn) {
    for (size_t layout = 0; layout < std::size(kLayouts); ++layout) {
      for (size_t ahead = 0; ahead < std::size(kAhead); ++ahead) {
        TernaryTuning tuning;
        tuning.layout = kLayouts[layout];
        tuning.prefetch_bytes = kAhead[ahead];
        taken[layout][ahead] = std::min(taken[layout][ahead], product.vector_seconds(tuning, 1));
      }
    }
  }
  for (size_t layout = 0; layout < std::size(kLayouts); ++layout) {
    for (size_t ahead = 0; ahead < std::size(kAhead); ++ahead) {
      if (taken[layout][ahead] >= (kLayouts[layout] == best.layout ? 1.0 : kBase3Margin) * least) continue;
      least = taken[layout][ahead];
      best.layout = kLayouts[layout];
      best.prefetch_bytes = kAhead[ahead];
    }
  }
  least = 1e30;
  TernaryTuning blocks = best;
  for (const int64_t rows : {128, 256, 512}) {
    for (const int64_t quads : {80, 160, 320, 640}) {
      TernaryTuning tuning = best;
      tuning.block_rows = rows;
      tuning.block_quads = quads;
      const double needed = product.matrix_seconds(tuning, 2);
      if (needed >= kMargin * least) continue;
      least = needed;
      blocks = tuning;
    }
  }
  return blocks;
}

}  // namespace tern::cpu
