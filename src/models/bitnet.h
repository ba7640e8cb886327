// SPDX-License-Identifier: Apache-2.0
// The BitNet b1.58 family (arXiv 2504.12285), Hugging Face's BitNetForCausalLM: pre-norm layers with sub-norms, rotary
// positions, grouped-query attention and a squared-ReLU gate.
#pragma once

#include <memory>
#include <string_view>

#include "models/architecture.h"

namespace tern {

std::shared_ptr<Architecture> make_bitnet(const ModelConfig& config, const Device& device);

// Rotary frequencies, which follow from the configuration, and a copy of a tied head.
bool bitnet_ignores(const ModelConfig& config, std::string_view tensor);

}  // namespace tern
