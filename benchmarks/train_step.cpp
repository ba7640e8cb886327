// SPDX-License-Identifier: Apache-2.0
// Tokens per second of training, of steps that follow each other as in a run; and where a step's time goes when each
// part is waited for: quantizing the masters, forward, backward, optimizer.
//
//   bench_train_step [--device NAME] [--precision f32|bf16] [--threads N] [--isa NAME] [--hidden N] [--ffn N]
//                    [--layers N] [--heads N] [--kv-heads N] [--vocab N] [--batch N] [--tokens N] [--steps N]
//                    [--rounds N] [--recompute] [--no-recording] [--json] [--profile]
//
// With --profile it measures nothing: after the warm-up it takes one step between marks for NVIDIA's profilers, which
// look at this step alone when started with --profile-from-start off (kernel_table.py does so).
#include <dlfcn.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "device/backend.h"
#include "tern/train.h"
#include "timing.h"
#include "train/training_pass.h"

namespace {

using tern::benchmarks::now;

struct Phases {
  double quantize, forward, backward, optimizer;
  double total() const { return quantize + forward + backward + optimizer; }
};

// Sequences of some tokens, each the target of the one before it.
tern::TokenBatch some_tokens(int64_t batch, int64_t tokens, int64_t vocabulary, int64_t which) {
  tern::TokenBatch made{batch, {}, {}};
  for (int64_t i = 0; i < batch * tokens; ++i) {
    const auto token = [&](int64_t at) { return (at * 7919 + which * 104729) % vocabulary; };
    made.ids.push_back(token(i));
    made.targets.push_back(token(i + 1));
  }
  return made;
}

class Bench {
 public:
  Bench(const tern::ModelConfig& config, const tern::Device& device, int64_t batch, int64_t tokens, bool recompute,
        bool records)
      : device_(device),
        model_(tern::Model::create(config, device, 1)),
        optimizer_(model_.parameters()),
        pass_(model_, {.recompute = recompute}, records) {
    for (int64_t i = 0; i < kBatches; ++i) batches_.push_back(some_tokens(batch, tokens, config.vocab_size, i));
  }

  // Seconds of so many steps.
  double run(int steps) {
    const double start = idle();
    for (int i = 0; i < steps; ++i) step([] { return 0.0; });
    return idle() - start;
  }

  // Of one step whose parts wait for the device.
  Phases parts() {
    return step([this] { return idle(); });
  }

  int64_t parameters() const { return model_.info().parameters; }

 private:
  static constexpr int64_t kBatches = 4;

  // The time when the device has done what it was asked for.
  double idle() const {
    device_.synchronize();
    return now();
  }

  template <class Time>
  Phases step(const Time& time) {
    const tern::TokenBatch& tokens = batches_[static_cast<size_t>(++steps_ % kBatches)];
    const double start = time();
    model_.requantize();
    const double quantized = time();
    pass_.forward(tokens);
    const double forward = time();
    pass_.backward();
    const double backward = time();
    optimizer_.step({}, 1.0 / std::max(1.0, optimizer_.gradient_norm()));
    return {quantized - start, forward - quantized, backward - forward, time() - backward};
  }

  const tern::Device device_;
  tern::Model model_;
  tern::Adamw optimizer_;
  tern::TrainingPass pass_;
  std::vector<tern::TokenBatch> batches_;  // on the host, as a run draws them
  int64_t steps_ = 0;
};

// Calls a function of the CUDA driver that takes nothing, where the process has the driver.
void call_driver(const char* function) {
  void* const driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
  if (driver == nullptr) return;
  if (void* const found = dlsym(driver, function)) reinterpret_cast<int (*)()>(found)();
  dlclose(driver);
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("tokens per second of training");
  std::string name = "cpu", precision = "f32", isa;
  int threads = 0, steps = 10, rounds = 3;
  bool recompute = false, no_recording = false, json = false, profile = false;
  int64_t batch = 16, tokens = 128;
  tern::ModelConfig config;
  config.hidden_size = 256;
  config.intermediate_size = 0;
  config.vocab_size = 2048;
  app.add_option("--device", name)->capture_default_str();
  app.add_option("--precision", precision, "of dense products: f32 or bf16")->capture_default_str();
  app.add_option("--threads", threads, "0: all cores");
  app.add_option("--isa", isa);
  app.add_option("--hidden", config.hidden_size)->capture_default_str();
  app.add_option("--ffn", config.intermediate_size, "0: 11/4 of --hidden")->capture_default_str();
  app.add_option("--layers", config.num_hidden_layers)->capture_default_str();
  app.add_option("--heads", config.num_attention_heads)->capture_default_str();
  app.add_option("--kv-heads", config.num_key_value_heads)->capture_default_str();
  app.add_option("--vocab", config.vocab_size)->capture_default_str();
  app.add_option("--batch", batch)->capture_default_str();
  app.add_option("--tokens", tokens)->capture_default_str();
  app.add_option("--steps", steps, "of a round")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--rounds", rounds, "of which the median is told")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_flag("--recompute", recompute, "run each layer again for its gradient");
  app.add_flag("--no-recording", no_recording, "launch each kernel of each step, where the device could replay them");
  app.add_flag("--json", json);
  app.add_flag("--profile", profile, "take one step, for a profiler");
  CLI11_PARSE(app, argc, argv);
  if (config.intermediate_size == 0) config.intermediate_size = config.hidden_size * 11 / 4;
  config.max_position_embeddings = std::max(config.max_position_embeddings, tokens);

  const tern::Device device = tern::Device::open(
      name, {.threads = threads, .isa = isa, .matmul_precision = tern::matmul_precision_from_name(precision)});
  Bench bench(config, device, batch, tokens, recompute, !no_recording);
  bench.run(3);  // warm-up; the first step is plain, the second recorded
  if (profile) {
    call_driver("cuProfilerStart");
    bench.run(1);
    call_driver("cuProfilerStop");
    return 0;
  }
  std::vector<double> rates;
  for (int i = 0; i < rounds; ++i) rates.push_back(static_cast<double>(steps * batch * tokens) / bench.run(steps));
  std::sort(rates.begin(), rates.end());
  const double rate = rates[rates.size() / 2];
  std::vector<Phases> phases;
  for (int i = 0; i < steps; ++i) phases.push_back(bench.parts());
  std::sort(phases.begin(), phases.end(), [](const Phases& a, const Phases& b) { return a.total() < b.total(); });
  const Phases& p = phases[phases.size() / 2];
  const size_t peak = device.memory_statistics().peak;
  if (json) {
    const nlohmann::json out = {{"device", device.description()},
                                {"precision", name_of(device.matmul_precision())},
                                {"parameters", bench.parameters()},
                                {"batch", batch},
                                {"tokens", tokens},
                                {"tokens_per_s", rate},
                                {"low", rates.front()},
                                {"high", rates.back()},
                                {"quantize_share", p.quantize / p.total()},
                                {"forward_share", p.forward / p.total()},
                                {"backward_share", p.backward / p.total()},
                                {"optimizer_share", p.optimizer / p.total()},
                                {"peak_device_bytes", peak}};
    fmt::print("{}\n", out.dump(2));
    return 0;
  }
  fmt::print("{}, {}; {} parameters, {} x {} tokens a step\n", device.description(), name_of(device.matmul_precision()),
             bench.parameters(), batch, tokens);
  fmt::print(
      "{:.0f} tokens/s ({:.0f} to {:.0f}); of the median step whose parts wait: quantize {:.1f} %, forward {:.1f} %, "
      "backward {:.1f} %, "
      "optimizer {:.1f} %\n",
      rate, rates.front(), rates.back(), 100 * p.quantize / p.total(), 100 * p.forward / p.total(),
      100 * p.backward / p.total(), 100 * p.optimizer / p.total());
  if (peak > 0) {
    fmt::print("at most {:.2f} GiB of the device's memory\n",
               static_cast<double>(peak) / static_cast<double>(size_t{1} << 30));
  }
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "bench_train_step: {}\n", error.what());
  return 1;
}
