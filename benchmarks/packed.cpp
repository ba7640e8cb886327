// SPDX-License-Identifier: Apache-2.0
// Packed tensors: packing, unpacking and repacking beside a plain copy.
//
//   bench_packed [--values N] [--threads N] [--isa NAME] [--repetitions N] [--json]
//
// Figures are GB/s of unpacked bytes: 4 a value for f32, 1 for i8 and for repacking, which is to i7, saturating (of u7
// to u6). "memcpy" copies as many unpacked bytes from one buffer to another on one thread. Results are made anew each
// time, as users have them. The median of the repetitions.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/random.h"
#include "tern/packed.h"
#include "timing.h"

namespace {

using tern::Device;
using tern::DType;
using tern::PackedTensor;
using tern::PackedType;
using tern::Tensor;
using tern::benchmarks::now;
using tern::benchmarks::Spread;
using tern::benchmarks::spread;

// GB/s of `bytes` for each run.
Spread rate(double bytes, int repetitions, const std::function<void()>& run) {
  run();
  std::vector<double> figures;
  for (int i = 0; i < repetitions; ++i) {
    const double start = now();
    run();
    figures.push_back(bytes / (now() - start) * 1e-9);
  }
  return spread(std::move(figures));
}

Tensor values_of(PackedType type, int64_t count, const Device& device) {
  tern::Random random(1);
  std::vector<int8_t> values(static_cast<size_t>(count));
  const int least = least_of(type), span = greatest_of(type) - least + 1;
  for (int8_t& value : values) {
    do {
      value = static_cast<int8_t>(least + static_cast<int>(random.bits() % static_cast<uint64_t>(span)));
    } while (type == PackedType::sign1 && value == 0);
  }
  return Tensor::from(values, {count}, device);
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("packed tensors");
  int64_t values = 10'000'000;
  int threads = 1, repetitions = 15;
  std::string isa;
  bool json = false;
  app.add_option("--values", values)->check(CLI::Range(1, 1'000'000'000))->capture_default_str();
  app.add_option("--threads", threads)->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_option("--isa", isa);
  app.add_option("--repetitions", repetitions)->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_flag("--json", json);
  CLI11_PARSE(app, argc, argv);
  const Device device = Device::open("cpu", {.threads = threads, .isa = isa});

  const auto count = static_cast<double>(values);
  nlohmann::json out = {{"device", device.description()}, {"values", values}, {"rows", nlohmann::json::array()}};
  const auto report = [&](const std::string& name, const std::vector<std::pair<std::string, Spread>>& figures) {
    nlohmann::json row = {{"name", name}};
    std::string line = fmt::format("{:<10}", name);
    for (const auto& [what, figure] : figures) {
      row[what] = {{"median", figure.median}, {"low", figure.low}, {"high", figure.high}};
      line += fmt::format("{:>12.2f}", figure.median);
    }
    out["rows"].push_back(row);
    if (!json) fmt::print("{}\n", line);
  };
  if (!json) {
    fmt::print("{}, {} values, GB/s of unpacked bytes\n{:<10}{:>12}{:>12}{:>12}{:>12}{:>12}\n", device.description(),
               values, "", "pack i8", "pack f32", "unpack i8", "unpack f32", "repack");
  }
  const auto copy_rate = [&](size_t size) {
    std::vector<char> from(static_cast<size_t>(values) * size, 1), to(from.size());
    return rate(count * static_cast<double>(size), repetitions,
                [&] { std::memcpy(to.data(), from.data(), to.size()); });
  };
  const Spread bytes = copy_rate(1), words = copy_rate(4);
  report("memcpy", {{"pack i8", bytes}, {"pack f32", words}, {"unpack i8", bytes}, {"unpack f32", words}});
  for (int i = 0; i < tern::kPackedTypeCount; ++i) {
    const auto type = static_cast<PackedType>(i);
    const Tensor bytes_in = values_of(type, values, device), floats = cast(bytes_in, DType::f32);
    const PackedTensor packed = pack(bytes_in, type);
    const PackedType other = greatest_of(type) > 63 ? PackedType::u6 : PackedType::i7;
    report(std::string(name_of(type)),
           {{"pack i8", rate(count, repetitions, [&] { pack(bytes_in, type); })},
            {"pack f32", rate(4 * count, repetitions, [&] { pack(floats, type); })},
            {"unpack i8", rate(count, repetitions, [&] { unpack(packed, DType::i8); })},
            {"unpack f32", rate(4 * count, repetitions, [&] { unpack(packed, DType::f32); })},
            {"repack", rate(count, repetitions, [&] { repack(packed, other, tern::Overflow::saturate); })}});
  }
  if (json) fmt::print("{}\n", out.dump(2));
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
