// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "common.h"
#include "output.h"
#include "tern/io.h"
#include "tern/model.h"
#include "tern/ops.h"
#include "verbs.h"

namespace tern::cli {
namespace {

struct Options {
  CommonOptions common;
  std::string model, out;
  std::vector<int64_t> ids;
};

int write_logits(const Options& options) {
  const Model model = load_model(options.model, options.common, load_options("full"));
  const auto tokens = static_cast<int64_t>(options.ids.size());
  const Tensor ids = Tensor::from(options.ids, {1, tokens}, model.device());
  save_npy(options.out, squeeze(model.logits(ids), 0));
  const int64_t vocab = model.config().vocab_size;
  if (options.common.json) {
    print_json({{"out", options.out}, {"tokens", tokens}, {"vocab_size", vocab}});
  } else {
    note("{}: f32 [{}, {}]\n", options.out, tokens, vocab);
  }
  return 0;
}

}  // namespace

Action add_logits(CLI::App& verb) {
  auto options = std::make_shared<Options>();
  add_model(verb, options->model, options->common);
  verb.add_option("--ids", options->ids, "Token ids, as \"1,2,3\"")->delimiter(',')->type_name("IDS")->required();
  verb.add_option("--out", options->out, "The .npy file to write: f32 [tokens, vocabulary]")
      ->type_name("FILE")
      ->required();
  add_common(verb, options->common);
  add_json(verb, options->common, "out, tokens, vocab_size.");
  return [options] { return write_logits(*options); };
}

}  // namespace tern::cli
