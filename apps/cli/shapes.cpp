// SPDX-License-Identifier: Apache-2.0
// The explicit list of shapes. All are run as BitNetForCausalLM with tied embeddings, whatever activation and sub-norms
// the model of these dimensions has: what is measured is the same.
#include "shapes.h"

#include <fmt/ranges.h>

#include "tern/error.h"

namespace tern::cli {
namespace {

// clang-format off
constexpr NamedShape kShapes[] = {
    //name     whose dimensions                          vocabulary hidden  ffn layers heads kv window theta
    {"tiny",   "the default of tern train",                   4096,   256,   704,  4,  4,  2, 2048, 1e4},
    {"0.7b",   "bitnet_b1_58-large (1bitLLM)",               32002,  1536,  4096, 24, 16, 16, 2048, 1e4},
    {"1.3b",   "bitnet_b1_58-xl (1bitLLM)",                  32002,  2048,  5460, 24, 32, 32, 2048, 1e4},
    {"2b-4t",  "bitnet-b1.58-2B-4T (arXiv 2504.12285)",     128256,  2560,  6912, 30, 20,  5, 4096, 5e5},
    {"3b",     "bitnet_b1_58-3B (1bitLLM)",                  32002,  3200,  8640, 26, 32, 32, 2048, 1e4},
    {"7b",     "Falcon3-7B (1.58 bit)",                     131072,  3072, 23040, 28, 12,  4, 4096, 1000042},
};
// clang-format on

}  // namespace

std::span<const NamedShape> shapes() { return kShapes; }

std::vector<std::string> shape_names() {
  std::vector<std::string> names;
  for (const NamedShape& shape : kShapes) names.emplace_back(shape.name);
  return names;
}

ModelConfig config_of_shape(const std::string& name) {
  for (const NamedShape& shape : kShapes) {
    if (shape.name != name) continue;
    ModelConfig config;
    config.vocab_size = shape.vocab_size;
    config.hidden_size = shape.hidden_size;
    config.intermediate_size = shape.intermediate_size;
    config.num_hidden_layers = shape.layers;
    config.num_attention_heads = shape.heads;
    config.num_key_value_heads = shape.kv_heads;
    config.max_position_embeddings = shape.window;
    config.rope_theta = shape.rope_theta;
    return config;
  }
  throw Error(fmt::format("[shape] expected one of {}, got '{}'", fmt::join(shape_names(), ", "), name));
}

}  // namespace tern::cli
