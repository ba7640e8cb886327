// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>

#include "common.h"
#include "files.h"
#include "output.h"
#include "tern/train.h"
#include "verbs.h"

namespace tern::cli {
namespace {

struct Options {
  CommonOptions common;
  std::string model, file, kv = "f32", head = "full";
  int64_t window = 0;
};

constexpr int64_t kDefaultWindow = 512;

int evaluate_file(const Options& options) {
  const std::string text = read_text(options.file);
  const Model model = load_model(options.model, options.common, load_options(options.head));
  const std::vector<int32_t> ids = Tokenizer::load(options.model).encode(text);
  const int64_t window =
      options.window > 0 ? options.window : std::min(kDefaultWindow, model.config().max_position_embeddings);
  const Evaluation result = evaluate(model, ids, std::ssize(text), window, kv_type_from_name(options.kv));
  if (options.common.json) {
    print_json({{"perplexity", result.perplexity},
                {"bits_per_byte", result.bits_per_byte},
                {"loss", result.loss},
                {"tokens", result.tokens},
                {"bytes", text.size()},
                {"window", window},
                {"kv", options.kv},
                {"head", options.head},
                {"tokens_per_second", result.tokens_per_second}});
  } else {
    print_out("perplexity {:.4f}, {:.4f} bits per byte, loss {:.5f} ({} tokens in windows of {}, {} tok/s)\n",
              result.perplexity, result.bits_per_byte, result.loss, result.tokens, window,
              human_count(result.tokens_per_second));
  }
  return 0;
}

}  // namespace

Action add_eval(CLI::App& verb) {
  auto options = std::make_shared<Options>();
  add_model(verb, options->model, options->common);
  verb.add_option("FILE", options->file, "Text to predict")->type_name("")->required();
  verb.add_option("--window", options->window,
                  "Tokens that the model sees at a time; 0 takes 512, or the model's window")
      ->check(CLI::Validator(CLI::NonNegativeNumber).description(""));
  add_kv(verb, options->kv);
  add_head(verb, options->head);
  add_common(verb, options->common);
  add_json(verb, options->common,
           "perplexity, bits_per_byte, loss (nats per token), tokens (predicted), bytes, window, kv, head, "
           "tokens_per_second.");
  return [options] { return evaluate_file(*options); };
}

}  // namespace tern::cli
