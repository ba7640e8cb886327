// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "common.h"
#include "files.h"
#include "interrupt.h"
#include "output.h"
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

Json to_json(const std::string& prompt, const GenerateResult& result) {
  return {{"prompt", prompt},
          {"text", result.text},
          {"ids", result.ids},
          {"finish_reason", result.finish_reason},
          {"prompt_tokens", result.prompt_tokens},
          {"prefill_seconds", result.prefill_seconds},
          {"decode_seconds", result.decode_seconds},
          {"prefill_tokens_per_second", result.prefill_tokens_per_second()},
          {"decode_tokens_per_second", result.decode_tokens_per_second()}};
}

void report(const GenerateResult& result) {
  note("prefill {} tokens, {} tok/s; decode {} tokens, {} tok/s; end: {}\n", result.prompt_tokens,
       human_count(result.prefill_tokens_per_second()), result.ids.size(),
       human_count(result.decode_tokens_per_second()), result.finish_reason);
}

int continue_prompt(const Options& options) {
  const std::string prompt = options.prompt == "-" ? read_stdin() : options.prompt;
  GenerateOptions generate_options = options.generate;
  generate_options.add_bos = !options.no_bos;
  generate_options.sampling.seed = options.common.seed;
  const Model model = Model::load(options.model, open_device(options.common), load_options(options.head));
  const Tokenizer tokenizer = Tokenizer::load(options.model);

  catch_interrupts();
  const bool stream = !options.common.json;
  if (stream && options.echo) write_out(prompt);
  const GenerateResult result = generate(model, tokenizer, prompt, generate_options, [&](std::string_view piece) {
    if (stream && !piece.empty()) write_out(piece);
    return interrupted() == 0;
  });
  if (stream) {
    write_out("\n");
    report(result);
  } else {
    print_json(to_json(prompt, result));
  }
  return interrupted() ? interrupted_status() : 0;
}

void add_sampling(CLI::App& verb, SamplingOptions& sampling) {
  verb.add_option("--temperature", sampling.temperature, "0 is greedy")->capture_default_str();
  verb.add_option("--top-k", sampling.top_k, "Only the k most probable tokens; 0 keeps all")->capture_default_str();
  verb.add_option("--top-p", sampling.top_p, "Only the smallest set of tokens with this probability")
      ->capture_default_str();
  verb.add_option("--min-p", sampling.min_p, "Only tokens with this share of the largest probability")
      ->capture_default_str();
  verb.add_option("--repetition-penalty", sampling.repetition_penalty, "Above 1 makes tokens seen before less probable")
      ->capture_default_str();
}

}  // namespace

Action add_run(CLI::App& verb) {
  auto options = std::make_shared<Options>();
  GenerateOptions& generate = options->generate;
  add_model(verb, options->model);
  verb.add_option("PROMPT", options->prompt, "The text to continue; - reads it from stdin")->type_name("")->required();
  verb.add_option("--max-tokens", generate.max_tokens, "At most this many tokens")->capture_default_str();
  add_sampling(verb, generate.sampling);
  add_head(verb, options->head);
  verb.add_option("--stop", generate.stop, "End before this text; may be repeated")->allow_extra_args(false);
  verb.add_flag("--ignore-eos", generate.ignore_eos, "Go on after an end-of-text token");
  verb.add_flag("--no-bos", options->no_bos, "Do not put the model's begin-of-text token first");
  verb.add_flag("--echo", options->echo, "Print the prompt, too");
  add_common(verb, options->common);
  add_json(verb, options->common,
           "prompt, text, ids, finish_reason (stop, length, context or cancelled), prompt_tokens, prefill_seconds, "
           "decode_seconds, prefill_tokens_per_second, decode_tokens_per_second.");
  return [options] { return continue_prompt(*options); };
}

}  // namespace tern::cli
