// SPDX-License-Identifier: Apache-2.0
#include <fmt/ranges.h>

#include <memory>

#include "common.h"
#include "output.h"
#include "tern/model.h"
#include "verbs.h"

namespace tern::cli {
namespace {

struct Options {
  CommonOptions common;
  std::string model;
};

const char* weights_name(Weights weights) { return weights == Weights::masters ? "masters" : "packed"; }

Json to_json(const ModelConfig& config) {
  return {{"vocab_size", config.vocab_size},
          {"hidden_size", config.hidden_size},
          {"intermediate_size", config.intermediate_size},
          {"num_hidden_layers", config.num_hidden_layers},
          {"num_attention_heads", config.num_attention_heads},
          {"num_key_value_heads", config.num_key_value_heads},
          {"head_dim", config.head_dim()},
          {"max_position_embeddings", config.max_position_embeddings},
          {"rope_theta", config.rope_theta},
          {"rms_norm_eps", config.rms_norm_eps},
          {"tie_word_embeddings", config.tie_word_embeddings},
          {"hidden_act", config.hidden_act},
          {"bos_token_id", config.bos_token_id},
          {"eos_token_ids", config.eos_token_ids}};
}

Json to_json(const Model& model) {
  const ModelInfo info = model.info();
  return {{"architecture", model.config().architecture},
          {"weights", weights_name(model.weights())},
          {"parameters", info.parameters},
          {"ternary_parameters", info.ternary_parameters},
          {"zero_share", model.zero_share()},
          {"bits_per_weight", info.bits_per_weight},
          {"ternary_bytes", info.ternary_bytes},
          {"resident_bytes", info.resident_bytes},
          {"f32_bytes", info.f32_bytes},
          {"f16_bytes", info.f16_bytes},
          {"packed_bytes", info.packed_bytes},
          {"config", to_json(model.config())}};
}

void print_table(const Model& model) {
  const ModelInfo info = model.info();
  const ModelConfig& c = model.config();
  const double all = static_cast<double>(info.parameters);
  print_out("architecture        {}, {} weights\n", c.architecture, weights_name(model.weights()));
  print_out("parameters          {} ({})\n", info.parameters, human_count(all));
  print_out("  ternary           {} ({:.1f}%)\n", info.ternary_parameters,
            100 * static_cast<double>(info.ternary_parameters) / all);
  print_out("  zero among these  {:.1f}%\n", 100 * model.zero_share());
  print_out("bits per weight     {:.3f}\n", info.bits_per_weight);
  print_out("in memory           {} (ternary {})\n", human_bytes(info.resident_bytes), human_bytes(info.ternary_bytes));
  print_out("file size           f32 {}, f16 {}, packed {}\n", human_bytes(info.f32_bytes), human_bytes(info.f16_bytes),
            human_bytes(info.packed_bytes));
  print_out("layers              {}\n", c.num_hidden_layers);
  print_out("hidden              {}, feed-forward {} ({})\n", c.hidden_size, c.intermediate_size, c.hidden_act);
  print_out("attention           {} heads of {}, {} for keys and values\n", c.num_attention_heads, c.head_dim(),
            c.num_key_value_heads);
  print_out("vocabulary          {} ({} head)\n", c.vocab_size, c.tie_word_embeddings ? "tied" : "untied");
  print_out("window              {} tokens, rope theta {}\n", c.max_position_embeddings, c.rope_theta);
  print_out("bos, eos            {}, {}\n", c.bos_token_id, fmt::join(c.eos_token_ids, " "));
}

int show_info(const Options& options) {
  const Model model = load_model(options.model, open_device(options.common), options.common);
  if (options.common.json) {
    print_json(to_json(model));
  } else {
    print_table(model);
  }
  return 0;
}

}  // namespace

Action add_info(CLI::App& verb) {
  auto options = std::make_shared<Options>();
  add_model(verb, options->model, options->common);
  add_common(verb, options->common);
  add_json(
      verb, options->common,
      "architecture, weights (masters or packed), parameters, ternary_parameters, zero_share, bits_per_weight, "
      "ternary_bytes, resident_bytes, f32_bytes, f16_bytes, packed_bytes, config (Hugging Face's names, head_dim).");
  return [options] { return show_info(*options); };
}

}  // namespace tern::cli
