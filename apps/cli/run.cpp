// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <memory>

#include "common.h"
#include "figures.h"
#include "files.h"
#include "interrupt.h"
#include "output.h"
#include "sampling.h"
#include "tern/engine.h"
#include "verbs.h"

namespace tern::cli {
namespace {

struct Options {
  CommonOptions common;
  std::string model, prompt, head;
  GenerateOptions generate;
  bool no_bos = false, echo = false;
};

Json to_json(const std::string& prompt, const GenerateResult& result, const Figures& figures) {
  Json object = {
      {"prompt", prompt}, {"text", result.text}, {"ids", result.ids}, {"finish_reason", result.finish_reason}};
  object.update(figures.to_json());
  return object;
}

int continue_prompt(const Options& options) {
  const std::string prompt = options.prompt == "-" ? read_stdin() : options.prompt;
  GenerateOptions generate_options = options.generate;
  generate_options.add_bos = !options.no_bos;
  generate_options.sampling.seed = options.common.seed;
  const auto start = std::chrono::steady_clock::now();
  const Model model = load_model(options.model, options.common, load_options(options.head));
  const Tokenizer tokenizer = Tokenizer::load(options.model);
  Figures figures;
  figures.load_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  catch_interrupts();
  const bool stream = !options.common.json;
  if (stream && options.echo) write_out(prompt);
  const GenerateResult result = generate(model, tokenizer, prompt, generate_options, [&](std::string_view piece) {
    if (stream && !piece.empty()) write_out(piece);
    return interrupted() == 0;
  });
  figures.add(model, generate_options.kv, result);
  if (stream) {
    write_out("\n");
    note("{}; end: {}\n", figures.to_text(), result.finish_reason);
  } else {
    print_json(to_json(prompt, result, figures));
  }
  return interrupted() ? interrupted_status() : 0;
}

}  // namespace

Action add_run(CLI::App& verb) {
  auto options = std::make_shared<Options>();
  GenerateOptions& generate = options->generate;
  add_model(verb, options->model, options->common);
  verb.add_option("PROMPT", options->prompt, "The text to continue; - reads it from stdin")->type_name("")->required();
  add_sampling(verb, generate);
  add_head(verb, options->head);
  verb.add_flag("--ignore-eos", generate.ignore_eos, "Go on after an end-of-text token");
  verb.add_flag("--no-bos", options->no_bos, "Do not put the model's begin-of-text token first");
  verb.add_flag("--echo", options->echo, "Print the prompt, too");
  add_common(verb, options->common);
  add_json(
      verb, options->common,
      std::string("prompt, text, ids, finish_reason (stop, length, context or cancelled), ") + kFigureFields + ".");
  return [options] { return continue_prompt(*options); };
}

}  // namespace tern::cli
