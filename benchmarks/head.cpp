// SPDX-License-Identifier: Apache-2.0
// The screened head beside the full one: the same tokens, how often the screen decides, and what it saves.
//
//   bench_head [--shape 2b-4t|MODEL] [--vocab N] [--hidden N] [--kind normal|peaked|mixed] [--text FILE] [--states N]
//              [--timed N] [--threads N] [--isa NAME]
//
// Only the head of the model counts: a random uniform one in bf16 of bitnet-b1.58-2B-4T's shape, or a directory's.
// Hidden states are those of a directory's model on the tokens of a text, or random: `normal` (for which logits have
// the least spread against the bound), `peaked` (noise that points at a token), or half of each; random ones are scaled
// so that logits deviate by 2.5. First each state's token is picked both ways by one of four samplers in turn, and
// compared (a few states together, as in a batch, or one by one); then picking one row at a time is timed, both ways in
// turn, as median and spread. Also printed: the time to make the codes, and how far the logits of the int8 and int4
// heads are from the exact ones.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/random.h"
#include "engine/pick.h"
#include "tern/ops.h"
#include "tern/text.h"
#include "timing.h"

namespace {

using tern::HeadType;
using tern::Model;
using tern::PickRequest;
using tern::PickStatistics;
using tern::Sampler;
using tern::Tensor;
using tern::benchmarks::now;
using tern::benchmarks::Spread;
using tern::benchmarks::spread;

std::string milliseconds(const Spread& s) {
  return fmt::format("{:8.3f} ms ({:.3f} to {:.3f})", s.median * 1e3, s.low * 1e3, s.high * 1e3);
}

struct NamedSampler {
  std::string name;
  Sampler sampler;
};

std::vector<NamedSampler> samplers() {
  return {{"greedy", Sampler({})},
          {"top-k 40, top-p 0.95, T 0.8", Sampler({.temperature = 0.8, .top_k = 40, .top_p = 0.95, .seed = 1})},
          {"min-p 0.05, T 1", Sampler({.temperature = 1.0, .min_p = 0.05, .seed = 2})},
          {"top-p 0.9, T 1", Sampler({.temperature = 1.0, .top_p = 0.9, .seed = 3})}};
}

// The final hidden states [tokens, hidden] of the tokens of a text, in windows.
Tensor states_of_text(const Model& model, const std::string& directory, const std::string& file) {
  std::ifstream stream(file);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  const std::vector<int32_t> ids = tern::Tokenizer::load(directory).encode(text);
  const size_t window = static_cast<size_t>(std::min<int64_t>(256, model.config().max_position_embeddings));
  std::vector<Tensor> parts;
  for (size_t begin = 0; begin < ids.size(); begin += window) {
    const auto part = std::span(ids).subspan(begin, std::min(window, ids.size() - begin));
    tern::KvPool pool = model.make_kv_pool({.pages = 1, .page_tokens = static_cast<int64_t>(window)});
    tern::KvSequence sequence = {{pool.acquire()}, 0};
    const tern::SequenceStep step = {part, &sequence};
    parts.push_back(model.hidden_states({&step, 1}, pool));
  }
  if (parts.empty()) throw std::runtime_error(file + ": expected a text");
  return tern::concat(parts, 0);
}

// Hidden rows [count, hidden], the i-th by its number alone.
class States {
 public:
  States(const Model& model, std::string kind) : model_(model), kind_(std::move(kind)) {
    double squares = 0;
    const std::vector<float> logits = model.head_logits(rows(0, 1)).to_vector<float>();
    for (const float x : logits) squares += static_cast<double>(x) * static_cast<double>(x);
    scale_ = static_cast<float>(kLogitSpread / std::sqrt(squares / static_cast<double>(logits.size())));
  }

  States(const Model& model, Tensor text) : model_(model), text_(std::move(text)) {}

  Tensor rows(int64_t first, int64_t count) const {
    if (text_.defined()) {
      std::vector<int64_t> at;
      for (int64_t i = first; i < first + count; ++i) at.push_back(i % text_.size(0));
      return tern::embedding(text_, Tensor::from(at, {count}, model_.device()));
    }
    const int64_t hidden = model_.config().hidden_size;
    std::vector<float> values;
    for (int64_t i = first; i < first + count; ++i) {
      tern::Random random(tern::random_bits(7, static_cast<uint64_t>(i)));
      const bool peaked = kind_ == "peaked" || (kind_ == "mixed" && i % 2 == 1);
      const std::vector<float> direction = peaked ? token(random) : std::vector<float>(static_cast<size_t>(hidden));
      for (const float d : direction) values.push_back(scale_ * (static_cast<float>(random.normal()) + d));
    }
    return Tensor::from(values, {count, hidden}, model_.device());
  }

 private:
  // A token's row, scaled so that its logit stands out of the noise by about 10 of the others' deviations.
  std::vector<float> token(tern::Random& random) const {
    const auto id = static_cast<int64_t>(random.below(static_cast<uint64_t>(model_.config().vocab_size)));
    for (const tern::Parameter& p : model_.parameters()) {
      const bool head =
          model_.config().tie_word_embeddings ? p.name == "model.embed_tokens.weight" : p.name == "lm_head.weight";
      if (!head) continue;
      std::vector<float> row = tern::cast(tern::select(p.value, 0, id), tern::DType::f32).to_vector<float>();
      double squares = 0;
      for (const float x : row) squares += static_cast<double>(x) * static_cast<double>(x);
      const auto factor = static_cast<float>(10.0 / std::sqrt(squares));
      for (float& x : row) x *= factor;
      return row;
    }
    return {};
  }

  // The logits' standard deviation, as language models have it.
  static constexpr double kLogitSpread = 2.5;

  const Model& model_;
  std::string kind_;
  Tensor text_;
  float scale_ = 1;
};

// The tokens that the full head gives, and those of the screened one. Returns how many differ.
int64_t compare(const Model& model, const States& states, int64_t count) {
  constexpr int64_t kBatch = 64;
  int64_t different = 0;
  const auto width = static_cast<size_t>(model.config().vocab_size);
  std::vector<NamedSampler> all = samplers();
  std::vector<PickStatistics> statistics(all.size());
  for (int64_t first = 0; first < count; first += kBatch) {
    const int64_t size = std::min(kBatch, count - first);
    const Tensor hidden = states.rows(first, size);
    const std::vector<float> logits = model.head_logits(hidden).to_vector<float>();
    // A state goes to one of the samplers; each gets both kinds. Mostly several at once, as in a batch; every eighth
    // time one by one.
    const auto share = (size + std::ssize(all) - 1) / std::ssize(all);
    const int64_t at_once = first / kBatch % 8 == 0 ? 1 : share;
    for (int64_t i = 0, count_now = 0; i < size; i += count_now) {
      const auto s = static_cast<size_t>(i / share);
      count_now = std::min({at_once, share - i % share, size - i});
      std::vector<PickRequest> requests;
      for (int64_t r = i; r < i + count_now; ++r)
        requests.push_back({&all[s].sampler, static_cast<uint64_t>(first + r)});
      const auto got = tern::pick_tokens(model, tern::slice(hidden, 0, i, i + count_now), requests, statistics[s]);
      for (int64_t r = 0; r < count_now; ++r) {
        const auto exact = std::span(logits).subspan(static_cast<size_t>(i + r) * width, width);
        different +=
            got[static_cast<size_t>(r)].id != all[s].sampler.sample(exact, requests[static_cast<size_t>(r)].index);
      }
    }
  }
  for (size_t s = 0; s < all.size(); ++s) {
    const PickStatistics& n = statistics[s];
    fmt::print("{:<28} {:7} states: screen decides {:6.2f} %, falls back {:6.2f} %, {:8.1f} logits computed a row\n",
               all[s].name, n.rows, 100.0 * static_cast<double>(n.screened) / static_cast<double>(n.rows),
               100.0 * static_cast<double>(n.fallbacks) / static_cast<double>(n.rows),
               static_cast<double>(n.rescored) / static_cast<double>(n.rows));
  }
  fmt::print("{} of {} tokens differ from the full head's\n", different, count);
  return different;
}

void time_picks(const Model& model, const States& states, int64_t count) {
  for (const NamedSampler& s : samplers()) {
    std::vector<double> full, screened;
    PickStatistics statistics;
    for (int64_t i = -2; i < count; ++i) {  // the first two warm up
      const Tensor hidden = states.rows(i + 2, 1);
      const auto index = static_cast<uint64_t>(i + 2);
      const double start = now();
      const int32_t expected = s.sampler.sample(model.head_logits(hidden).to_vector<float>(), index);
      const double middle = now();
      const std::vector<PickRequest> request = {{&s.sampler, index}};
      const int32_t got = tern::pick_tokens(model, hidden, request, statistics)[0].id;
      const double end = now();
      if (expected != got) throw std::runtime_error("the screened head gave another token");
      if (i < 0) continue;
      full.push_back(middle - start);
      screened.push_back(end - middle);
    }
    const Spread f = spread(full), c = spread(screened);
    fmt::print("{:<28} full {}, screened {}: {:.2f} times as fast\n", s.name, milliseconds(f), milliseconds(c),
               f.median / c.median);
  }
}

// Times the coding, and the approximate heads; leaves the model screened.
void coding(Model& model, const States& states) {
  const Tensor hidden = states.rows(0, 4);
  model.set_head(HeadType::full);
  const std::vector<float> exact = model.head_logits(hidden).to_vector<float>();
  for (const auto& [type, name] :
       {std::pair{HeadType::int8, "int8"}, {HeadType::int4, "int4"}, {HeadType::screened, "screened"}}) {
    const double start = now();
    model.set_head(type);
    const double seconds = now() - start;
    const std::vector<float> logits = model.head_logits(hidden).to_vector<float>();
    double squares = 0, largest = 0, spread = 0;
    for (size_t i = 0; i < logits.size(); ++i) {
      const double difference = static_cast<double>(logits[i]) - static_cast<double>(exact[i]);
      squares += difference * difference;
      spread += static_cast<double>(exact[i]) * static_cast<double>(exact[i]);
      largest = std::max(largest, std::fabs(difference));
    }
    std::vector<double> times;
    for (int i = 0; i < 9; ++i) {
      const Tensor row = states.rows(i, 1);
      const double begin = now();
      model.head_logits(row);
      times.push_back(now() - begin);
    }
    fmt::print(
        "{:<9} coded in {:.3f} s; all logits of a row {}; off by {:.2e} of their size (mean square), at most {:.2e}\n",
        name, seconds, milliseconds(spread == 0 ? Spread{} : tern::benchmarks::spread(times)),
        std::sqrt(squares / spread), largest);
  }
}

tern::ModelConfig shape_2b_4t() {
  tern::ModelConfig config;
  config.vocab_size = 128256;
  config.hidden_size = 2560;
  config.intermediate_size = 64;  // the body does not count
  config.num_hidden_layers = 1;
  config.num_attention_heads = 20;
  config.num_key_value_heads = 5;
  return config;
}

}  // namespace

int main(int argc, char** argv) try {
  std::string shape = "2b-4t", kind = "mixed", text, isa;
  int threads = 0;
  int64_t states = 1000, timed = 15, vocabulary = 0, hidden = 0;
  CLI::App app("The screened head beside the full one");
  app.add_option("--shape", shape, "2b-4t, or the directory of a model")->capture_default_str();
  app.add_option("--vocab", vocabulary, "Another vocabulary than the shape's");
  app.add_option("--hidden", hidden, "Another hidden size than the shape's, a multiple of 40");
  app.add_option("--kind", kind, "Hidden states")
      ->check(CLI::IsMember({"normal", "peaked", "mixed"}))
      ->capture_default_str();
  app.add_option("--text", text, "Hidden states of the directory's model on this text");
  app.add_option("--states", states, "States to compare; the suite of claims takes 100000")->capture_default_str();
  app.add_option("--timed", timed, "States to time")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--threads", threads, "0: one per core");
  app.add_option("--isa", isa, "Instruction set");
  CLI11_PARSE(app, argc, argv);

  const tern::Device device = tern::Device::open("cpu", {threads, isa});
  tern::ModelConfig config = shape_2b_4t();
  if (vocabulary > 0) config.vocab_size = vocabulary;
  if (hidden > 0) config.hidden_size = hidden;
  Model model = shape == "2b-4t" ? Model::create_random_packed(config, device, 1) : Model::load(shape, device);
  fmt::print("{}; head {} x {}; {} states\n", device.description(), model.config().vocab_size,
             model.config().hidden_size, text.empty() ? kind : text);
  const States all = text.empty() ? States(model, kind) : States(model, states_of_text(model, shape, text));
  coding(model, all);
  const bool same = compare(model, all, states) == 0;
  time_picks(model, all, timed);
  return same ? 0 : 1;
} catch (const std::exception& error) {
  fmt::print(stderr, "bench_head: {}\n", error.what());
  return 1;
}
