// SPDX-License-Identifier: Apache-2.0
// What the processor's cores reach at best: multiply-adds of f32 in registers, GFLOP/s of all threads together.
//
//   bench_peak [--threads N] [--isa avx2|avx512] [--seconds S]
//
// Prints one number: the median of pieces of 2 ms, so that it is the clock of these moments that counts.
#include <fmt/format.h>
#include <immintrin.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "timing.h"

namespace {

using tern::benchmarks::now;
using tern::benchmarks::spread;

// Two units with a latency of four cycles are busy with eight sums; the registers of AVX2 hold twelve and the factors.
constexpr int kSums = 12;
constexpr int kSteps = 4096;

// kSteps times kSums vectors of sum / 2 + 1: each sum comes to be 2. They begin differently, or they would be one to a
// compiler.
struct Kernel {
  int lanes;
  float (*run)();  // the sum of the sums' first lanes
};

__attribute__((target("avx512f"))) float run_avx512() {
  __m512 sums[kSums];
#pragma GCC unroll 12
  for (int i = 0; i < kSums; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  const __m512 half = _mm512_set1_ps(0.5F), one = _mm512_set1_ps(1);
  for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (__m512& sum : sums) sum = _mm512_fmadd_ps(sum, half, one);
  }
  float first = 0;
#pragma GCC unroll 12
  for (const __m512& sum : sums) first += _mm512_cvtss_f32(sum);
  return first;
}

__attribute__((target("avx2,fma"))) float run_avx2() {
  __m256 sums[kSums];
#pragma GCC unroll 12
  for (int i = 0; i < kSums; ++i) sums[i] = _mm256_set1_ps(static_cast<float>(i));
  const __m256 half = _mm256_set1_ps(0.5F), one = _mm256_set1_ps(1);
  for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (__m256& sum : sums) sum = _mm256_fmadd_ps(sum, half, one);
  }
  float first = 0;
#pragma GCC unroll 12
  for (const __m256& sum : sums) first += _mm256_cvtss_f32(sum);
  return first;
}

Kernel kernel_of(const std::string& isa) {
  const bool avx512 = __builtin_cpu_supports("avx512f") != 0;
  if (isa == "avx512" && !avx512) throw std::runtime_error("[peak] expected a processor with AVX-512");
  if (isa != "avx2" && avx512) return {16, run_avx512};
  if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0) return {8, run_avx2};
  throw std::runtime_error("[peak] expected a processor with AVX2 and FMA");
}

// GFLOP/s of the calling thread: the median of pieces.
double rate(const Kernel& kernel, double seconds) {
  constexpr double kPiece = 2e-3;
  std::vector<double> rates;
  bool right = true;
  const double end = now() + seconds;
  do {
    const double start = now();
    double runs = 0, spent = 0;
    for (; spent < kPiece; spent = now() - start, ++runs) right &= kernel.run() == 2 * kSums;
    rates.push_back(runs * 2.0 * kernel.lanes * kSums * kSteps / spent * 1e-9);
  } while (now() < end);
  return right ? spread(std::move(rates)).median : 0;
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("multiply-adds of f32 in registers, GFLOP/s");
  int threads = 1;
  double seconds = 0.02;
  std::string isa;
  app.add_option("--threads", threads)->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_option("--isa", isa)->check(CLI::IsMember({"avx2", "avx512"}));
  app.add_option("--seconds", seconds)->check(CLI::Range(0.0, 60.0))->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const Kernel kernel = kernel_of(isa);
  std::vector<double> rates(static_cast<size_t>(threads));
  std::atomic<int> ready{0};
  std::vector<std::thread> workers;
  for (double& own : rates) {
    workers.emplace_back([&] {
      ++ready;
      while (ready < threads) std::this_thread::yield();
      own = rate(kernel, seconds);
    });
  }
  for (std::thread& worker : workers) worker.join();
  double sum = 0;
  for (const double own : rates) sum += own;
  fmt::print("{:.1f}\n", sum);
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
