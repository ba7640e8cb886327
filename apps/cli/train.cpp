// SPDX-License-Identifier: Apache-2.0
#include "tern/train.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <utility>

#include "common.h"
#include "corpus.h"
#include "files.h"
#include "interrupt.h"
#include "output.h"
#include "progress.h"
#include "verbs.h"

namespace fs = std::filesystem;

namespace tern::cli {
namespace {

struct Options {
  CommonOptions common;
  std::vector<std::string> data, validation;
  std::string out, config, tokenizer;
  std::string progress = "auto";
  bool resume = false;
  std::vector<std::pair<TrainField, std::string>> fields;  // given on the command line
};

// The run's config as the program keeps it in its directory, for --resume.
fs::path kept_config(const Options& options) { return fs::path(options.out) / "train.json"; }

// Defaults, then what a resumed run was started with, then --config, then options.
TrainConfig resolve_config(const Options& options) {
  TrainConfig config;
  const std::string kept = kept_config(options).string();
  if (options.resume && there_is(kept)) config = train_config_from_json(read_text(kept), kept, config);
  if (!options.config.empty()) config = train_config_from_json(read_text(options.config), options.config, config);
  for (const auto& [field, text] : options.fields) field.set(config, text);
  return config;
}

bool has_checkpoints(const Options& options) {
  const fs::path checkpoints = fs::path(options.out) / "checkpoints";
  std::error_code ignored;
  return there_is(checkpoints) && !fs::is_empty(checkpoints, ignored);
}

void refuse_to_overwrite(const Options& options) {
  if (options.resume) return;
  if (has_checkpoints(options)) {
    throw Error(fmt::format(
        "[train] {}: expected a new directory, got one with checkpoints (--resume goes on from them)", options.out));
  }
  if (there_is(fs::path(options.out) / "config.json")) {
    throw Error(fmt::format("[train] {}: expected a new directory, got one with a model", options.out));
  }
}

// What --resume needs; a run that has checkpoints keeps what it was started with.
void keep_setup(const Options& options, const TrainConfig& config, const Tokenizer& tokenizer) {
  if (has_checkpoints(options)) return;
  std::error_code error;
  fs::create_directories(options.out, error);
  if (error) throw Error(fmt::format("[train] {}: {}", options.out, error.message()));
  tokenizer.save((fs::path(options.out) / "tokenizer.json").string());
  write_text(kept_config(options), to_json(config));
}

Tokenizer train_tokenizer(const Corpus& corpus, int64_t vocab_size) {
  BpeTrainOptions options;
  options.vocab_size = static_cast<int32_t>(std::min<int64_t>(vocab_size, INT32_MAX));
  const std::vector<std::string_view> texts(corpus.train.begin(), corpus.train.end());
  Tokenizer tokenizer = Tokenizer::train(texts, options);
  note("tokenizer: {} tokens from {}\n", tokenizer.vocab_size(), human_bytes(total_bytes(corpus.train)));
  return tokenizer;
}

// The given one; else, when a run is resumed, the one it began with; else one trained on the data.
Tokenizer make_tokenizer(const Options& options, const Corpus& corpus, int64_t vocab_size) {
  if (!options.tokenizer.empty()) return Tokenizer::load(options.tokenizer);
  const fs::path kept = fs::path(options.out) / "tokenizer.json";
  if (options.resume && there_is(kept)) return Tokenizer::load(kept.string());
  return train_tokenizer(corpus, vocab_size);
}

// The id itself if the tokenizer has a special token there, else that of the first name it knows, else -1.
int64_t special_id(const Tokenizer& tokenizer, int64_t id, std::initializer_list<const char*> names) {
  if (id >= 0 && id < tokenizer.vocab_size() && tokenizer.is_special(static_cast<int32_t>(id))) return id;
  for (const char* name : names) {
    if (const std::optional<int32_t> found = tokenizer.token_to_id(name)) return *found;
  }
  return -1;
}

void fit_to_tokenizer(ModelConfig& model, const Tokenizer& tokenizer) {
  model.vocab_size = tokenizer.vocab_size();
  model.bos_token_id = special_id(tokenizer, model.bos_token_id, {"<|begin_of_text|>", "<s>", "<|endoftext|>"});
  const int64_t eos = model.eos_token_ids.empty() ? -1 : model.eos_token_ids.front();
  const int64_t found = special_id(tokenizer, eos, {"<|end_of_text|>", "</s>", "<|endoftext|>"});
  if (found != eos) model.eos_token_ids = found < 0 ? std::vector<int64_t>{} : std::vector<int64_t>{found};
}

Json summary(const Options& options, const TrainProgress& progress, double seconds, int64_t parameters) {
  const StepReport& validation = progress.last_validation;
  Json json = {{"out", options.out},
               {"finished", progress.last.step == progress.last.steps},
               {"step", progress.last.step},
               {"steps", progress.last.steps},
               {"tokens", progress.last.tokens},
               {"parameters", parameters},
               {"loss", progress.last.loss},
               {"validation_loss", nullptr},
               {"validation_perplexity", nullptr},
               {"validation_bits_per_byte", nullptr},
               {"seconds", seconds},
               {"tokens_per_second", progress.last.tokens_per_second},
               {"quantize_seconds", progress.quantize_seconds},
               {"forward_seconds", progress.forward_seconds},
               {"backward_seconds", progress.backward_seconds},
               {"optimizer_seconds", progress.optimizer_seconds}};
  if (validation.has_validation) {
    json["validation_loss"] = validation.validation_loss;
    json["validation_perplexity"] = std::exp(validation.validation_loss);
    json["validation_bits_per_byte"] = validation.validation_bits_per_byte;
  }
  return json;
}

void print_summary(const Options& options, const TrainProgress& progress, double seconds, int64_t parameters) {
  const StepReport& last = progress.last;
  const StepReport& validation = progress.last_validation;
  print_out("{}: {} parameters, step {} of {}, {} tokens in {}, {} tok/s\n", options.out,
            human_count(static_cast<double>(parameters)), last.step, last.steps,
            human_count(static_cast<double>(last.tokens)), human_duration(seconds),
            human_count(last.tokens_per_second));
  print_out("loss {:.4f}", last.loss);
  if (validation.has_validation) {
    print_out(", held-out loss {:.4f}, perplexity {:.2f}, {:.3f} bits per byte (step {})", validation.validation_loss,
              std::exp(validation.validation_loss), validation.validation_bits_per_byte, validation.step);
  }
  const double sum =
      progress.quantize_seconds + progress.forward_seconds + progress.backward_seconds + progress.optimizer_seconds;
  const double percent = sum > 0 ? 100 / sum : 0;
  print_out("\ntime: quantize {:.1f}%, forward {:.1f}%, backward {:.1f}%, optimizer {:.1f}%\n",
            percent * progress.quantize_seconds, percent * progress.forward_seconds,
            percent * progress.backward_seconds, percent * progress.optimizer_seconds);
}

// Everything that train() needs, in the run's directory and at hand.
struct Prepared {
  TrainConfig config;
  Tokenizer tokenizer;
  TrainData data;
};

Prepared prepare(const Options& options) {
  TrainConfig config = resolve_config(options);
  config.validate();
  refuse_to_overwrite(options);
  const Corpus corpus = read_corpus(options.data, options.validation, config.validation_share);
  Tokenizer tokenizer = make_tokenizer(options, corpus, config.model.vocab_size);
  fit_to_tokenizer(config.model, tokenizer);
  TrainData data = tokenize(corpus, tokenizer, config.model);
  note("data: {} tokens to train on, {} held out\n", human_count(static_cast<double>(data.train.size())),
       human_count(static_cast<double>(data.validation.size())));
  keep_setup(options, config, tokenizer);
  return {std::move(config), std::move(tokenizer), std::move(data)};
}

// What rank 0 does, or a process alone.
int train_and_report(const Options& options, const Device& device, const Communicator& group) {
  const Prepared prepared = prepare(options);
  if (group.size() > 1) note("training on {} processes\n", group.size());
  catch_interrupts();
  TrainProgress progress(options.progress);
  const TrainCallbacks callbacks{[&](const StepReport& report) { progress.step(report); },
                                 [&](std::string_view text) { progress.line("warning: " + std::string(text)); },
                                 [] { return interrupted() != 0; }};
  const auto start = std::chrono::steady_clock::now();
  const Model model =
      train(prepared.config, prepared.data, prepared.tokenizer, device, options.out, options.resume, callbacks, group);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  progress.finish();
  const int64_t parameters = model.info().parameters;
  if (options.common.json) {
    print_json(summary(options, progress, seconds, parameters));
  } else {
    print_summary(options, progress, seconds, parameters);
  }
  if (interrupted() == 0) return 0;
  note("stopped at step {}; --resume goes on from there\n", progress.last.step);
  return interrupted_status();
}

int train_model(const Options& options) {
  const ProcessPlace place = process_place();
  CommonOptions machine = options.common;
  machine.ordinal = place.local_rank;
  const Device device = open_device(machine);
  const Communicator group = Communicator::join(place, device);
  if (group.rank() != 0) {
    catch_interrupts();
    train_along(device, group, [] { return interrupted() != 0; });
    return interrupted() == 0 ? 0 : interrupted_status();
  }
  int status = 0;
  group.guard([&] { status = train_and_report(options, device, group); });
  return status;
}

// Tells bad values while the command line is parsed.
std::string complaint(const TrainField& field, const std::string& text) {
  try {
    TrainConfig scratch;
    field.set(scratch, text);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

std::string option_name(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return "--" + name;
}

void add_fields(CLI::App& verb, const std::shared_ptr<Options>& options, CLI::Option* tokenizer) {
  for (const TrainField& field : train_fields()) {
    const auto take = [field, options](const std::string& text) { options->fields.emplace_back(field, text); };
    CLI::Option* option = verb.add_option_function<std::string>(option_name(field.name), take, field.help);
    option->check(CLI::Validator([field](const std::string& text) { return complaint(field, text); }, ""))
        ->type_name("VALUE")
        ->default_str(field.default_value)
        ->group("Configuration (also the keys of --config files)");
    if (field.name == "vocab_size") option->excludes(tokenizer);
  }
}

}  // namespace

Action add_train(CLI::App& verb) {
  auto options = std::make_shared<Options>();
  verb.add_option("--data", options->data, "Text files to train on; each is a document")->type_name("FILE")->required();
  verb.add_option("--out", options->out, "Directory of the run: checkpoints, log.jsonl, the final model")
      ->type_name("DIR")
      ->required();
  verb.add_option("--val", options->validation, "Text files to validate on, instead of the end of the training text")
      ->type_name("FILE");
  verb.add_option("--config", options->config, "JSON file of the configuration below; options override it")
      ->type_name("FILE");
  CLI::Option* tokenizer =
      verb.add_option("--tokenizer", options->tokenizer, "tokenizer.json, or its directory, instead of a trained one")
          ->type_name("FILE");
  verb.add_option("--progress", options->progress, "auto, bar or lines; auto draws a bar on a terminal")
      ->check(CLI::IsMember({"auto", "bar", "lines"}))
      ->capture_default_str();
  verb.add_flag("--resume", options->resume, "Go on from the newest checkpoint in --out");
  add_machine(verb, options->common);
  add_precision(verb, options->common);
  add_fields(verb, options, tokenizer);
  add_json(verb, options->common,
           "out, finished, step, steps, tokens, parameters, loss, validation_loss, validation_perplexity, "
           "validation_bits_per_byte (null without validation), seconds, tokens_per_second, quantize_seconds, "
           "forward_seconds, backward_seconds, optimizer_seconds (of the steps of this call).");
  return [options] { return train_model(*options); };
}

}  // namespace tern::cli
