// SPDX-License-Identifier: Apache-2.0
// One row by a ternary matrix on a device whose kernels are launched, not called: microseconds each, as a decoding step
// repeats them.
//
//   bench_device_gemv [--device cuda] [--shapes 2560x2560,…] [--megabytes N] [--repetitions N] [--json]
//
// Shapes are N x K, by default the eight of Microsoft's W2A8 kernel (github.com/microsoft/BitNet, gpu/test.py). For each,
// as many matrices as take --megabytes are multiplied one after the other, so that no cache holds them, recorded once
// (device/backend.h) and repeated; a repetition is long enough for the clock. The first product is compared with a naive
// loop over its codes first. GB/s counts the packed weights.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/random.h"
#include "device/backend.h"
#include "tern/ops.h"
#include "timing.h"

namespace {

using tern::Device;
using tern::PackedTernary;
using tern::QuantizedRows;
using tern::Tensor;
using tern::benchmarks::now;
using tern::benchmarks::Spread;
using tern::benchmarks::spread;

constexpr double kShortest = 0.005;  // seconds of a repetition

struct GemvShape {
  int64_t n, k;
};

GemvShape shape_of(const std::string& text) {
  GemvShape shape = {};
  char rest = 0;
  if (std::sscanf(text.c_str(), "%ldx%ld%c", &shape.n, &shape.k, &rest) != 2 || shape.n < 1 || shape.k < 1) {
    throw std::runtime_error(fmt::format("--shapes: expected NxK, as 2560x6912, got '{}'", text));
  }
  return shape;
}

std::vector<int8_t> random_codes(int64_t count, uint64_t seed) {
  tern::Random random(seed);
  std::vector<int8_t> codes(static_cast<size_t>(count));
  for (int8_t& code : codes) code = static_cast<int8_t>(static_cast<int>(random.below(3)) - 1);
  return codes;
}

// Throws when y differs from the naive product of q and codes by more than the two roundings of its scale.
void check_product(const std::vector<float>& y, const std::vector<int8_t>& q, float q_scale, const PackedTernary& w,
                   const std::vector<int8_t>& codes) {
  for (int64_t row = 0; row < w.rows; ++row) {
    int64_t sum = 0;
    for (int64_t i = 0; i < w.cols; ++i) sum += int64_t{q[static_cast<size_t>(i)]} * codes[static_cast<size_t>(row * w.cols + i)];
    const double want = static_cast<double>(sum) * static_cast<double>(w.scale) / static_cast<double>(q_scale);
    const auto got = static_cast<double>(y[static_cast<size_t>(row)]);
    if (!(std::abs(got - want) <= 2e-7 * std::abs(want))) {
      throw std::runtime_error(fmt::format("[{}, {}] row {}: expected {}, got {}", w.rows, w.cols, row, want, got));
    }
  }
}

struct Result {
  GemvShape shape;
  int64_t bytes;  // of a packed matrix
  Spread seconds;
};

Result measure(const Device& device, const GemvShape& shape, int64_t megabytes, int repetitions) {
  const std::vector<int8_t> codes = random_codes(shape.n * shape.k, 1);
  std::vector<PackedTernary> matrices{pack_ternary(Tensor::from(codes, {shape.n, shape.k}, device), 0.5f)};
  const int64_t bytes = matrices[0].bytes.numel();
  while (std::ssize(matrices) * bytes < megabytes << 20) {
    matrices.push_back(matrices[0]);
    matrices.back().bytes = clone(matrices[0].bytes);
  }
  tern::Random random(2);
  std::vector<float> x;
  for (int64_t i = 0; i < shape.k; ++i) x.push_back(static_cast<float>(random.normal()));
  const QuantizedRows q = quantize_rows(Tensor::from(x, {1, shape.k}, device));
  check_product(ternary_linear(q, matrices[0]).to_vector<float>(), q.q.to_vector<int8_t>(), q.scale.to_vector<float>()[0],
                matrices[0], codes);

  const auto all = [&] {
    for (const PackedTernary& w : matrices) ternary_linear(q, w);
  };
  const std::unique_ptr<tern::Recording> recording = device.backend().record(all);
  const auto repeat = [&] { recording ? recording->replay() : all(); };
  const auto seconds_of = [&](int64_t times) {
    device.synchronize();
    const double start = now();
    for (int64_t i = 0; i < times; ++i) repeat();
    device.synchronize();
    return now() - start;
  };
  const double once = seconds_of(3) / 3;
  const auto times = static_cast<int64_t>(std::ceil(kShortest / once));
  std::vector<double> figures;
  for (int i = 0; i < repetitions; ++i) {
    figures.push_back(seconds_of(times) / static_cast<double>(times * std::ssize(matrices)));
  }
  return {shape, bytes, spread(std::move(figures))};
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("one row by a ternary matrix on a device");
  std::string name = "cuda";
  std::vector<std::string> shapes = {"2560x2560", "3840x2560", "13824x2560", "2560x6912",
                                     "3200x3200", "4800x3200", "3200x10240", "20480x3200"};
  int64_t megabytes = 512;
  int repetitions = 15;
  bool json = false;
  app.add_option("--device", name)->capture_default_str();
  app.add_option("--shapes", shapes)->delimiter(',')->capture_default_str();
  app.add_option("--megabytes", megabytes)->check(CLI::Range(1, 1 << 20))->capture_default_str();
  app.add_option("--repetitions", repetitions)->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_flag("--json", json);
  CLI11_PARSE(app, argc, argv);
  const Device device = Device::open(name);
  nlohmann::json out = {{"device", device.description()}, {"shapes", nlohmann::json::array()}};
  if (!json) fmt::print("{}\n", device.description());
  for (const std::string& text : shapes) {
    const Result r = measure(device, shape_of(text), megabytes, repetitions);
    const double gb_per_s = static_cast<double>(r.bytes) / r.seconds.median * 1e-9;
    if (json) {
      out["shapes"].push_back({{"n", r.shape.n},
                               {"k", r.shape.k},
                               {"microseconds", r.seconds.median * 1e6},
                               {"low", r.seconds.low * 1e6},
                               {"high", r.seconds.high * 1e6},
                               {"gb_per_s", gb_per_s}});
    } else {
      fmt::print("{:>6} x {:<6} {:8.2f} us ({:.2f} to {:.2f})  {:.0f} GB/s\n", r.shape.n, r.shape.k,
                 r.seconds.median * 1e6, r.seconds.low * 1e6, r.seconds.high * 1e6, gb_per_s);
    }
  }
  if (json) fmt::print("{}\n", out.dump(2));
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
