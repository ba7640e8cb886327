// SPDX-License-Identifier: Apache-2.0
// Tokens per second of training, and where a step's time goes: quantizing the masters, forward, backward, optimizer.
//
//   bench_train_step [--device NAME] [--precision f32|bf16] [--threads N] [--isa NAME] [--hidden N] [--ffn N] [--layers N]
//                    [--heads N] [--kv-heads N] [--vocab N] [--batch N] [--tokens N] [--steps N] [--recompute] [--json]
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "device/backend.h"
#include "tern/autograd.h"
#include "tern/train.h"
#include "timing.h"

namespace {

using tern::benchmarks::now;

struct Phases {
  double quantize, forward, backward, optimizer;
  double total() const { return quantize + forward + backward + optimizer; }
};

tern::Tensor some_ids(int64_t batch, int64_t tokens, int64_t vocabulary, int step, const tern::Device& device) {
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < batch * tokens; ++i) ids.push_back((i * 7919 + step * 104729) % vocabulary);
  return tern::Tensor::from(ids, {batch, tokens}, device);
}

// The time when the device has done what it was asked for.
double idle(const tern::Device& device) {
  device.synchronize();
  return now();
}

Phases step(tern::Model& model, tern::Adamw& optimizer, const tern::Tensor& ids, bool recompute) {
  const tern::Device device = model.device();
  const double start = idle(device);
  model.requantize();
  const double quantized = idle(device);
  const tern::Tensor loss = model.loss(ids, {.recompute = recompute});
  const double forward = idle(device);
  tern::backward(loss);
  const double backward = idle(device);
  optimizer.step({}, 1.0 / std::max(1.0, optimizer.gradient_norm()));
  return {quantized - start, forward - quantized, backward - forward, idle(device) - backward};
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("tokens per second of training");
  std::string name = "cpu", precision = "f32", isa;
  int threads = 0, steps = 10;
  bool recompute = false, json = false;
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
  app.add_option("--steps", steps)->capture_default_str();
  app.add_flag("--recompute", recompute, "run each layer again for its gradient");
  app.add_flag("--json", json);
  CLI11_PARSE(app, argc, argv);
  if (config.intermediate_size == 0) config.intermediate_size = config.hidden_size * 11 / 4;
  config.max_position_embeddings = std::max(config.max_position_embeddings, tokens);

  const tern::Device device = tern::Device::open(
      name, {.threads = threads, .isa = isa, .matmul_precision = tern::matmul_precision_from_name(precision)});
  tern::Model model = tern::Model::create(config, device, 1);
  tern::Adamw optimizer(model.parameters());
  std::vector<Phases> phases;
  for (int i = 0; i < steps + 2; ++i) {
    const Phases p = step(model, optimizer, some_ids(batch, tokens, config.vocab_size, i, device), recompute);
    if (i >= 2) phases.push_back(p);  // after two of warm-up
  }
  std::sort(phases.begin(), phases.end(), [](const Phases& a, const Phases& b) { return a.total() < b.total(); });
  const auto rate = [&](const Phases& p) { return static_cast<double>(batch * tokens) / p.total(); };
  const Phases& p = phases[phases.size() / 2];
  const size_t peak = device.backend().peak_bytes();
  if (json) {
    const nlohmann::json out = {{"device", device.description()},
                                {"precision", name_of(device.matmul_precision())},
                                {"parameters", model.info().parameters},
                                {"batch", batch},
                                {"tokens", tokens},
                                {"tokens_per_s", rate(p)},
                                {"low", rate(phases.back())},
                                {"high", rate(phases.front())},
                                {"quantize_share", p.quantize / p.total()},
                                {"forward_share", p.forward / p.total()},
                                {"backward_share", p.backward / p.total()},
                                {"optimizer_share", p.optimizer / p.total()},
                                {"peak_device_bytes", peak}};
    fmt::print("{}\n", out.dump(2));
    return 0;
  }
  fmt::print("{}, {}; {} parameters, {} x {} tokens a step\n", device.description(), name_of(device.matmul_precision()),
             model.info().parameters, batch, tokens);
  fmt::print("{:.0f} tokens/s ({:.0f} to {:.0f}); of the median step: quantize {:.1f} %, forward {:.1f} %, backward {:.1f} %, "
             "optimizer {:.1f} %\n",
             rate(p), rate(phases.back()), rate(phases.front()), 100 * p.quantize / p.total(), 100 * p.forward / p.total(),
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
