// SPDX-License-Identifier: Apache-2.0
// Tokens per second of a whole model in prefill and decode: a random-weight model of a given shape, or a directory.
//
//   bench_tokens [--shape 2b-4t|MODEL] [--threads N] [--isa NAME] [--prompt N] [--decode N] [--repetitions N]
//
// Checked first: decoding token by token gives the logits of one pass, bit for bit. Prints median and spread.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>
#include <vector>

#include "tern/model.h"
#include "tern/ops.h"

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// bitnet-b1.58-2B-4T (arXiv 2504.12285).
tern::ModelConfig shape_2b_4t() {
  tern::ModelConfig config;
  config.vocab_size = 128256;
  config.hidden_size = 2560;
  config.intermediate_size = 6912;
  config.num_hidden_layers = 30;
  config.num_attention_heads = 20;
  config.num_key_value_heads = 5;
  config.max_position_embeddings = 4096;
  config.rope_theta = 500000.0;
  config.tie_word_embeddings = true;
  return config;
}

tern::Tensor some_ids(int64_t tokens, int64_t vocabulary, const tern::Device& device) {
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < tokens; ++i) ids.push_back((i * 7919 + 13) % vocabulary);
  return tern::Tensor::from(ids, {1, tokens}, device);
}

// Resident set size in MB.
double resident_mb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::stod(line.substr(6)) / 1024.0;
  }
  return 0;
}

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

struct Spread {
  double median, low, high;
};

Spread spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values.front(), values.back()};
}

double prefill_rate(const tern::Model& model, int64_t prompt) {
  tern::KvCache cache = model.make_cache(1, prompt);
  const tern::Tensor ids = some_ids(prompt, model.config().vocab_size, model.device());
  const double start = now();
  model.next_logits(ids, &cache).to_vector<float>();
  return static_cast<double>(prompt) / (now() - start);
}

// Greedy tokens after a prompt of one token.
double decode_rate(const tern::Model& model, int64_t tokens) {
  tern::KvCache cache = model.make_cache(1, tokens + 1);
  tern::Tensor id = some_ids(1, model.config().vocab_size, model.device());
  const double start = now();
  for (int64_t i = 0; i < tokens; ++i) id = tern::argmax(model.next_logits(id, &cache), -1, true);
  id.item();
  return static_cast<double>(tokens) / (now() - start);
}

bool decoding_equals_one_pass(const tern::Model& model) {
  const tern::Tensor ids = some_ids(5, model.config().vocab_size, model.device());
  const std::vector<float> whole = tern::select(model.logits(ids), 1, 4).to_vector<float>();
  tern::KvCache cache = model.make_cache(1, 5);
  std::vector<float> last;
  for (int64_t i = 0; i < 5; ++i) last = model.next_logits(tern::slice(ids, 1, i, i + 1), &cache).to_vector<float>();
  return last == whole;
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("tokens per second of a whole model");
  std::string shape = "2b-4t", isa;
  int threads = 0, repetitions = 5;
  int64_t prompt = 512, decode = 64;
  app.add_option("--shape", shape, "2b-4t (random weights) or a model directory")->capture_default_str();
  app.add_option("--threads", threads, "0: all cores");
  app.add_option("--isa", isa, "instruction set");
  app.add_option("--prompt", prompt)->capture_default_str();
  app.add_option("--decode", decode)->capture_default_str();
  app.add_option("--repetitions", repetitions)->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const tern::Device device = tern::Device::open("cpu", {threads, isa});
  const double start = now();
  const tern::Model model = shape == "2b-4t" ? tern::Model::create_random_packed(shape_2b_4t(), device, 1)
                                             : tern::Model::load(shape, device);
  fmt::print("{}, {}; {}; ready after {:.1f} s, resident {:.0f} MB\n", cpu_name(), device.description(), shape, now() - start,
             resident_mb());
  if (!decoding_equals_one_pass(model)) {
    fmt::print("expected decoding to equal one pass; it does not\n");
    return 1;
  }
  prefill_rate(model, prompt), decode_rate(model, 4);  // warm-up
  std::vector<double> prefill_rates, decode_rates;
  for (int i = 0; i < repetitions; ++i) {
    prefill_rates.push_back(prefill_rate(model, prompt));
    decode_rates.push_back(decode_rate(model, decode));
  }
  const Spread p = spread(prefill_rates), d = spread(decode_rates);
  fmt::print("prefill {:5}: {:8.2f} tokens/s  ({:.2f} to {:.2f})\n", prompt, p.median, p.low, p.high);
  fmt::print("decode  {:5}: {:8.2f} tokens/s  ({:.2f} to {:.2f})\n", decode, d.median, d.low, d.high);
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "bench_tokens: {}\n", error.what());
  return 1;
}
