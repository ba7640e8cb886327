// SPDX-License-Identifier: Apache-2.0
#include "common.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <system_error>

#include "progress.h"

namespace tern::cli {
namespace {

// Bytes of a directory's weights; 0 where there is no such directory, which loading will tell.
uintmax_t weight_bytes(const std::string& directory) {
  uintmax_t bytes = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    if (entry.path().extension() == ".safetensors" && entry.is_regular_file(ignored)) bytes += entry.file_size(ignored);
  }
  return bytes;
}

}  // namespace

void add_device(CLI::App& verb, CommonOptions& options) {
  verb.add_option("--device", options.device, "Device to run on (see tern devices)")
      ->type_name("NAME")
      ->capture_default_str();
}

void add_seed(CLI::App& verb, CommonOptions& options) {
  verb.add_option("--seed", options.seed, "Seed of all random choices")->type_name("N")->capture_default_str();
}

void add_precision(CLI::App& verb, CommonOptions& options) {
  verb.add_option("--precision", options.precision,
                  "Of dense products, and on some GPUs of activations: f32, or bf16, which tensor cores multiply "
                  "faster; a CPU keeps f32")
      ->check(CLI::IsMember({"f32", "bf16"}).description(""))
      ->capture_default_str();
}

void add_progress(CLI::App& verb, CommonOptions& options) {
  verb.add_option("--progress", options.progress,
                  "While the model is loaded: auto, bar or none; auto draws a bar on a terminal once it takes a moment")
      ->check(CLI::IsMember({"auto", "bar", "none"}).description(""))
      ->type_name("STYLE")
      ->capture_default_str();
}

void add_machine(CLI::App& verb, CommonOptions& options) {
  verb.add_option("--threads", options.threads, "Threads; 0 takes all cores")
      ->check(CLI::Range(0, 4096).description(""))
      ->type_name("N")
      ->capture_default_str();
  add_device(verb, options);
}

void add_common(CLI::App& verb, CommonOptions& options) {
  add_machine(verb, options);
  add_seed(verb, options);
}

void add_json(CLI::App& verb, CommonOptions& options, const std::string& fields) {
  verb.add_flag("--json", options.json, "Print one JSON object, and nothing else, on stdout");
  verb.footer("The object of --json: " + fields);
}

void add_model(CLI::App& verb, std::string& model, CommonOptions& options) {
  verb.add_option("MODEL", model, "Hugging Face directory: config.json, *.safetensors, tokenizer.json")
      ->type_name("")
      ->required();
  add_progress(verb, options);
}

void add_kv(CLI::App& verb, std::string& kv) {
  verb.add_option("--kv", kv, "How keys and values are kept: f32, f16, int8 or int4")
      ->check(CLI::IsMember({"f32", "f16", "int8", "int4"}).description(""))
      ->capture_default_str();
}

void add_head(CLI::App& verb, std::string& head) {
  verb.add_option("--head", head, "How logits are computed: full, screened (exact, too), int8 or int4 (approximate)")
      ->check(CLI::IsMember({"full", "screened", "int8", "int4"}).description(""))
      ->capture_default_str();
}

LoadOptions load_options(const std::string& head) {
  LoadOptions options;
  if (!head.empty()) options.head = head_type_from_name(head);
  return options;
}

Device open_device(const CommonOptions& options, bool tune) {
  return Device::open(options.device, {.threads = options.threads,
                                       .tune = tune,
                                       .matmul_precision = matmul_precision_from_name(options.precision),
                                       .ordinal = options.ordinal});
}

Model load_model(const std::string& directory, const CommonOptions& options, const LoadOptions& load) {
  // Measuring the machine takes a fraction of a second, which a small model would not win back.
  constexpr uintmax_t kWorthTuning = uintmax_t{64} << 20;
  return load_model(directory, open_device(options, weight_bytes(directory) >= kWorthTuning), options, load);
}

Model load_model(const std::string& directory, const Device& device, const CommonOptions& options,
                 const LoadOptions& load) {
  LoadProgress progress(options.progress);
  LoadOptions shown = load;
  shown.on_progress = [&](double fraction) {
    progress.show(fraction);
    return true;
  };
  return Model::load(directory, device, shown);
}

std::string human_count(double count) {
  constexpr const char* units[] = {"", " k", " M", " G", " T"};
  size_t unit = 0;
  while (std::abs(count) >= 999.5 && unit + 1 < std::size(units)) {
    count /= 1000;
    ++unit;
  }
  return unit == 0 && count == std::floor(count) ? fmt::format("{:.0f}", count)
                                                 : fmt::format("{:.3g}{}", count, units[unit]);
}

std::string human_bytes(int64_t bytes) {
  const std::string count = human_count(static_cast<double>(bytes));
  return count + (count.find(' ') == std::string::npos ? " B" : "B");
}

std::string human_duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  const int64_t hours = whole / 3600, minutes = whole / 60 % 60;
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60);
  return fmt::format("{}:{:02}", minutes, whole % 60);
}

}  // namespace tern::cli
