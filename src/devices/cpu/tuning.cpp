// SPDX-License-Identifier: Apache-2.0
#include "devices/cpu/tuning.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <span>
#include <vector>

#include "base/check.h"
#include "base/host_memory.h"

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
    const size_t bytes = kernels.ternary_packed_bytes(TernaryLayout::two_bit, most_columns_, kCols);
    packed_.reset(allocate_host(bytes));  // as a model's weights are: two_bit in small pages lost to base3
    check(packed_ != nullptr, "tune", "expected {} bytes of memory, the system has none", bytes);
    std::memset(packed_.get(), 0x55, bytes);
    q_.resize(static_cast<size_t>(kManyRows * stride_));
    scale_.resize(kManyRows, 1.0f);
    sums_.resize(kManyRows);
    y_.resize(static_cast<size_t>(std::max(most_columns_, kManyRows * kFewColumns)));
  }

  // Seconds of a product of one row with the whole matrix, which comes from memory.
  double vector_seconds(const TernaryTuning& tuning) { return seconds(tuning, 1, most_columns_); }
  // Of many rows with a few of its columns, which caches hold.
  double matrix_seconds(const TernaryTuning& tuning) { return seconds(tuning, kManyRows, kFewColumns); }

 private:
  static constexpr int64_t kFewColumns = 256;

  double seconds(const TernaryTuning& tuning, int64_t rows, int64_t n) {
    using Clock = std::chrono::steady_clock;
    Exec exec = exec_;
    exec.ternary = tuning;
    const TernaryMatmulArgs args = {rows,         kCols, stride_, q_.data(), scale_.data(), sums_.data(), 1,
                                    {{tuning.layout, static_cast<uint8_t*>(packed_.get()), n, 1.0f, y_.data(), nullptr}}};
    const Clock::time_point start = Clock::now();
    kernels_.ternary_matmul(exec, args);
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  const Kernels& kernels_;
  const Exec& exec_;
  int64_t stride_ = 0, most_columns_ = 0;
  HostBlock packed_;
  std::vector<int8_t> q_;
  std::vector<float> scale_, y_;
  std::vector<int32_t> sums_;
};

struct Choice {
  TernaryTuning tuning;
  double seconds = 1e30;  // the least so far
};

// Measures the choices in turn, so that what else the machine does meets all of them.
template <class Seconds>
void measure(std::vector<Choice>& choices, int turns, const Seconds& seconds) {
  for (int turn = 0; turn < turns; ++turn) {
    for (Choice& choice : choices) choice.seconds = std::min(choice.seconds, seconds(choice.tuning));
  }
}

// The first of the choices that no later one beats by the factor margin(later one, it).
template <class Margin>
TernaryTuning fastest(const std::vector<Choice>& choices, const Margin& margin) {
  const Choice* best = &choices[0];
  for (const Choice& choice : choices) {
    if (choice.seconds < margin(choice, *best) * best->seconds) best = &choice;
  }
  return best->tuning;
}

// Layout and prefetch distance, by a matrix-vector product.
TernaryTuning vector_tuning(Product& product, std::span<const TernaryLayout> layouts) {
  std::vector<Choice> choices;
  for (const TernaryLayout layout : layouts) {
    for (const int64_t ahead : {int64_t{1} << 10, int64_t{4} << 10, int64_t{16} << 10}) {
      choices.push_back({{.layout = layout, .prefetch_bytes = ahead}});
    }
  }
  measure(choices, 3, [&](const TernaryTuning& tuning) { return product.vector_seconds(tuning); });
  // base3 moves 0.8 of the bytes. Ahead by less than half of that it lost in whole models: 14.3 against 19.0 tokens/s on
  // two threads of one Zen 3 core.
  constexpr double kBase3Margin = 0.9;
  return fastest(choices, [](const Choice& later, const Choice& best) {
    return later.tuning.layout == best.tuning.layout ? 1.0 : kBase3Margin;
  });
}

}  // namespace

TernaryTuning measured_tuning(const Kernels& kernels, const Exec& exec, std::optional<TernaryLayout> layout) {
  Product product(kernels, exec);
  constexpr TernaryLayout kLayouts[] = {TernaryLayout::two_bit, TernaryLayout::base3};
  const TernaryTuning best =
      vector_tuning(product, layout ? std::span<const TernaryLayout>(&*layout, 1) : std::span<const TernaryLayout>(kLayouts));
  std::vector<Choice> blocks;
  for (const int64_t rows : {128, 256, 512}) {
    for (const int64_t quads : {80, 160, 320, 640}) {
      TernaryTuning tuning = best;
      tuning.block_rows = rows;
      tuning.block_quads = quads;
      blocks.push_back({tuning});
    }
  }
  measure(blocks, 2, [&](const TernaryTuning& tuning) { return product.matrix_seconds(tuning); });
  constexpr double kMargin = 0.97;
  return fastest(blocks, [](const Choice&, const Choice&) { return kMargin; });
}

}  // namespace tern::cpu
