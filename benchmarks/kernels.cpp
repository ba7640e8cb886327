// SPDX-License-Identifier: Apache-2.0
// Times kernels of the CPU device beside the machine's read bandwidth.
//
//   bench_kernels [--threads N] [--isa NAME] [--filter TEXT] [--repetitions N] [--json]
//
// Shapes: the ternary matrices of bitnet-b1.58-2B-4T (N x K) with 1 row (decode) and 8, 64, 512; square f32 products;
// its output head in bf16; causal attention over 512 tokens. One ternary and one f32 result are compared with naive
// loops first. Each case: warm-up, then median and spread of the repetitions; a repetition is as many calls as take 20
// ms. With one row the weights rotate through more than the last-level cache, as a model's do, and GB/s counts their
// bytes.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "device/backend.h"
#include "tern/device.h"
#include "timing.h"

namespace {

using tern::benchmarks::now;
using tern::benchmarks::Spread;
using tern::Device;
using tern::DType;
using tern::Kernels;
using tern::TernaryLayout;

struct Options {
  int threads = 0, repetitions = 7;
  std::string isa, filter;
  bool json = false;
};

// The value after "key :" in a /proc file.
std::string proc_value(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key, 0) == 0) return line.substr(line.find_first_not_of(" \t", line.find(':') + 1));
  }
  return "";
}

// Last-level cache in bytes; 64 MB where the system does not say.
size_t cache_bytes() {
  std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index3/size");
  size_t kilobytes = 0;
  return file >> kilobytes ? kilobytes << 10 : size_t{64} << 20;
}

// 64-byte aligned memory of the device.
class Bytes {
 public:
  Bytes(const Device& device, size_t size)
      : size_(size),
        data_(device.backend().allocate(size), [device, size](void* p) { device.backend().release(p, size); }) {}

  template <class T>
  T* as() const {
    return static_cast<T*>(data_.get());
  }
  size_t size() const { return size_; }

 private:
  size_t size_;
  std::shared_ptr<void> data_;
};

template <class T, class Make>
Bytes filled(const Device& device, int64_t count, const Make& make) {
  const Bytes bytes(device, static_cast<size_t>(count) * sizeof(T));
  for (int64_t i = 0; i < count; ++i) bytes.as<T>()[i] = make(i);
  return bytes;
}

Bytes random_floats(const Device& device, int64_t count, uint64_t seed) {
  tern::Random random(seed);
  return filled<float>(device, count, [&](int64_t) { return static_cast<float>(random.uniform() * 2 - 1); });
}

class Bench {
 public:
  explicit Bench(const Options& options)
      : options_(options), device_(Device::open("cpu", {options.threads, options.isa})) {}

  const Device& device() const { return device_; }

  template <class Family, class Args>
  void call(tern::Kernel<Args> Family::*kernel, const Args& args) const {
    (device_.backend().kernels().*kernel)(device_.backend().exec(), args);
  }

  bool wanted(const std::string& name) const { return name.find(options_.filter) != std::string::npos; }

  void head() {
    const std::string machine = proc_value("/proc/cpuinfo", "model name");
    bandwidth_ = device_.probe({.bytes = std::max(size_t{512} << 20, 4 * cache_bytes())}).read_gb_per_s;
    if (options_.json) {
      print({{"machine", machine},
             {"isa", device_.isa()},
             {"threads", device_.threads()},
             {"read_gb_per_s", bandwidth_}});
      return;
    }
    fmt::print("{}; {}, {} threads; reads {:.1f} GB/s from memory\n\n", machine, device_.isa(), device_.threads(),
               bandwidth_);
    fmt::print("{:<34} {:>11} {:>24} {:>9}  {}\n", "case", "median us", "spread us", "G/s", "");
  }

  // Times run(i), the i-th call. `operations` counts multiplications and additions; `bytes` what must come from memory,
  // or 0 where that does not bound it.
  void time(const std::string& name, double operations, double bytes, const std::function<void(int64_t)>& run) const {
    const Spread s = measure(run);
    const double rate = operations / s.median * 1e-9, gb = bytes / s.median * 1e-9;
    if (options_.json) {
      nlohmann::json line = {
          {"case", name}, {"median_s", s.median}, {"low_s", s.low}, {"high_s", s.high}, {"gop_per_s", rate}};
      if (bytes > 0) line.update({{"gb_per_s", gb}, {"share_of_bandwidth", gb / bandwidth_}});
      print(line);
      return;
    }
    const std::string share =
        bytes > 0 ? fmt::format("{:.1f} GB/s, {:.0f} % of reading", gb, 100 * gb / bandwidth_) : "";
    fmt::print("{:<34} {:>11.1f} {:>24} {:>9.1f}  {}\n", name, s.median * 1e6,
               fmt::format("{:.1f} to {:.1f}", s.low * 1e6, s.high * 1e6), rate, share);
  }

 private:
  static void print(const nlohmann::json& line) { fmt::print("{}\n", line.dump()); }

  // Seconds of one call.
  Spread measure(const std::function<void(int64_t)>& run) const {
    int64_t call = 0;
    const double start = now();
    do run(call++);
    while (now() - start < 0.02);
    const int64_t calls = call;
    std::vector<double> seconds;
    for (int r = 0; r < options_.repetitions; ++r) {
      const double begin = now();
      for (int64_t i = 0; i < calls; ++i) run(call++);
      seconds.push_back((now() - begin) / static_cast<double>(calls));
    }
    return tern::benchmarks::spread(std::move(seconds));
  }

  Options options_;
  Device device_;
  double bandwidth_ = 0;
};

// ---------------------------------------------------------------- ternary matmul

struct Ternary {
  TernaryLayout layout;
  int64_t n, k;
  size_t bytes;    // of one packed matrix, padded to 64
  int64_t copies;  // together more than the last-level cache
  Bytes packed;
};

Ternary pack_random(const Bench& bench, TernaryLayout layout, int64_t n, int64_t k) {
  tern::Random random(1);
  const Bytes codes = filled<int8_t>(
      bench.device(), n * k, [&](int64_t) { return static_cast<int8_t>(static_cast<int>(random.below(3)) - 1); });
  const size_t bytes = (bench.device().backend().kernels().ternary_packed_bytes(layout, n, k) + 63) / 64 * 64;
  const int64_t copies = static_cast<int64_t>(4 * cache_bytes() / bytes) + 1;
  Ternary t{layout, n, k, bytes, copies, Bytes(bench.device(), bytes * static_cast<size_t>(copies))};
  for (int64_t i = 0; i < copies; ++i) {
    bench.call(&Kernels::ternary_pack,
               {layout, n, k, 0, n, codes.as<int8_t>(), t.packed.as<uint8_t>() + static_cast<size_t>(i) * bytes});
  }
  return t;
}

// Quantized activations of `rows` rows, with room for the result.
struct Activations {
  int64_t rows, stride;
  Bytes q, scale, sums, y;

  Activations(const Device& device, int64_t row_count, int64_t k, int64_t n)
      : rows(row_count),
        stride(tern::quantized_stride(k)),
        q(filled<int8_t>(
            device, rows * stride,
            [&](int64_t i) { return i % stride < k ? static_cast<int8_t>(i * 37 % 255 - 127) : int8_t{0}; })),
        scale(filled<float>(device, rows, [](int64_t) { return 3.5f; })),
        sums(filled<int32_t>(device, rows,
                             [&](int64_t r) {
                               int32_t sum = 0;
                               for (int64_t i = 0; i < k; ++i) sum += q.as<int8_t>()[r * stride + i];
                               return sum;
                             })),
        y(device, static_cast<size_t>(rows * n) * sizeof(float)) {}
};

void multiply(const Bench& bench, const Ternary& t, const Activations& x, int64_t copy, int32_t* acc) {
  const uint8_t* packed = t.packed.as<uint8_t>() + static_cast<size_t>(copy % t.copies) * t.bytes;
  bench.call(&Kernels::ternary_matmul,
             {x.rows,
              t.k,
              x.stride,
              x.q.as<int8_t>(),
              x.scale.as<float>(),
              x.sums.as<int32_t>(),
              1,
              {{t.layout, packed, t.n, 0.7f, x.y.as<float>(), acc}}});
}

void bench_ternary(const Bench& bench, TernaryLayout layout) {
  constexpr int64_t kShapes[][2] = {{2560, 2560}, {640, 2560}, {6912, 2560}, {2560, 6912}};
  const char* const kind = layout == TernaryLayout::base3 ? "base3" : "two_bit";
  for (const auto& [n, k] : kShapes) {
    const auto name = [&, n = n, k = k](int64_t rows) { return fmt::format("ternary {} {} x {}, {} rows", kind, n, k, rows); };
    std::vector<int64_t> wanted;
    for (int64_t rows : {1, 2, 4, 8, 16, 64, 512}) {
      if (bench.wanted(name(rows))) wanted.push_back(rows);
    }
    if (wanted.empty()) continue;
    const Ternary t = pack_random(bench, layout, n, k);
    for (const int64_t rows : wanted) {
      const Activations x(bench.device(), rows, k, n);
      const double operations = 2.0 * static_cast<double>(rows) * static_cast<double>(n) * static_cast<double>(k);
      bench.time(name(rows), operations, rows == 1 ? static_cast<double>(t.bytes) : 0,
                 [&](int64_t i) { multiply(bench, t, x, i, nullptr); });
    }
  }
}

// ---------------------------------------------------------------- float kernels

void bench_matmul(const Bench& bench) {
  for (int64_t size : {256, 512, 1024}) {
    const std::string name = fmt::format("matmul {0} x {0} x {0}", size);
    if (!bench.wanted(name)) continue;
    const Bytes a = random_floats(bench.device(), size * size, 2), b = random_floats(bench.device(), size * size, 3);
    const Bytes c(bench.device(), a.size());
    bench.time(name, 2 * std::pow(static_cast<double>(size), 3), 0, [&](int64_t) {
      bench.call(&Kernels::matmul, {1,
                                    size,
                                    size,
                                    size,
                                    {a.as<float>(), DType::f32, 0, size, 1},
                                    {b.as<float>(), DType::f32, 0, size, 1},
                                    c.as<float>(),
                                    0,
                                    size,
                                    false});
    });
  }
}

void bench_linear(const Bench& bench) {
  const int64_t available = std::atoll(proc_value("/proc/meminfo", "MemAvailable").c_str()) << 10;
  const int64_t k = 2560, n = available > (int64_t{2} << 30) ? 128256 : 16032;
  const std::string name = fmt::format("linear {} x {} bf16, ", n, k);
  if (!bench.wanted(name + "1 rows") && !bench.wanted(name + "8 rows")) return;
  tern::Random random(4);
  const Bytes w = filled<uint16_t>(bench.device(), n * k, [&](int64_t) {
    return static_cast<uint16_t>(std::bit_cast<uint32_t>(static_cast<float>(random.uniform() - 0.5)) >> 16);
  });
  for (int64_t rows : {1, 8}) {
    const Bytes x = random_floats(bench.device(), rows * k, 5),
                y(bench.device(), static_cast<size_t>(rows * n) * sizeof(float));
    const double operations = 2.0 * static_cast<double>(rows) * static_cast<double>(n) * static_cast<double>(k);
    bench.time(
        fmt::format("{}{} rows", name, rows), operations, rows == 1 ? static_cast<double>(w.size()) : 0, [&](int64_t) {
          bench.call(&Kernels::linear, {rows, n, k, x.as<float>(), w.as<uint16_t>(), DType::bf16, y.as<float>()});
        });
  }
}

// Causal self-attention of `tokens`, and its gradient; operations of the visible half.
void bench_attention(const Bench& bench) {
  const int64_t tokens = 512, heads = 20, kv_heads = 5, dim = 128;
  const Device& device = bench.device();
  const Bytes q = random_floats(device, tokens * heads * dim, 6),
              d_out = random_floats(device, tokens * heads * dim, 7);
  const Bytes k = random_floats(device, tokens * kv_heads * dim, 8),
              v = random_floats(device, tokens * kv_heads * dim, 9);
  const Bytes out(device, q.size()), dq(device, q.size()), dk(device, k.size()), dv(device, k.size());
  const Bytes lse(device, static_cast<size_t>(heads * tokens) * sizeof(float));
  const double scores = static_cast<double>(heads * tokens * (tokens + 1) / 2 * dim) * 2;
  const auto forward = [&](int64_t q_tokens) {
    bench.call(&Kernels::attention, {1, heads, kv_heads, q_tokens, tokens, dim, tokens * kv_heads * dim, q.as<float>(),
                                     k.as<float>(), v.as<float>(), 0.09f, out.as<float>(), lse.as<float>()});
  };
  if (bench.wanted("attention 512"))
    bench.time("attention 512 tokens", 2 * scores, 0, [&](int64_t) { forward(tokens); });
  if (bench.wanted("attention 1")) {
    bench.time("attention 1 token, 512 keys", 4.0 * static_cast<double>(heads * tokens * dim), 0,
               [&](int64_t) { forward(1); });
  }
  if (!bench.wanted("attention backward")) return;
  forward(tokens);
  bench.time("attention backward 512 tokens", 5 * scores, 0, [&](int64_t) {
    bench.call(&Kernels::attention_backward,
               {1, heads, kv_heads, tokens, dim, q.as<float>(), k.as<float>(), v.as<float>(), out.as<float>(),
                lse.as<float>(), d_out.as<float>(), 0.09f, dq.as<float>(), dk.as<float>(), dv.as<float>()});
  });
}

// ---------------------------------------------------------------- checks

void check(bool right, const char* what) {
  if (!right) throw std::runtime_error(fmt::format("[{}] expected the result of naive loops, got another", what));
}

void check_ternary(const Bench& bench) {
  const int64_t rows = 3, n = 37, k = 301;
  tern::Random random(1);  // the codes of pack_random
  std::vector<int> codes;
  for (int64_t i = 0; i < n * k; ++i) codes.push_back(static_cast<int>(random.below(3)) - 1);
  const Ternary t = pack_random(bench, TernaryLayout::base3, n, k);
  const Activations x(bench.device(), rows, k, n);
  std::vector<int32_t> acc(static_cast<size_t>(rows * n));
  multiply(bench, t, x, 1, acc.data());
  for (int64_t i = 0; i < rows * n; ++i) {
    int32_t sum = 0;
    for (int64_t j = 0; j < k; ++j)
      sum += x.q.as<int8_t>()[i / n * x.stride + j] * codes[static_cast<size_t>(i % n * k + j)];
    check(acc[static_cast<size_t>(i)] == sum, "ternary_matmul");
  }
}

void check_matmul(const Bench& bench) {
  const int64_t m = 29, n = 43, k = 300;
  const Bytes a = random_floats(bench.device(), m * k, 2), b = random_floats(bench.device(), k * n, 3);
  const Bytes c(bench.device(), static_cast<size_t>(m * n) * sizeof(float));
  bench.call(&Kernels::matmul, {1,
                                m,
                                n,
                                k,
                                {a.as<float>(), DType::f32, 0, k, 1},
                                {b.as<float>(), DType::f32, 0, n, 1},
                                c.as<float>(),
                                0,
                                n,
                                false});
  for (int64_t i = 0; i < m * n; ++i) {
    float sum = 0;
    for (int64_t j = 0; j < k; ++j) sum = std::fma(a.as<float>()[i / n * k + j], b.as<float>()[j * n + i % n], sum);
    check(c.as<float>()[i] == sum, "matmul");
  }
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("times the kernels of the CPU device");
  Options options;
  app.add_option("--threads", options.threads, "0: all cores");
  app.add_option("--isa", options.isa, "instruction set; empty: the best");
  app.add_option("--filter", options.filter, "only cases whose name contains this");
  app.add_option("--repetitions", options.repetitions)->check(CLI::Range(5, 1000))->capture_default_str();
  app.add_flag("--json", options.json, "one JSON object a line");
  CLI11_PARSE(app, argc, argv);

  Bench bench(options);
  check_ternary(bench);
  check_matmul(bench);
  bench.head();
  bench_ternary(bench, TernaryLayout::two_bit);
  bench_ternary(bench, TernaryLayout::base3);
  bench_matmul(bench);
  bench_linear(bench);
  bench_attention(bench);
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "bench_kernels: {}\n", error.what());
  return 1;
}
