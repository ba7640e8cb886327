// SPDX-License-Identifier: Apache-2.0
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>

#include "common.h"
#include "figures.h"
#include "machine.h"
#include "measure.h"
#include "output.h"
#include "shapes.h"
#include "tern/error.h"
#include "verbs.h"

namespace tern::cli {
namespace {

constexpr const char* kFields =
    R"(The object of --json: model, parameters, ternary_parameters, kv, head, machine (cpu, isa, threads, clock_mhz: of one busy
core, measured), and of the first of --threads:
  read_gb_per_s           reading --read-mb of memory with all threads, the best of several times
  int8_peak_gops          10^9 multiplications and additions a second of int8 products in registers, the best
  load_s, resident_mb     until the model was ready; memory in use after decoding
  device_mb               the most that the device had allocated until then, of its own memory on a GPU
  model_mb                of it weights, head, and keys and values as they are held
  bytes_per_token         ternary weights + head + norms + keys and values at the mean length; of a screened head its
                          codes, not the few rows that it reads whole
  decode_tokens_per_s     one sequence, --decode tokens after --depth, greedy unless --temperature
  decode_bandwidth_share  bytes_per_token * decode_tokens_per_s / read_gb_per_s
  prefill_tokens_per_s    the first of --prompt
  prefill_peak_share      2 * ternary_parameters * prefill_tokens_per_s / int8_peak_gops: operations of the ternary
                          products alone, attention and head not counted
  runs                    all of this for each of --threads, with decode, prefill (each prompt), batches (tokens_per_s of
                          all sequences together, speedup over one) and kernels (products of `inputs` rows by the model's
                          ternary matrices: gop_per_s, of one row gb_per_s too), all as median, low and high; layout; and
                          fallback_share of the tokens that a screened head could not decide)";

struct Options {
  CommonOptions common;
  std::string model, shape, isa, layout = "auto", head, kv = "f16";
  std::vector<int> threads = {0};
  std::vector<int64_t> prompts = {512}, batches;
  int64_t prompt_batch = 1, chunk = 512, decode = 64, depth = 1, read_mb = 1024;
  double temperature = 0;
  bool no_kernels = false;
  Repetitions repetitions;

  KvType kv_type() const { return kv_type_from_name(kv); }
  std::string name() const { return model.empty() ? shape : model; }
  DecodeLoad decode_load(int64_t sequences) const { return {sequences, depth, decode, temperature}; }
};

struct Prefill {
  int64_t prompt;
  Spread rate;
};

struct Batch {
  int64_t size;
  Spread rate;
};

struct Kernel {
  TernaryShape shape;
  int64_t inputs, bytes;
  Spread seconds;

  double operations() const { return 2.0 * static_cast<double>(inputs * shape.rows * shape.cols); }
  double gop_per_s() const { return operations() / seconds.median * 1e-9; }
  double gb_per_s() const { return static_cast<double>(bytes) / seconds.median * 1e-9; }
};

// Everything about one number of threads.
struct Run {
  std::string isa, layout, head;
  int threads = 0;
  DeviceProbe probe;
  ModelInfo info;
  double load_s = 0;
  int64_t kv_bytes_per_token = 0, resident_bytes = 0, device_bytes = 0, model_bytes = 0;
  double bytes_per_token = 0, fallback_share = 0;
  Spread decode;
  std::vector<Prefill> prefills;
  std::vector<Batch> batches;
  std::vector<Kernel> kernels;

  double bandwidth_share() const { return bytes_per_token * decode.median * 1e-9 / probe.read_gb_per_s; }
  double peak_share(const Spread& rate) const {
    return 2.0 * static_cast<double>(info.ternary_parameters) * rate.median * 1e-9 / probe.int8_peak_gops;
  }
};

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Positions that the longest of the measurements needs.
int64_t window(const Options& options) {
  const int64_t prompt = *std::max_element(options.prompts.begin(), options.prompts.end());
  return std::max(prompt, options.depth + options.decode) + 1;
}

Model make_model(const Options& options, const Device& device) {
  const LoadOptions load = load_options(options.head);
  if (!options.model.empty()) return load_model(options.model, device, options.common, load);
  ModelConfig config = config_of_shape(options.shape);
  config.max_position_embeddings = std::max(config.max_position_embeddings, window(options));
  return Model::create_random_packed(config, device, options.common.seed, load);
}

Device open_device(const Options& options, int threads) {
  DeviceOptions device{.threads = threads, .isa = options.isa, .tune = true};
  if (options.layout != "auto") device.ternary_layout = ternary_layout_from_name(options.layout);
  return Device::open(options.common.device, device);
}

void measure_kernels(const Options& options, const Device& device, Run& run) {
  for (const TernaryShape& shape : run.info.ternary_shapes) {
    const double share =
        static_cast<double>(shape.rows * shape.cols) / static_cast<double>(run.info.ternary_parameters);
    const auto bytes = static_cast<int64_t>(share * static_cast<double>(run.info.ternary_bytes));
    for (const int64_t inputs : std::set<int64_t>{1, options.prompts[0]}) {
      run.kernels.push_back({shape, inputs, bytes, ternary_seconds(device, shape, inputs, options.repetitions)});
    }
  }
}

Run measure(const Options& options, int threads) {
  const Device device = open_device(options, threads);
  Run run;
  run.isa = device.isa();
  run.threads = device.threads();
  run.layout = name_of(device.ternary_layout());
  run.probe = device.probe({.bytes = static_cast<size_t>(options.read_mb) << 20});

  const double start = now();
  const Model model = make_model(options, device);
  run.load_s = now() - start;
  run.info = model.info();
  run.head = name_of(model.head());
  const int64_t most = model.config().max_position_embeddings;
  if (window(options) > most) {
    throw Error(
        fmt::format("[bench] expected --prompt, and --depth with --decode, within the model's window of {} tokens, "
                    "got {}",
                    most, window(options)));
  }
  const KvType kv = options.kv_type();
  run.kv_bytes_per_token = model.kv_bytes_per_token({.type = kv});
  check_decoding(model, kv);

  const DecodeRate decode = decode_rate(model, kv, options.decode_load(1), options.repetitions);
  run.decode = decode.rate;
  run.fallback_share = decode.fallback_share;
  run.resident_bytes = resident_bytes();
  run.device_bytes = static_cast<int64_t>(device.memory_statistics().peak);
  const int64_t longest = options.depth + options.decode;
  run.model_bytes = run.info.resident_bytes + run.kv_bytes_per_token * longest;
  run.bytes_per_token =
      bytes_per_token(model, kv, static_cast<double>(options.depth) + static_cast<double>(options.decode + 1) / 2);
  for (const int64_t prompt : options.prompts) {
    const PrefillLoad load = {options.prompt_batch, prompt, options.chunk};
    run.prefills.push_back({prompt, prefill_rate(model, kv, load, options.repetitions)});
  }
  for (const int64_t batch : options.batches) {
    const DecodeRate many = decode_rate(model, kv, options.decode_load(batch), options.repetitions);
    if (many.ids != decode.ids) {
      throw Error(
          fmt::format("[bench] expected a sequence to say the same in a batch of {} as alone, got another", batch));
    }
    run.batches.push_back({batch, many.rate});
  }
  if (!options.no_kernels) measure_kernels(options, device, run);
  return run;
}

double megabytes(int64_t bytes) { return static_cast<double>(bytes) * 1e-6; }

Json to_json(const Spread& spread) { return {{"median", spread.median}, {"low", spread.low}, {"high", spread.high}}; }

// The figures that the top of the object and every run have.
Json figures(const Run& run) {
  Json out = {{"read_gb_per_s", run.probe.read_gb_per_s},
              {"int8_peak_gops", run.probe.int8_peak_gops},
              {"load_s", run.load_s},
              {"resident_mb", megabytes(run.resident_bytes)},
              {"device_mb", megabytes(run.device_bytes)},
              {"model_mb", megabytes(run.model_bytes)},
              {"bytes_per_token", run.bytes_per_token},
              {"decode_tokens_per_s", run.decode.median},
              {"decode_bandwidth_share", run.bandwidth_share()},
              {"prefill_tokens_per_s", run.prefills[0].rate.median},
              {"prefill_peak_share", run.peak_share(run.prefills[0].rate)}};
  return out;
}

Json to_json(const Options& options, const Run& run) {
  Json out = {{"threads", run.threads},
              {"isa", run.isa},
              {"layout", run.layout},
              {"head", run.head},
              {"clock_mhz", run.probe.clock_mhz}};
  out.update(figures(run));
  out["kv_bytes_per_token"] = run.kv_bytes_per_token;
  out["ternary_bytes"] = run.info.ternary_bytes;
  out["head_bytes"] = run.info.head_bytes;
  out["fallback_share"] = run.fallback_share;
  out["decode"] = {{"tokens", options.decode}, {"depth", options.depth}, {"tokens_per_s", to_json(run.decode)}};
  out["prefill"] = Json::array();
  for (const Prefill& prefill : run.prefills) {
    out["prefill"].push_back({{"prompt", prefill.prompt},
                              {"sequences", options.prompt_batch},
                              {"chunk", options.chunk},
                              {"tokens_per_s", to_json(prefill.rate)},
                              {"peak_share", run.peak_share(prefill.rate)}});
  }
  out["batches"] = Json::array();
  for (const Batch& batch : run.batches) {
    out["batches"].push_back({{"batch", batch.size},
                              {"tokens_per_s", to_json(batch.rate)},
                              {"speedup", batch.rate.median / run.decode.median}});
  }
  out["kernels"] = Json::array();
  for (const Kernel& kernel : run.kernels) {
    Json entry = {{"rows", kernel.shape.rows}, {"cols", kernel.shape.cols},          {"count", kernel.shape.count},
                  {"inputs", kernel.inputs},   {"seconds", to_json(kernel.seconds)}, {"gop_per_s", kernel.gop_per_s()}};
    if (kernel.inputs == 1) entry["gb_per_s"] = kernel.gb_per_s();
    out["kernels"].push_back(std::move(entry));
  }
  return out;
}

Json to_json(const Options& options, const std::vector<Run>& runs) {
  const Run& first = runs.front();
  Json out = {
      {"model", options.name()},
      {"parameters", first.info.parameters},
      {"ternary_parameters", first.info.ternary_parameters},
      {"kv", options.kv},
      {"head", first.head},
      {"machine",
       {{"cpu", cpu_name()}, {"isa", first.isa}, {"threads", first.threads}, {"clock_mhz", first.probe.clock_mhz}}}};
  out.update(figures(first));
  out["runs"] = Json::array();
  for (const Run& run : runs) out["runs"].push_back(to_json(options, run));
  return out;
}

std::string text(const Spread& rate) {
  return fmt::format("{:9.2f} tok/s ({:.2f} to {:.2f})", rate.median, rate.low, rate.high);
}

void print_head(const Options& options, const Run& run) {
  print_out("{}: {} parameters, {} of them ternary; keys and values in {}\n{}\n", options.name(),
            human_count(static_cast<double>(run.info.parameters)),
            human_count(static_cast<double>(run.info.ternary_parameters)), options.kv, cpu_name());
}

void print_run(const Options& options, const Run& run) {
  print_out("\n{} thread{}, {} ({} layout), {} head, {:.0f} MHz; reads {:.1f} GB/s, int8 peak {:.0f} GOP/s\n",
            run.threads, run.threads == 1 ? "" : "s", run.isa, run.layout, run.head, run.probe.clock_mhz,
            run.probe.read_gb_per_s, run.probe.int8_peak_gops);
  print_out(
      "ready after {:.2f} s; {:.0f} MB resident, {:.0f} MB on the device, weights with keys and values {:.0f} MB\n",
      run.load_s, megabytes(run.resident_bytes), megabytes(run.device_bytes), megabytes(run.model_bytes));
  for (const Prefill& prefill : run.prefills) {
    print_out("prefill {:6} {}  {:.0f}% of the int8 peak\n", prefill.prompt, text(prefill.rate),
              100 * run.peak_share(prefill.rate));
  }
  print_out("decode  {:6} {}  {:.1f} MB a token, {:.0f}% of reading\n", options.decode, text(run.decode),
            run.bytes_per_token * 1e-6, 100 * run.bandwidth_share());
  for (const Batch& batch : run.batches) {
    print_out("batch   {:6} {}  {:.2f} times one sequence\n", batch.size, text(batch.rate),
              batch.rate.median / run.decode.median);
  }
  for (const Kernel& kernel : run.kernels) {
    const std::string memory = kernel.inputs == 1 ? fmt::format(", {:.1f} GB/s", kernel.gb_per_s()) : "";
    print_out("ternary {:>6} x {:<6} {:>4} input{} {:10.1f} us ({:.1f} to {:.1f})  {:.0f} GOP/s{}\n", kernel.shape.rows,
              kernel.shape.cols, kernel.inputs, kernel.inputs == 1 ? " " : "s", kernel.seconds.median * 1e6,
              kernel.seconds.low * 1e6, kernel.seconds.high * 1e6, kernel.gop_per_s(), memory);
  }
}

int bench(const Options& options) {
  std::vector<Run> runs;
  for (const int threads : options.threads) {
    runs.push_back(measure(options, threads));
    if (options.common.json) continue;
    if (runs.size() == 1) print_head(options, runs[0]);
    print_run(options, runs.back());
  }
  if (options.common.json) print_json(to_json(options, runs));
  return 0;
}

CLI::Validator at_least(int64_t least) { return CLI::Validator(CLI::Range(least, int64_t{1} << 30)).description(""); }

}  // namespace

Action add_bench(CLI::App& verb) {
  auto options = std::make_shared<Options>();
  CLI::Option* model = verb.add_option("MODEL", options->model, "Hugging Face directory to measure")->type_name("");
  CLI::Option* shape = verb.add_option("--shape", options->shape,
                                       fmt::format("Instead of a directory, random weights in the dimensions of: {}",
                                                   fmt::join(shape_names(), ", ")))
                           ->type_name("NAME")
                           ->check(CLI::IsMember(shape_names()).description(""))
                           ->excludes(model);
  model->excludes(shape);
  verb.add_option("--threads", options->threads, "Threads, as \"1,2\"; 0 takes all cores")
      ->delimiter(',')
      ->check(CLI::Range(0, 1024).description(""))
      ->type_name("LIST")
      ->capture_default_str();
  verb.add_option("--prompt", options->prompts, "Tokens to take in, as \"128,512\"")
      ->delimiter(',')
      ->check(at_least(1))
      ->type_name("LIST")
      ->capture_default_str();
  verb.add_option("--prompt-batch", options->prompt_batch, "Prompts to take in together")
      ->check(at_least(1))
      ->capture_default_str();
  verb.add_option("--chunk", options->chunk, "Tokens of prompts to take in at a time")
      ->check(at_least(1))
      ->capture_default_str();
  verb.add_option("--decode", options->decode, "Tokens to draw one by one")->check(at_least(1))->capture_default_str();
  verb.add_option("--depth", options->depth, "Tokens before them")->check(at_least(1))->capture_default_str();
  verb.add_option("--temperature", options->temperature, "Of what is drawn, without a filter; 0 is greedy")
      ->check(CLI::Validator(CLI::NonNegativeNumber).description(""))
      ->capture_default_str();
  verb.add_option("--batch", options->batches, "Sequences to draw for at once, as \"1,4,16\"")
      ->delimiter(',')
      ->check(at_least(1))
      ->type_name("LIST");
  verb.add_option("--repetitions", options->repetitions.count, "Measure each at least so often")
      ->check(at_least(1))
      ->capture_default_str();
  verb.add_option("--seconds", options->repetitions.seconds, "and for at least so long")
      ->check(CLI::Validator(CLI::NonNegativeNumber).description(""))
      ->capture_default_str();
  add_kv(verb, options->kv);
  add_head(verb, options->head);
  verb.add_option("--layout", options->layout, "How ternary weights are held: two_bit, base3, or auto, the faster one")
      ->check(CLI::IsMember({"auto", "two_bit", "base3"}).description(""))
      ->capture_default_str();
  verb.add_option("--isa", options->isa, "Instruction set (see tern devices)")->type_name("NAME");
  verb.add_option("--read-mb", options->read_mb, "Memory to read, several times the caches")
      ->check(at_least(1))
      ->capture_default_str();
  verb.add_flag("--no-kernels", options->no_kernels, "Leave out the products one by one");
  add_device(verb, options->common);
  add_seed(verb, options->common);
  add_progress(verb, options->common);
  add_json(verb, options->common, "");
  verb.footer(kFields);
  return [options] {
    if (options->name().empty()) throw Error("[bench] expected a model directory or --shape, got neither");
    return bench(*options);
  };
}

}  // namespace tern::cli
