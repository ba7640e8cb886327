// SPDX-License-Identifier: Apache-2.0
// Tokens per second of training, and where a step's time goes: quantizing the masters, forward, backward, optimizer.
//
//   bench_train_step [--threads N] [--isa NAME] [--hidden N] [--layers N] [--vocab N] [--batch N] [--tokens N] [--steps N]
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

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

Phases step(tern::Model& model, tern::Adamw& optimizer, const tern::Tensor& ids) {
  const double start = now();
  model.requantize();
  const double quantized = now();
  const tern::Tensor loss = model.loss(ids);
  const double forward = now();
  tern::backward(loss);
  const double backward = now();
  optimizer.step({}, 1.0 / std::max(1.0, optimizer.gradient_norm()));
  return {quantized - start, forward - quantized, backward - forward, now() - backward};
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("tokens per second of training");
  std::string isa;
  int threads = 0, steps = 10;
  int64_t batch = 16, tokens = 128;
  tern::ModelConfig config;
  config.hidden_size = 256;
  config.vocab_size = 2048;
  app.add_option("--threads", threads, "0: all cores");
  app.add_option("--isa", isa);
  app.add_option("--hidden", config.hidden_size)->capture_default_str();
  app.add_option("--layers", config.num_hidden_layers)->capture_default_str();
  app.add_option("--vocab", config.vocab_size)->capture_default_str();
  app.add_option("--batch", batch)->capture_default_str();
  app.add_option("--tokens", tokens)->capture_default_str();
  app.add_option("--steps", steps)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  config.intermediate_size = config.hidden_size * 11 / 4;

  const tern::Device device = tern::Device::open("cpu", {threads, isa});
  tern::Model model = tern::Model::create(config, device, 1);
  tern::Adamw optimizer(model.parameters());
  std::vector<Phases> phases;
  for (int i = 0; i < steps + 2; ++i) {
    const Phases p = step(model, optimizer, some_ids(batch, tokens, config.vocab_size, i, device));
    if (i >= 2) phases.push_back(p);  // after two of warm-up
  }
  std::sort(phases.begin(), phases.end(), [](const Phases& a, const Phases& b) { return a.total() < b.total(); });
  const auto rate = [&](const Phases& p) { return static_cast<double>(batch * tokens) / p.total(); };
  const Phases& p = phases[phases.size() / 2];
  fmt::print("{}; {} parameters, {} x {} tokens a step\n", device.description(), model.info().parameters, batch, tokens);
  fmt::print("{:.0f} tokens/s ({:.0f} to {:.0f}); of the median step: quantize {:.1f} %, forward {:.1f} %, backward {:.1f} %, "
             "optimizer {:.1f} %\n",
             rate(p), rate(phases.back()), rate(phases.front()), 100 * p.quantize / p.total(), 100 * p.forward / p.total(),
             100 * p.backward / p.total(), 100 * p.optimizer / p.total());
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "bench_train_step: {}\n", error.what());
  return 1;
}
