// SPDX-License-Identifier: Apache-2.0
#include "sampling.h"

#include <fmt/ranges.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tern/error.h"

namespace tern::cli {
namespace {

// One option that a chat can change, and the range in which generation takes it.
struct Setting {
  const char* name;
  double low, high;
  bool whole;  // an integer
  double (*get)(const TextOptions&);
  void (*set)(TextOptions&, double);
};

constexpr double kLargest = 1e15;

constexpr Setting kSettings[] = {
    {"temperature", 0, 1e6, false, [](const TextOptions& o) { return o.sampling.temperature; },
     [](TextOptions& o, double value) { o.sampling.temperature = value; }},
    {"top-k", 0, kLargest, true, [](const TextOptions& o) { return static_cast<double>(o.sampling.top_k); },
     [](TextOptions& o, double value) { o.sampling.top_k = static_cast<int64_t>(value); }},
    {"top-p", std::numeric_limits<double>::min(), 1, false, [](const TextOptions& o) { return o.sampling.top_p; },
     [](TextOptions& o, double value) { o.sampling.top_p = value; }},
    {"min-p", 0, 1, false, [](const TextOptions& o) { return o.sampling.min_p; },
     [](TextOptions& o, double value) { o.sampling.min_p = value; }},
    {"repetition-penalty", std::numeric_limits<double>::min(), 1e6, false,
     [](const TextOptions& o) { return o.sampling.repetition_penalty; },
     [](TextOptions& o, double value) { o.sampling.repetition_penalty = value; }},
    {"seed", 0, kLargest, true, [](const TextOptions& o) { return static_cast<double>(o.sampling.seed); },
     [](TextOptions& o, double value) { o.sampling.seed = static_cast<uint64_t>(value); }},
    {"max-tokens", 1, kLargest, true, [](const TextOptions& o) { return static_cast<double>(o.max_tokens); },
     [](TextOptions& o, double value) { o.max_tokens = static_cast<int64_t>(value); }},
};

bool parse(std::string_view text, double& value) {
  const std::string copy(text);
  char* end = nullptr;
  value = std::strtod(copy.c_str(), &end);
  return !copy.empty() && end == copy.c_str() + copy.size() && std::isfinite(value);
}

}  // namespace

void add_sampling(CLI::App& verb, TextOptions& options) {
  SamplingOptions& sampling = options.sampling;
  verb.add_option("--max-tokens", options.max_tokens, "At most this many tokens")->capture_default_str();
  verb.add_option("--temperature", sampling.temperature, "0 is greedy")->capture_default_str();
  verb.add_option("--top-k", sampling.top_k, "Only the k most probable tokens; 0 keeps all")->capture_default_str();
  verb.add_option("--top-p", sampling.top_p, "Only the smallest set of tokens with this probability")
      ->capture_default_str();
  verb.add_option("--min-p", sampling.min_p, "Only tokens with this share of the largest probability")
      ->capture_default_str();
  verb.add_option("--repetition-penalty", sampling.repetition_penalty, "Above 1 makes tokens seen before less probable")
      ->capture_default_str();
  verb.add_option("--stop", options.stop, "End before this text; may be repeated")->allow_extra_args(false);
}

void set_sampling(TextOptions& options, std::string_view name, std::string_view value) {
  std::vector<std::string_view> names;
  for (const Setting& setting : kSettings) {
    names.emplace_back(setting.name);
    if (setting.name != name) continue;
    double number = 0;
    const bool good = parse(value, number) && number >= setting.low && number <= setting.high &&
                      (!setting.whole || number == std::floor(number));
    if (!good) {
      throw Error(fmt::format("[set] expected {} from {:.6g} to {:.6g} for {}, got '{}'",
                              setting.whole ? "an integer" : "a number", setting.low, setting.high, name, value));
    }
    setting.set(options, number);
    return;
  }
  throw Error(fmt::format("[set] expected one of {}, got '{}'", fmt::join(names, ", "), name));
}

std::string sampling_text(const TextOptions& options) {
  std::string text;
  for (const Setting& setting : kSettings) {
    text += fmt::format("{}{} {:.15g}", text.empty() ? "" : ", ", setting.name, setting.get(options));
  }
  return text;
}

}  // namespace tern::cli
