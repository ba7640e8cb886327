// SPDX-License-Identifier: Apache-2.0
#include "devices/cpu/tuning.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <span>
#include <vector>

#include "base/cache_size.h"
#include "base/check.h"
#include "base/host_memory.h"

namespace tern::cpu {
namespace {

constexpr int64_t kCols = 2560;
// A product with one row reads this much, and each time the next so much of memory_bytes(): nothing of it is in a
// cache.
constexpr int64_t kMatrixBytes = int64_t{32} << 20;
constexpr int64_t kManyRows = 512;  // of activations

// More than the caches hold. With 96 MiB on a machine whose last cache has 480, all distances looked twice as fast as
// they were and the layouts alike.
int64_t memory_bytes() {
  const int64_t cache = last_level_cache_bytes();
  return std::clamp(cache + cache / 4, 3 * kMatrixBytes, 20 * kMatrixBytes) / kMatrixBytes * kMatrixBytes;
}

// Operands of products with matrices of kCols columns, their values all alike: no kernel's speed depends on values.
class Product {
 public:
  Product(const Kernels& kernels, const Exec& exec) : kernels_(kernels), exec_(exec), memory_bytes_(memory_bytes()) {
    stride_ = quantized_stride(kCols);
    const auto bytes = static_cast<size_t>(memory_bytes_ + kSlack);
    // In pages like a model's weights: two_bit in small pages lost to base3.
    packed_ = host_block(bytes);
    check(packed_ != nullptr, "tune", "expected {} bytes of memory, the system has none", bytes);
    fill(bytes);
    q_.resize(static_cast<size_t>(kManyRows * stride_));
    scale_.resize(kManyRows, 1.0f);
    sums_.resize(kManyRows);
    y_.resize(static_cast<size_t>(std::max(columns(TernaryLayout::base3), kManyRows * kFewColumns)));
  }

  // Seconds per column of a product of one row with a matrix that comes from memory.
  double vector_seconds(const TernaryTuning& tuning) {
    at_ = (at_ + kMatrixBytes) % memory_bytes_;
    return seconds(tuning, 1, at_, columns(tuning.layout)) / static_cast<double>(columns(tuning.layout));
  }
  // Of many rows with a few of its columns, which caches hold.
  double matrix_seconds(const TernaryTuning& tuning) { return seconds(tuning, kManyRows, 0, kFewColumns); }

 private:
  static constexpr int64_t kFewColumns = 256;
  static constexpr int64_t kSlack = int64_t{1} << 20;

  // Columns of the matrix that has kMatrixBytes.
  int64_t columns(TernaryLayout layout) const {
    return kMatrixBytes / static_cast<int64_t>(kernels_.ternary_packed_bytes(layout, 16, kCols)) * 16;
  }

  // With all threads: most of it is the system's clearing of the pages.
  void fill(size_t bytes) {
    struct Target {
      std::byte* begin;
      size_t bytes;
    } target = {static_cast<std::byte*>(packed_.get()), bytes};
    constexpr size_t kStep = size_t{2} << 20;
    exec_.parallel(
        exec_.backend, static_cast<int64_t>((bytes + kStep - 1) / kStep), 1,
        [](void* arg, int, int64_t begin, int64_t end) {
          const Target& t = *static_cast<const Target*>(arg);
          const size_t from = static_cast<size_t>(begin) * kStep,
                       to = std::min(static_cast<size_t>(end) * kStep, t.bytes);
          std::memset(t.begin + from, 0x55, to - from);
        },
        &target);
  }

  double seconds(const TernaryTuning& tuning, int64_t rows, int64_t at, int64_t n) {
    using Clock = std::chrono::steady_clock;
    Exec exec = exec_;
    exec.ternary = tuning;
    uint8_t* const packed = static_cast<uint8_t*>(packed_.get()) + at;
    const TernaryMatmulArgs args = {
        rows,          kCols,        stride_, q_.data(),
        scale_.data(), sums_.data(), 1,       {{tuning.layout, packed, n, 1.0f, y_.data(), nullptr, nullptr}}};
    const Clock::time_point start = Clock::now();
    kernels_.ternary_matmul(exec, args);
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  const Kernels& kernels_;
  const Exec& exec_;
  const int64_t memory_bytes_;
  int64_t stride_ = 0, at_ = 0;
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
    for (const int64_t ahead : {int64_t{1} << 10, int64_t{2} << 10, int64_t{4} << 10, int64_t{16} << 10}) {
      choices.push_back({{.layout = layout, .prefetch_bytes = ahead}});
    }
  }
  measure(choices, 3, [&](const TernaryTuning& tuning) { return product.vector_seconds(tuning); });
  // base3 moves 0.8 of the bytes. Ahead by less than half of that it lost in whole models: 14.3 against 19.0 tokens/s
  // on two threads of one Zen 3 core.
  constexpr double kBase3Margin = 0.9;
  return fastest(choices, [](const Choice& later, const Choice& best) {
    return later.tuning.layout == best.tuning.layout ? 1.0 : kBase3Margin;
  });
}

}  // namespace

TernaryTuning measured_tuning(const Kernels& kernels, const Exec& exec, std::optional<TernaryLayout> layout) {
  Product product(kernels, exec);
  constexpr TernaryLayout kLayouts[] = {TernaryLayout::two_bit, TernaryLayout::base3};
  const TernaryTuning best = vector_tuning(
      product, layout ? std::span<const TernaryLayout>(&*layout, 1) : std::span<const TernaryLayout>(kLayouts));
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
