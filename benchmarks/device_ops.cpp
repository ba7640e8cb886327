// SPDX-License-Identifier: Apache-2.0
// Small operations on a device whose kernels are launched, not called: matrix products in f32, ternary quantization,
// the forward pass of BitLinear. With --arrays operations on arrays instead (device_array_ops.cpp).
//
//   bench_device_ops [--device cuda] [--arrays] [--repetitions N] [--json]
//
// Each result is compared with a reference on the host first, in double where it is not exact. Then two times:
// "recorded", microseconds of one operation of many that were recorded together (device/backend.h) and repeated, which
// is what it takes of a model's time; and "single", from the call to the moment when the host knows that the result is
// there. Operands stay in the caches that they fit in. A quantization waits for its scale on the host, so that it
// cannot be recorded as a whole: its second half is. Of what takes long fewer calls are made.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/random.h"
#include "device/backend.h"
#include "device_array_ops.h"
#include "device_operation.h"
#include "tern/ops.h"
#include "timing.h"

namespace {

using tern::Device;
using tern::PackedTernary;
using tern::Tensor;
using tern::benchmarks::now;
using tern::benchmarks::Operation;
using tern::benchmarks::Spread;
using tern::benchmarks::spread;

constexpr double kFewestRecorded = 4, kMostRecorded = 100;  // operations of a recording
constexpr double kRecordingSeconds = 0.02;                  // which does not take more if the fewest do not
constexpr double kShortest = 0.005;                         // seconds of a repetition of recorded operations
constexpr double kFewestSingles = 8, kMostSingles = 300;    // single calls; the outer twentieths are left out
constexpr double kSinglesSeconds = 0.3;                     // which these do not take if the fewest do not
constexpr int64_t kCheckedRows = 64;                        // of a product, at most

struct Result {
  std::optional<Spread> recorded;  // seconds
  Spread single;
};

std::vector<float> random_floats(int64_t count, uint64_t seed) {
  tern::Random random(seed);
  std::vector<float> x(static_cast<size_t>(count));
  for (float& value : x) value = static_cast<float>(random.normal());
  return x;
}

void check_near(const std::string& name, int64_t row, int64_t column, double got, double want, double bound) {
  if (std::abs(got - want) <= bound) return;
  throw std::runtime_error(
      fmt::format("{}: element {}, {}: expected {} within {}, got {}", name, row, column, want, bound, got));
}

// a [m, k] · b [k, n]. Sums in any order are off by at most k + 1 roundings of the sum of magnitudes.
Operation product(const Device& device, int64_t m, int64_t k, int64_t n) {
  const std::vector<float> a = random_floats(m * k, 1), b = random_floats(k * n, 2);
  const Tensor x = Tensor::from(a, {m, k}, device), y = Tensor::from(b, {k, n}, device);
  const std::string name = fmt::format("matmul {} x {} x {}", m, k, n);
  const auto check = [=] {
    const std::vector<float> c = matmul(x, y).to_vector<float>();
    const int64_t rows = std::min(m, kCheckedRows);
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t row = i * (m - 1) / std::max<int64_t>(rows - 1, 1);
      std::vector<double> sums(static_cast<size_t>(n)), magnitudes(static_cast<size_t>(n));
      for (int64_t depth = 0; depth < k; ++depth) {
        for (int64_t column = 0; column < n; ++column) {
          const double term = static_cast<double>(a[static_cast<size_t>(row * k + depth)]) *
                              static_cast<double>(b[static_cast<size_t>(depth * n + column)]);
          sums[static_cast<size_t>(column)] += term;
          magnitudes[static_cast<size_t>(column)] += std::abs(term);
        }
      }
      for (int64_t column = 0; column < n; ++column) {
        check_near(name, row, column, static_cast<double>(c[static_cast<size_t>(row * n + column)]),
                   sums[static_cast<size_t>(column)],
                   static_cast<double>(k + 1) * 0x1p-24 * magnitudes[static_cast<size_t>(column)]);
      }
    }
  };
  return {name, check, [=] { matmul(x, y); }, true,
          2.0 * static_cast<double>(m) * static_cast<double>(k) * static_cast<double>(n)};
}

// A ternary matrix: codes and their scale.
struct Ternary {
  Tensor codes;
  float scale = 0;
};

// b1.58's, which waits for the scale on the host.
Ternary quantized(const Tensor& w) {
  const float scale = std::max(mean_abs(w), 1e-5f);
  return {ternary_codes(w, scale), scale};
}

int8_t code_of(float w, float inverse) {
  return static_cast<int8_t>(std::clamp(std::nearbyint(w * inverse), -1.0f, 1.0f));
}

void check_codes(const std::string& name, const std::vector<float>& w, const Ternary& got) {
  double sum = 0;
  for (const float value : w) sum += std::abs(static_cast<double>(value));
  const double scale = std::max(sum / static_cast<double>(w.size()), 1e-5);
  check_near(name, -1, -1, static_cast<double>(got.scale), scale, 0x1p-23 * scale);
  const std::vector<int8_t> codes = got.codes.to_vector<int8_t>();
  for (size_t i = 0; i < w.size(); ++i) {
    if (codes[i] == code_of(w[i], 1.0f / got.scale)) continue;
    throw std::runtime_error(fmt::format("{}: code {} of {} by {}: got {}", name, i, w[i], got.scale, codes[i]));
  }
}

// Scale and codes of a matrix, and the codes alone.
std::vector<Operation> quantization(const Device& device, int64_t rows, int64_t columns) {
  const std::vector<float> w = random_floats(rows * columns, 3);
  const Tensor x = Tensor::from(w, {rows, columns}, device);
  const std::string name = fmt::format("quantize {} x {}", rows, columns);
  const auto check = [=] { check_codes(name, w, quantized(x)); };
  const float scale = quantized(x).scale;
  return {{name, check, [=] { quantized(x); }, false}, {name + ", codes", check, [=] { ternary_codes(x, scale); }}};
}

// The rows of y must be exact sums of codes and quantized activations, but for the two roundings of their scale.
void check_bit_linear(const std::string& name, const std::vector<float>& x, const std::vector<int8_t>& codes,
                      float scale, int64_t rows, int64_t k, int64_t n, const std::vector<float>& y) {
  for (int64_t row = 0; row < rows; ++row) {
    const float* const from = x.data() + row * k;
    float largest = 1e-5f;
    for (int64_t i = 0; i < k; ++i) largest = std::max(largest, std::abs(from[i]));
    const float q_scale = 1.0f / largest * 127.0f;
    for (int64_t j = 0; j < n; ++j) {
      int64_t sum = 0;
      for (int64_t i = 0; i < k; ++i) {
        sum += static_cast<int64_t>(std::nearbyint(from[i] * q_scale)) * codes[static_cast<size_t>(j * k + i)];
      }
      const double want = static_cast<double>(sum) * static_cast<double>(scale) / static_cast<double>(q_scale);
      check_near(name, row, j, static_cast<double>(y[static_cast<size_t>(row * n + j)]), want, 2e-7 * std::abs(want));
    }
  }
}

// x [rows, k], quantized and multiplied by a ternary matrix [n, k].
Operation bit_linear(const Device& device, int64_t rows, int64_t k, int64_t n) {
  const std::vector<float> values = random_floats(rows * k, 4);
  const Tensor x = Tensor::from(values, {rows, k}, device);
  const Ternary codes = quantized(Tensor::from(random_floats(n * k, 5), {n, k}, device));
  const PackedTernary w = pack_ternary(codes.codes, codes.scale);
  const std::string name = fmt::format("BitLinear {} x {} to {}", rows, k, n);
  const auto check = [=] {
    const int64_t checked = std::min(rows, kCheckedRows);
    check_bit_linear(name, values, codes.codes.to_vector<int8_t>(), codes.scale, checked, k, n,
                     ternary_linear(quantize_rows(x), w).to_vector<float>());
  };
  return {name, check, [=] { ternary_linear(quantize_rows(x), w); }, true,
          2.0 * static_cast<double>(rows) * static_cast<double>(k) * static_cast<double>(n)};
}

double seconds_of(const Device& device, const std::function<void()>& run, int64_t times) {
  device.synchronize();
  const double start = now();
  for (int64_t i = 0; i < times; ++i) run();
  device.synchronize();
  return now() - start;
}

// Of one operation that takes `once`.
std::optional<Spread> recorded(const Device& device, const Operation& operation, double once, int repetitions) {
  if (!operation.recordable) return std::nullopt;
  const auto count = static_cast<int>(std::clamp(kRecordingSeconds / once, kFewestRecorded, kMostRecorded));
  const auto all = [&] {
    for (int i = 0; i < count; ++i) operation.run();
  };
  std::unique_ptr<tern::Recording> recording;
  try {
    recording = device.backend().record(all);
  } catch (const tern::Error&) {
    return std::nullopt;  // what copies between host and device on its way cannot be recorded, either
  }
  const std::function<void()> repeat = [&] { recording ? recording->replay() : all(); };
  const auto times = static_cast<int64_t>(std::ceil(kShortest / (seconds_of(device, repeat, 3) / 3)));
  std::vector<double> figures;
  for (int i = 0; i < repetitions; ++i) {
    figures.push_back(seconds_of(device, repeat, times) / static_cast<double>(times * count));
  }
  return spread(std::move(figures));
}

Spread single(const Device& device, const Operation& operation) {
  seconds_of(device, operation.run, 1);  // kernels are loaded when they are first called
  const double once = seconds_of(device, operation.run, 1);
  const auto calls = static_cast<int>(std::clamp(kSinglesSeconds / once, kFewestSingles, kMostSingles));
  seconds_of(device, operation.run, calls / 15);
  std::vector<double> figures;
  for (int i = 0; i < calls; ++i) figures.push_back(seconds_of(device, operation.run, 1));
  std::sort(figures.begin(), figures.end());
  const int outer = calls / 20;
  return spread({figures.begin() + outer, figures.end() - outer});
}

Result measured(const Device& device, const Operation& operation, int repetitions) {
  operation.check();
  const Spread once = single(device, operation);
  return {recorded(device, operation, once.median, repetitions), once};
}

nlohmann::json microseconds(const Spread& s) {
  return {{"median", s.median * 1e6}, {"low", s.low * 1e6}, {"high", s.high * 1e6}};
}

std::string text(const Spread& s) {
  return fmt::format("{:9.2f} ({:.2f} to {:.2f})", s.median * 1e6, s.low * 1e6, s.high * 1e6);
}

std::vector<Operation> small_operations(const Device& device) {
  std::vector<Operation> operations = {product(device, 512, 256, 128)};
  for (const int64_t n : {32, 64, 128, 256, 512, 1024}) operations.push_back(product(device, n, n, n));
  for (const auto& [rows, columns] : {std::pair{32, 32}, std::pair{512, 512}, std::pair{2560, 6912}}) {
    for (Operation& operation : quantization(device, rows, columns)) operations.push_back(std::move(operation));
  }
  operations.push_back(bit_linear(device, 4, 256, 128));
  operations.push_back(bit_linear(device, 512, 2560, 2560));
  return operations;
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("operations on a device");
  std::string name = "cuda";
  int repetitions = 15;
  bool arrays = false, json = false;
  app.add_option("--device", name)->capture_default_str();
  app.add_flag("--arrays", arrays);
  app.add_option("--repetitions", repetitions)->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_flag("--json", json);
  CLI11_PARSE(app, argc, argv);
  const Device device = Device::open(name);

  nlohmann::json out = {{"device", device.description()}, {"operations", nlohmann::json::array()}};
  if (!json) fmt::print("{}\n{:<32}{:>26}{:>32}\n", device.description(), "", "recorded us", "single us");
  const auto measure = [&](const Operation& operation) {
    const Result result = measured(device, operation, repetitions);
    if (json) {
      nlohmann::json entry = {{"name", operation.name}, {"single_us", microseconds(result.single)}};
      if (result.recorded) entry["recorded_us"] = microseconds(*result.recorded);
      if (result.recorded && operation.flops > 0)
        entry["gflop_per_s"] = operation.flops / result.recorded->median * 1e-9;
      out["operations"].push_back(entry);
    } else {
      fmt::print("{:<32}{:>26}{:>32}\n", operation.name, result.recorded ? text(*result.recorded) : "",
                 text(result.single));
    }
  };
  if (arrays) {
    for (const auto& make : tern::benchmarks::array_operations(device)) measure(make());
  } else {
    for (const Operation& operation : small_operations(device)) measure(operation);
  }
  if (json) fmt::print("{}\n", out.dump(2));
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
