// SPDX-License-Identifier: Apache-2.0
// config.json: to a ModelConfig and back.
#pragma once

#include <string>
#include <string_view>

#include "tern/model.h"

namespace tern {

// How the file's weight_scale meets the product (Hugging Face's quantization_config.linear_class).
enum class ScaleMeaning : uint8_t {
  multiplies,  // autobitlinear: the absmean itself (bitnet-b1.58-2B-4T)
  divides,     // bitlinear, the default when absent: its inverse (HF1BitLLM, Falcon3-1.58bit)
};

struct ParsedConfig {
  ModelConfig model;
  ScaleMeaning scale_meaning = ScaleMeaning::divides;
};

// Reads the text of a config.json; `source` is its name in errors. Throws Error naming the field for one that is
// missing, of the wrong type, out of range, or asks for something Tern does not have.
ParsedConfig parse_config(std::string_view text, const std::string& source);

// The config.json to save: `base` (an older file's text, or empty) with the model's fields and its quantization_config.
std::string write_config(const ModelConfig& config, Weights weights, std::string_view base);

}  // namespace tern
